"""What is known of a source file: a short name, which module it is, and its lines.

A snapshot may come from anywhere and name any file, and a report is made to be passed on. So lines are read
from Python sources only, never from other files, and from nothing that is not a plain file.
"""

import os
import re
import stat
from collections.abc import Iterable

SOURCES = (".py", ".pyw", ".pyi", ".pyx", ".pxd", ".pxi")
MOST_BYTES = 16 << 20
LONGEST = 200
"""Characters of a source line that are shown."""
CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)

INSTALLED = re.compile(r"^.*[/\\](?:site|dist)-packages[/\\]")
LIBRARY = re.compile(r"^.*[/\\]python3\.\d+t?[/\\]|^.*\.zip[/\\](?=\w+\.py$)")
FROZEN = re.compile(r"^<frozen ([\w.]+)>$")


def describe(names: Iterable[str]) -> list[dict[str, str]]:
    """Of each file its name, place (short), module, and kind: own, package, library, import, other."""
    names = list(names)
    own = [name for name in names if _kind(name) == "own"]
    folders = {os.path.dirname(name) for name in own if os.path.isabs(name)}
    common = os.path.commonpath(folders) if folders else ""
    prefix = common + os.sep if common.strip(os.sep) else ""
    return [_describe(name, prefix) for name in names]


def _describe(name: str, prefix: str) -> dict[str, str]:
    kind = _kind(name)
    place = _place(name, kind, prefix)
    module = _module(place, kind)
    if kind == "library" and module in ("importlib", "zipimport"):
        kind = "import"
    return {"name": name, "place": place, "module": module, "kind": kind}


def _module(place: str, kind: str) -> str:
    """A package as a whole; of the program each folder, or a file that lies in none."""
    if kind == "other":
        return place
    if kind == "own":
        return os.path.dirname(place) or place.removesuffix(".py")
    return re.split(r"[/\\]", place)[0].removesuffix(".py")


def _kind(name: str) -> str:
    if FROZEN.match(name):
        return "library"
    if name.startswith("<") and name.endswith(">"):
        return "other"
    if INSTALLED.match(name):
        return "package"
    return "library" if LIBRARY.match(name) else "own"


def _place(name: str, kind: str, prefix: str) -> str:
    frozen = FROZEN.match(name)
    if frozen:
        return frozen[1].replace(".", "/") + ".py"
    if kind == "package":
        return INSTALLED.sub("", name)
    if kind == "library":
        return LIBRARY.sub("", name)
    return name.removeprefix(prefix) if prefix else name


def lines_of(name: str, numbers: Iterable[int]) -> dict[int, str]:
    """The lines with these NUMBERS of the file NAME, not indented; none where it is no Python source."""
    content = _content(_real_name(name))
    if not content:
        return {}
    lines = content.splitlines()
    found = {number: lines[number - 1].strip() for number in numbers if 0 < number <= len(lines)}
    return {number: _shortened(line) for number, line in found.items() if line}


def _real_name(name: str) -> str:
    """The library's file of a module that is frozen into the interpreter."""
    frozen = FROZEN.match(name)
    if frozen:
        return os.path.join(os.path.dirname(os.__file__), *frozen[1].split(".")) + ".py"
    return name


def _content(name: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            return ""
        with open(name, "rb") as file:
            if not name.endswith(SOURCES) and not _is_script(file.peek(80)):
                return ""
            content = file.read(MOST_BYTES)
    except (OSError, ValueError):
        return ""
    return _decoded(content)


def _is_script(beginning: bytes) -> bool:
    first = beginning.split(b"\n", 1)[0]
    return first.startswith(b"#!") and b"python" in first


def _decoded(content: bytes) -> str:
    match = CODING.search(b"\n".join(content.split(b"\n", 2)[:2]))
    try:
        return content.decode(match[1].decode("ascii") if match else "utf-8", "replace").removeprefix(
            "\ufeff"
        )
    except LookupError:
        return content.decode("utf-8", "replace")


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "\u2026"
