"""Gives the API reference the types of memtally/_core.pyi: C functions know their parameters' names alone."""

import ast
import pathlib
import re

from sphinx.application import Sphinx

import memtally

ALIASES = {
    "_Path": "str | bytes | os.PathLike",
    "_Reads": "SupportsRead[bytes]",
    "_Writes": "SupportsWrite[bytes]",
    "_Key": "str",
    "_View": "str",
    "_RawTrace": "tuple",
    "_FrameTuple": "tuple[str, int]",
    "_Capabilities": "dict[str, bool | int]",
    "_Traces": "Sequence[Trace]",
}
"""What the stub's own names stand for, as people say it."""
CODE = re.compile(r"(?<![\w`'])('\w+'|[A-Za-z_][\w.]*\(\)|[A-Z]\w+Error|\((?:\d+, )+\d+\))(?![\w`'])")
"""What is code wherever it stands in a docstring: 'live', start(), ValueError, (0, 0)."""
Signature = tuple[str, str | None]


def types(text: str) -> str:
    """A type as it is shown: without names that are only the stub's."""
    for name, meaning in ALIASES.items():
        text = re.sub(rf"\b{name}\b", meaning, text)
    return text


def signature(function: ast.FunctionDef) -> Signature:
    """The parameters, less self, and the result of a function of the stub."""
    parameters = function.args
    for names in (parameters.posonlyargs, parameters.args):
        if names and names[0].arg in ("self", "cls"):
            del names[0]
            break
    result = None if function.name == "__init__" else ast.unparse(function.returns or ast.Constant(None))
    return f"({types(ast.unparse(parameters))})", None if result is None else types(result)


def decorated(function: ast.FunctionDef, name: str) -> bool:
    """Whether a function of the stub has this decorator."""
    return any(ast.unparse(decorator) == name for decorator in function.decorator_list)


class Stub:
    """The functions (a class has the signature of its __init__) and the attributes, by their full names."""

    def __init__(self, path: pathlib.Path) -> None:
        self.functions: dict[str, Signature] = {}
        self.attributes: dict[str, str] = {}
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.FunctionDef):
                self.functions[f"memtally.{statement.name}"] = signature(statement)
            elif isinstance(statement, ast.ClassDef):
                for member in statement.body:
                    self._add(f"memtally.{statement.name}", member)

    def _add(self, owner: str, member: ast.stmt) -> None:
        if isinstance(member, ast.AnnAssign):
            self.attributes[f"{owner}.{ast.unparse(member.target)}"] = types(ast.unparse(member.annotation))
        elif isinstance(member, ast.FunctionDef) and decorated(member, "property"):
            result = ast.unparse(member.returns or ast.Constant(None))
            self.attributes[f"{owner}.{member.name}"] = types(result)
        elif isinstance(member, ast.FunctionDef) and not decorated(member, "overload"):
            own = owner if member.name == "__init__" else f"{owner}.{member.name}"
            self.functions[own] = signature(member)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    stub = Stub(pathlib.Path(memtally.__file__).with_name("_core.pyi"))

    def sign(_app: Sphinx, _what: str, name: str, *_others: object) -> Signature | None:
        return stub.functions.get(name)

    def explain(_app: Sphinx, _what: str, name: str, *rest: object) -> None:
        """Docstrings are written for help(): code is not marked, and attributes do not tell their type."""
        lines = rest[-1]
        assert isinstance(lines, list)
        lines[:] = [CODE.sub(r"``\1``", line) for line in lines]
        if name in stub.attributes:
            lines += ["", f":type: {stub.attributes[name]}"]

    app.connect("autodoc-process-signature", sign)
    app.connect("autodoc-process-docstring", explain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
