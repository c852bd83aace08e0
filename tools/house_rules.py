"""The rules of the house that no other tool checks. Each yields what departs from it, as "place: what"."""

import collections.abc
import pathlib
import re
import subprocess
import sys

import page_library
import sources
from steps import ROOT

Remarks = collections.abc.Iterator[str]

TEXT = (
    ".c",
    ".h",
    ".py",
    ".pyi",
    ".md",
    ".toml",
    ".build",
    ".options",
    ".yaml",
    ".yml",
    ".txt",
    ".pth",
    ".cfg",
    ".html",
    ".css",
    ".js",
)
VERSION_TEST = re.compile(r"\bPY_(?:VERSION_HEX|M[A-Z]+_VERSION)\b")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|work|home)(?:/|\b)")
LEFT_OVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")


def project_files() -> list[pathlib.Path]:
    """Every file of the project, committed or about to be: what git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def c_files(*folders: str) -> list[pathlib.Path]:
    """The C files and headers below some folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.[ch]"))


def lines_matching(paths: list[pathlib.Path], pattern: re.Pattern[str], what: str) -> Remarks:
    """A remark for each line in which a pattern is found."""
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {what}: {line.strip()[:80]}"


def versions_in_two_places() -> Remarks:
    """Only src/cpython/compat.h and src/cpython/frames/ ask which CPython they are compiled for."""
    allowed = ROOT / "src" / "cpython"
    paths = [
        path
        for path in c_files("src", "include")
        if path != allowed / "compat.h" and allowed / "frames" not in path.parents
    ]
    yield from lines_matching(paths, VERSION_TEST, "a CPython version test outside compat.h and frames/")


def no_python_in_the_core() -> Remarks:
    """The core includes none of CPython's headers."""
    pattern = re.compile(r'#\s*include\s*[<"](?:\w+/)*(?:Python\.h|pycore_|internal/)')
    yield from lines_matching(c_files("src/core", "tests/core"), pattern, "a header of CPython in the core")


def no_machine_paths() -> Remarks:
    """The project names no folder of the machine that it was written on."""
    paths = [path for path in project_files() if path.suffix in TEXT or path.name in ("Makefile", "run")]
    yield from lines_matching(paths, MACHINE_PATH, "a path of one machine")


def nothing_left_over() -> Remarks:
    """What is unfinished is not marked in the code; it is finished or it is in the tracker."""
    paths = [path for path in project_files() if path.suffix in TEXT]
    yield from lines_matching(paths, LEFT_OVER, "a mark of unfinished work")


def sources_are_listed() -> Remarks:
    """Every source file is in the meson.build of its folder."""
    yield from sources.stale_lists()


def library_is_as_fetched() -> Remarks:
    """The library in the flame graph's page is the one that was fetched, unchanged."""
    yield from page_library.changed()


def one_version() -> Remarks:
    """meson.build and pyproject.toml tell the same version."""
    pattern = re.compile(r"^\s*version\s*[:=]\s*['\"]([^'\"]+)['\"]", re.MULTILINE)
    found = {}
    for name in ("meson.build", "pyproject.toml"):
        match = pattern.search((ROOT / name).read_text(encoding="utf-8"))
        found[name] = match.group(1) if match else "none"
    if len(set(found.values())) != 1:
        yield f"different versions: {found}"


RULES = (
    versions_in_two_places,
    no_python_in_the_core,
    no_machine_paths,
    nothing_left_over,
    sources_are_listed,
    library_is_as_fetched,
    one_version,
)


def exports_one_symbol(module: pathlib.Path) -> Remarks:
    """The built module exports its entry point and nothing else."""
    listed = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=posix", str(module)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {line.split()[0] for line in listed.splitlines()} - {"_init", "_fini"}
    for name in sorted(names ^ {"PyInit__core"}):
        yield f"{module.name}: {'does not export' if name == 'PyInit__core' else 'exports'} {name}"


def main() -> int:
    """Shows what all rules find: the quick part of `make lint`, for a hook before a commit."""
    remarks = [remark for rule in RULES for remark in rule()]
    for remark in remarks:
        print(remark)
    return 1 if remarks else 0


if __name__ == "__main__":
    sys.exit(main())
