"""`memtally info`: what a snapshot is of: when, which program, how much, and blocks of which sizes."""

import argparse
import os
from collections.abc import Iterator
from datetime import datetime

import memtally
from memtally._startup import MAX_FRAMES
from memtally.commands import Parser, files, machine, output, progress
from memtally.commands.top import TITLES, total
from memtally.reports import grid, table

HELP = "show when and of what a snapshot was taken, and what is in it"
DESCRIPTION = """\
Show what is known of a snapshot as a whole: when it was taken, of which program,
with which Python, how many frames of a traceback it keeps, the totals of each
view, lost traces, and how many blocks of which size there were.
"""
EPILOG = """\
examples:
  memtally info a.snap
  memtally info a.snap --json

exit status:
  0 fine   1 the file cannot be read   2 wrong command line   130 Ctrl-C
"""

BAR = 30
"""Characters of the histogram's longest bar."""


def add_arguments(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a snapshot, of memtally or of the standard module")
    parser.add_argument("--json", action="store_true", help="print JSON: bytes as numbers, names in full")


def execute(options: argparse.Namespace) -> int:
    with progress.saying(f"reading {options.file}"):
        views = files.load_views(options.file)
        totals = {name: total(view) for name, view in views.items()}
        sizes = views["live"].block_sizes() if "live" in views else []
    some = next(iter(views.values()))
    if options.json:
        output.show(machine.json_text(_facts(options.file, some, totals, sizes)))
        return 0
    style = output.style()
    lines = [style.paint(grid.BOLD, grid.printable(options.file)), *_lines(options.file, some, totals)]
    if sizes:
        lines += ["", style.paint(grid.BOLD, "live blocks by size"), *_histogram(sizes)]
    output.show("".join(f"{line}\n" for line in lines))
    return 0


def _facts(
    name: str,
    snapshot: memtally.Snapshot,
    totals: dict[files.View, tuple[int, int]],
    sizes: list[tuple[int, int, int]],
) -> dict[str, object]:
    return {
        "file": name,
        **snapshot.metadata,
        "file_bytes": os.path.getsize(name),
        "traceback_limit": snapshot.traceback_limit,
        "processes": snapshot.processes,
        "views": {view: {"size": size, "count": count} for view, (size, count) in totals.items()},
        "block_sizes": [{"up_to": most, "count": count, "size": size} for most, count, size in sizes],
    }


def _lines(
    name: str, snapshot: memtally.Snapshot, totals: dict[files.View, tuple[int, int]]
) -> Iterator[str]:
    facts = snapshot.metadata
    yield from _line("file", table.size_text(os.path.getsize(name)))
    if "time" in facts:
        yield from _line("taken", _time(str(facts["time"])))
    if "program" in facts:
        arguments = facts.get("arguments", ())
        words = [facts["program"], *(arguments if isinstance(arguments, tuple) else ())]
        yield from _line("program", " ".join(map(str, words)))
    if "python" in facts:
        yield from _line("python", f"{facts['python']}, {facts.get('platform', '')}".rstrip(", "))
    if "memtally" in facts:
        yield from _line("memtally", str(facts["memtally"]))
    if snapshot.processes:
        yield from _line("processes", ", ".join(snapshot.processes))
    limit = snapshot.traceback_limit
    yield from _line("frames", "all" if limit >= MAX_FRAMES else f"{limit} of each traceback, at most")
    for view in files.VIEWS:
        if view in totals:
            size, count = totals[view]
            yield from _line(TITLES[view], f"{table.size_text(size)} in {table.plural(count, 'block')}")
    if "lost_traces" in facts:
        lost = facts["lost_traces"]
        yield from _line("lost", f"{lost:,} traces" if lost else "no traces")


def _line(name: str, value: str) -> Iterator[str]:
    yield f"  {name:<18}  {grid.printable(value)}"


def _time(text: str) -> str:
    """A time in UTC as the clock here shows it."""
    try:
        return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    except (ValueError, OverflowError):
        return text


def _histogram(sizes: list[tuple[int, int, int]]) -> Iterator[str]:
    """A line for each power of two: blocks up to that size, how many, how much they hold."""
    most = max(count for _, count, _ in sizes)
    for up_to, count, size in sizes:
        bar = "#" * max(1, round(BAR * count / most)) if count else ""
        limit = f"<= {table.size_text(up_to)}"
        yield f"  {limit:>12}  {count:>14,}  {table.size_text(size):>10}  {bar}".rstrip()
