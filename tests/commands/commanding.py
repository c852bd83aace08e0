"""Runs a command in this process and hands back what it printed; snapshots to run commands on."""

from __future__ import annotations

import dataclasses
import os
import pathlib

import pytest

import memtally
from memtally.__main__ import main

COMMANDS_ON_FILES = {
    "top": ["{}"],
    "tree": ["{}"],
    "diff": ["good.snap", "{}"],
    "leaks": ["good.snap", "{}", "good.snap"],
    "info": ["{}"],
    "convert": ["{}", "--to", "json", "-o", "out"],
}
"""Every command that reads snapshots, with a place for the file in question."""


@dataclasses.dataclass
class Printed:
    out: str
    err: str
    status: int

    @property
    def rows(self) -> list[list[str]]:
        """The words of every line of a table, below its title and headings."""
        return [line.split() for line in self.out.splitlines()[2:]]


class Desk:
    """A folder with snapshots, and a way to run commands on them."""

    def __init__(self, folder: pathlib.Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        self.folder = folder
        self.captured = capsysbinary

    def save(self, name: str, traces: object, limit: int = 25) -> pathlib.Path:
        path = self.folder / name
        memtally.Snapshot(traces, limit).dump(path)  # type: ignore[arg-type]
        return path

    def run(self, *words: object) -> Printed:
        try:
            status = main([str(word) for word in words])
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 1
        out, err = self.captured.readouterr()
        return Printed(os.fsdecode(out), os.fsdecode(err), status)


def trace(size: int, *places: tuple[str, int], domain: int = 0) -> tuple[object, ...]:
    """A block of SIZE bytes; PLACES are (file, line), the most recent first."""
    return domain, size, places, len(places)


def lines(**sizes: int) -> list[tuple[object, ...]]:
    """A block for each line of one file: lines(a1=10) is 10 bytes at a.py:1."""
    return [trace(size, (f"{name[0]}.py", int(name[1:]))) for name, size in sizes.items()]
