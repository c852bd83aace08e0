"""Runs what a page holds, in a folder of its own, and lays what comes out beside what the page shows.

Compared are words and the page's own lines of code (`app.py:12`). Numbers, sizes, and lines of other files
differ from machine to machine and between versions of Python, so each is as good as any other.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Sequence

import pages

MARK = "\x1e"
"""Ends the output of a command, or of a part of the program."""
PLACE = "/srv/shop"
"""Where the pages say that they are: the folder in which they run."""
NUMBER = re.compile(r"\d[\d,.]*\d|\d")
UNIT = re.compile(r"# ?(?:[KMGT]i)?B\b")
PROGRAM = """
import json, sys
space = {"__name__": "__main__"}
for part in json.load(open(sys.argv[1])):
    code = compile("\\n" * (part["line"] - 1) + part["code"], part["page"], "exec")
    exec(code, space)
    print("\\x1e", flush=True)
"""


def environment() -> dict[str, str]:
    """The surroundings of what is run: `memtally` and `python` are those under test, without colours."""
    left_out = ("COLUMNS", "NO_COLOR", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONWARNINGS")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in left_out and not name.startswith("MEMTALLY")
    }
    scripts = os.path.dirname(sys.executable)
    return kept | {"PATH": scripts + os.pathsep + os.environ.get("PATH", ""), "PYTHONUTF8": "1"}


def run(words: Sequence[str], folder: pathlib.Path) -> str:
    """What a process prints, stdout and stderr as they come."""
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    return done.stdout.decode()


def outputs_of_commands(page: pages.Page, folder: pathlib.Path) -> list[list[str]]:
    """What each command of a page prints. One shell runs them all, so that `$?` means something."""
    for name, text in page.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if not page.commands:
        return []
    script = "".join(
        f"{command.text}\nstatus=$?; printf '{MARK}\\n'; (exit $status)\n" for command in page.commands
    )
    printed = run(["bash", "-c", script], folder)
    chunks = printed.split(MARK + "\n")
    return [_lines(chunk, folder) for chunk in chunks[: len(page.commands)]]


def outputs_of_program(page: pages.Page, folder: pathlib.Path) -> list[list[str]]:
    """What each part of the page's program prints. AssertionError where it does not come to its end."""
    if not page.parts:
        return []
    parts = [{"page": str(page.path), "line": part.line, "code": part.code} for part in page.parts]
    (folder / ".parts.json").write_text(json.dumps(parts), encoding="utf-8")
    (folder / ".program.py").write_text(PROGRAM, encoding="utf-8")
    chunks = run([sys.executable, ".program.py", ".parts.json"], folder).split(MARK + "\n")
    assert len(chunks) == len(parts) + 1, f"{page.path}: the program broke off:\n{chunks[-1]}"
    return [_lines(chunk, folder) for chunk in chunks[:-1]]


def _lines(printed: str, folder: pathlib.Path) -> list[str]:
    """The lines of an output; the folder is called PLACE in it, and columns stay columns."""
    path = re.compile(re.escape(str(folder)) + r"(\S*)(?=  )")
    shorter = len(str(folder)) - len(PLACE)
    moved = path.sub(lambda match: f"{PLACE}{match[1]}{' ' * shorter}", printed)
    return [line.rstrip() for line in moved.replace(str(folder), PLACE).splitlines()]


def mask(line: str, files: Sequence[str]) -> str:
    """A line without what may differ."""
    own = sorted(files, key=len, reverse=True)
    keep = re.compile("|".join(rf"(?<![\w/.]){re.escape(name)}:\d+" for name in own)) if own else None
    line = line.replace(PLACE + "/", "")
    kept = keep.findall(line) if keep else []
    masked = keep.sub("\0", line) if keep else line
    masked = UNIT.sub("#", NUMBER.sub("#", masked))
    masked = re.sub(r"##+|#\s+#+(?=$)", "#", masked)
    for place in kept:
        masked = masked.replace("\0", place, 1)
    return " ".join(masked.split())


def match(shown: Sequence[str], printed: Sequence[str], files: Sequence[str]) -> list[str] | None:
    """SHOWN with the numbers of PRINTED, None where they do not agree; `...` stands for any lines."""
    if not shown:
        return [] if not printed else None
    if shown[0].strip() == "...":
        for skipped in range(len(printed) + 1):
            rest = match(shown[1:], printed[skipped:], files)
            if rest is not None:
                return [shown[0], *rest]
        return None
    if not printed or mask(shown[0], files) != mask(printed[0], files):
        return None
    rest = match(shown[1:], printed[1:], files)
    return None if rest is None else [printed[0], *rest]
