"""Keeps the lists of files in the meson.build files equal to what is in the tree.

    python tools/sources.py            say which lists are not complete; exit code 1 if one is not
    python tools/sources.py --write    mend them

A list stands between `NAME = files(` and the next line that begins with `)`; memtally/meson.build is nothing
but lists.

The C files of each folder have two lists: what runs in every traced program, and what runs only where
somebody asks for something, or something seldom happens. The linker puts the former together
(src/meson.build says why).
"""

import collections.abc
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGED = (".py", ".pyi", ".typed", ".html", ".css", ".js", ".txt")
MAIN = re.compile(r"^int\s+main\s*\(", re.MULTILINE)
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
CPYTHON = ROOT / "src" / "cpython"
HOOKS = CPYTHON / "hooks.c"
IMPORTING = ROOT / "src" / "types" / "module.c"
SELDOM = ("apart.c", "collect.c", "measure.c", "remind.c", "report.c", "soon.c", "sort.c")
"""What the rule would put first, and most traced programs never run."""


def reached(start: pathlib.Path) -> set[pathlib.Path]:
    """The C file, what it includes, the C files of these headers, what those include, and so on."""
    found: set[pathlib.Path] = set()
    waiting = [start]
    while waiting:
        file = waiting.pop()
        if file not in found and file.is_file():
            found.add(file)
            waiting += [(file.parent / name).resolve() for name in INCLUDE.findall(file.read_text("utf-8"))]
            waiting.append(file.with_suffix(".c"))
    return found


def wanted() -> collections.abc.Iterator[tuple[pathlib.Path, str, list[str]]]:
    """Yields (the meson.build, the name of the list, the files that belong into it)."""
    always = {
        path for path in reached(HOOKS) | set(CPYTHON.rglob("*.c")) | {IMPORTING} if path.name not in SELDOM
    }
    for folder, name, members in (
        ("cpython", "cpython_sources", (True,)),
        ("cpython", "seldom_sources", (False,)),
        ("core", "tracing_sources", (True,)),
        ("core", "report_sources", (False,)),
        ("types", "module_sources", (True,)),
        ("types", "types_sources", (False,)),
    ):
        place = ROOT / "src" / folder
        paths = [path for path in place.rglob("*.c") if (path in always) in members]
        yield place / "meson.build", name, [path.relative_to(place).as_posix() for path in paths]
    place = ROOT / "tests" / "core"
    programs = {path.name: bool(MAIN.search(path.read_text(encoding="utf-8"))) for path in place.glob("*.c")}
    yield (
        place / "meson.build",
        "core_test_programs",
        [name for name, is_program in programs.items() if is_program],
    )
    yield (
        place / "meson.build",
        "core_test_support",
        [name for name, is_program in programs.items() if not is_program],
    )


def package_lists() -> collections.abc.Iterator[tuple[str, list[str]]]:
    """Yields (folder inside the package, its files to install), the package's own folder first."""
    place = ROOT / "memtally"
    by_folder: dict[str, list[str]] = {"": []}
    for path in sorted(place.rglob("*")):
        if path.suffix in PACKAGED and "__pycache__" not in path.parts:
            inside = path.relative_to(place)
            by_folder.setdefault(inside.parent.as_posix().removeprefix("."), []).append(inside.as_posix())
    yield from sorted(by_folder.items())


def listed(names: list[str], indent: str) -> str:
    """The lines of a list."""
    return "".join(f"{indent}'{name}',\n" for name in sorted(names))


def with_list(text: str, name: str, names: list[str]) -> str:
    """The text of a meson.build with the list `name` replaced."""
    pattern = re.compile(rf"^{name} = files\(\n.*?^\)", re.MULTILINE | re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"tools/sources.py: no list {name}")
    return pattern.sub(lambda _: f"{name} = files(\n{listed(names, '  ')})", text)


def package_text(text: str) -> str:
    """memtally/meson.build: its first comment stays, everything after it is written anew."""
    comment = [line for line in text.splitlines(keepends=True) if line.startswith("#")][:1]
    parts = ["".join(comment)]
    for folder, names in package_lists():
        subdir = "memtally" + ("/" + folder if folder else "")
        parts.append(f"py.install_sources(\n  files(\n{listed(names, '    ')}  ),\n  subdir: '{subdir}')\n")
    if (ROOT / "memtally/startup/memtally-startup.pth").exists():
        parts.append(
            "# Read by `site` at start-up, so it lies beside the package and not inside it.\n"
            "py.install_sources(files('startup/memtally-startup.pth'))\n"
        )
    return "\n".join(parts)


def mended() -> dict[pathlib.Path, str]:
    """The meson.build files whose lists are not what they should be, and what they should be."""
    texts: dict[pathlib.Path, str] = {}
    for file, name, names in wanted():
        texts[file] = with_list(texts.get(file) or file.read_text(encoding="utf-8"), name, names)
    package = ROOT / "memtally" / "meson.build"
    texts[package] = package_text(package.read_text(encoding="utf-8"))
    return {file: text for file, text in texts.items() if text != file.read_text(encoding="utf-8")}


def stale_lists() -> collections.abc.Iterator[str]:
    """A remark for each meson.build with a list that is not complete."""
    for file in mended():
        place = file.relative_to(ROOT).as_posix()
        yield f"{place}: a list is not what is in the tree; mend it: python3 tools/sources.py --write"


def main(arguments: list[str]) -> int:
    """Says what is stale, or mends it."""
    if arguments == ["--write"]:
        for file, text in mended().items():
            file.write_text(text, encoding="utf-8")
            print(f"{file.relative_to(ROOT).as_posix()}: written")
        return 0
    remarks = list(stale_lists())
    print("\n".join(remarks), end="\n" if remarks else "")
    return 1 if remarks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
