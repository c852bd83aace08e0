"""Writes into pages what their commands print on this machine: `python tests/docs/update.py PAGE.md...`.

Lines `...` stay where the rest agrees with what is printed; where it does not, all that was printed
is put in.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile

import page_runs
import pages


def update(path: pathlib.Path) -> None:
    """Runs the commands of a page and puts their output in the place of what it shows."""
    page = pages.read(path)
    lines = path.read_text(encoding="utf-8").split("\n")
    with tempfile.TemporaryDirectory(prefix="memtally-") as folder:
        printed = page_runs.outputs_of_commands(page, pathlib.Path(folder))
    for command, output in reversed(list(zip(page.commands, printed, strict=True))):
        if command.shown is None:
            continue
        agreed = page_runs.match(command.shown, output, list(page.files))
        first = command.first - 1
        lines[first : first + len(command.shown)] = output if agreed is None else agreed
        print(f"{path}:{command.first}: {'as before' if agreed is not None else 'CHANGED'}: {command.text}")
    path.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        update(pathlib.Path(argument))
