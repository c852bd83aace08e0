"""`memtally leaks`: what holds more memory in every snapshot of a series than in the one before."""

import argparse
import itertools
import sys
from collections.abc import Sequence
from typing import Any

import memtally
from memtally.commands import USAGE_ERROR, Parser, choosing, fail, machine, output, progress
from memtally.commands.diff import signed_size
from memtally.commands.top import word_cells
from memtally.reports import grid, table

HELP = "show what grows in every step of a series of snapshots"
DESCRIPTION = """\
Show what grows from each snapshot to the next, in all of a series: what goes up
and down again is no leak. The largest growth comes first.
"""
EPILOG = """\
examples:
  memtally leaks 1.snap 2.snap 3.snap
  memtally leaks *.snap --by traceback      with the callers of what grows

Snapshots that know when they were taken are put in that order; the others count
in the order given. Of three or four, chance lets much grow; take more.

exit status:
  0 fine, whatever grows   1 a file cannot be read   2 wrong command line
  130 Ctrl-C
"""

FEWEST = 3
"""Snapshots below which "in every step" says nothing."""


def add_arguments(parser: Parser) -> None:
    parser.usage = "memtally leaks [OPTIONS] FILE FILE FILE..."
    parser.add_argument("files", nargs="+", metavar="FILE", help="three snapshots or more")
    choosing.add_view(parser)
    choosing.add_key(parser)
    choosing.add_limit(parser)
    choosing.add_filters(parser)
    choosing.add_machine_formats(parser)


def execute(options: argparse.Namespace) -> int:
    choosing.check_key("leaks", options)
    if len(options.files) < FEWEST:
        fail(f"leaks: at least {FEWEST} snapshots, please (of two: memtally diff OLD NEW)", USAGE_ERROR)
    series = _in_order(options)
    with progress.saying("comparing"):
        rows = _growing(series, options)
    shown = rows[: options.limit or None]
    if options.json:
        output.show(_json(options, rows, shown))
    elif options.csv:
        head = ("growth", *machine.key_names(options.by), *(f"size_{i}" for i in range(1, len(series) + 1)))
        cells = (
            (sizes[-1] - sizes[0], *machine.key_cells(trace, options.by), *sizes) for trace, sizes in shown
        )
        machine.show_csv(head, cells)
    else:
        output.show(_table(options, rows, shown))
    return 0


Row = tuple[memtally.Traceback, list[int]]
"""What grows, and its bytes in each snapshot."""


def _in_order(options: argparse.Namespace) -> list[memtally.Snapshot]:
    """The snapshots by the time they were taken, where all of them know it; `options.files` goes along."""
    series = []
    for name in options.files:
        series.append(choosing.chosen(name, options))
        options.view = options.view or series[0].view_name  # the same one of all
    times = [str(snapshot.metadata.get("time", "")) for snapshot in series]
    if all(times):  # ISO 8601, all in UTC: the order of the texts is that of the times
        order = sorted(range(len(series)), key=times.__getitem__)
        options.files = [options.files[i] for i in order]
        series = [series[i] for i in order]
    return series


def _growing(series: Sequence[memtally.Snapshot], options: argparse.Namespace) -> list[Row]:
    """What grows in every step, the largest growth first; what is not there yet has no bytes."""
    growing: dict[object, Row] = {}
    for step, (old, new) in enumerate(itertools.pairwise(series)):
        before, growing = growing, {}
        for change in new.compare_to(old, choosing.KEYS[options.by], options.cumulative):
            key = _key(change.traceback, options.by) if change.size_diff > 0 else None
            if key is not None and (step == 0 or key in before):
                _, sizes = before.get(key, (None, [change.size - change.size_diff]))
                growing[key] = change.traceback, [*sizes, change.size]
    return sorted(growing.values(), key=lambda row: row[1][0] - row[1][-1])


def _key(traceback: memtally.Traceback, by: str) -> object:
    """What is the same in all snapshots: a function may have another first line in each."""
    if by == "function" and traceback:
        return traceback[-1].filename, traceback[-1].function
    return traceback


def _json(options: argparse.Namespace, rows: Sequence[Row], shown: Sequence[Row]) -> str:
    report: dict[str, Any] = {"files": options.files, "view": options.view, "by": options.by}
    report["cumulative"] = options.cumulative
    report["rows"] = [
        {"growth": sizes[-1] - sizes[0], "sizes": sizes, **machine.key_fields(traceback, options.by)}
        for traceback, sizes in shown
    ]
    report["more_rows"] = len(rows) - len(shown)
    return machine.json_text(report)


def _table(options: argparse.Namespace, rows: Sequence[Row], shown: Sequence[Row]) -> str:
    style = grid.style_of(sys.stdout) if sys.stdout else grid.Style()
    grown = sum(sizes[-1] - sizes[0] for _, sizes in rows)
    steps = len(options.files) - 1
    what = f"{table.plural(len(rows), options.by)} grew" if rows else f"no {options.by} grew"
    by = "" if options.cumulative or not rows else f", {signed_size(grown)} in all"
    title = f"{what} in each of {steps} steps{by} ({options.view}; {options.files[0]} to {options.files[-1]})"
    cells: list[tuple[str, ...]] = [("growth", *(str(i + 1) for i in range(steps + 1)), *grid.WORD_HEADINGS)]
    sources: dict[str, list[bytes]] = {}
    for traceback, sizes in shown:
        words = word_cells(traceback, options.by, sources)
        figures = signed_size(sizes[-1] - sizes[0]), *map(table.size_text, sizes)
        cells.append((*figures, *next(words)))
        cells += [(*[""] * len(figures), *more) for more in words]
    rest = len(rows) - len(shown)
    if rest:
        cells.append((*[""] * (steps + 2), f"({table.plural(rest, f'other {options.by}')})", "", ""))
    lines = grid.align(cells, style) if rows else ()
    return "".join(f"{line}\n" for line in (style.paint(grid.BOLD, title), *lines))
