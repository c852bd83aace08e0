"""`memtally leaks`: what holds more memory in every snapshot of a series than in the one before."""

import argparse
import os
from collections.abc import Iterator
from typing import Any

import memtally
from memtally.commands import USAGE_ERROR, Parser, choosing, fail, files, machine, output, progress
from memtally.commands.diff import signed_size
from memtally.commands.top import full_rows
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
MOST_COLUMNS = 5
"""Snapshots whose sizes are all in the table; of more, the first and the last are."""
SHORT = 16
"""Characters of a file's name above its column."""


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
    last = choosing.chosen(options.files[-1], options, series.pop())
    with progress.saying("comparing"):
        found = last._growing(
            _one_at_a_time(series, options),
            len(series),
            choosing.KEYS[options.by],
            options.cumulative,
            options.limit,
        )
    if options.json:
        output.show(_json(options, *found))
    elif options.csv:
        head = (
            "growth",
            *machine.key_names(options.by),
            *(f"size_{i + 1}" for i in range(len(options.files))),
        )
        cells = (
            (sizes[-1] - sizes[0], *machine.key_cells(row.traceback, options.by), *sizes)
            for row, sizes in found[2]
        )
        machine.show_csv(head, cells)
    else:
        output.show(_table(options, *found))
    return 0


Rows = list[tuple[memtally.Statistic, list[int]]]
"""What grows, and its bytes in each snapshot."""


def _in_order(options: argparse.Namespace) -> list[memtally.Snapshot]:
    """The snapshots, opened but not read, by the time they were taken, where all of them know it.

    `options.files` goes along.
    """
    series = [files.opened(name) for name in options.files]
    options.view = options.view or series[0].view_name  # the same one of all
    times = [str(snapshot.metadata.get("time", "")) for snapshot in series]
    if all(times):  # ISO 8601, all in UTC: the order of the texts is that of the times
        order = sorted(range(len(series)), key=times.__getitem__)
        options.files = [options.files[i] for i in order]
        series = [series[i] for i in order]
    return series


def _one_at_a_time(
    series: list[memtally.Snapshot], options: argparse.Namespace
) -> Iterator[memtally.Snapshot]:
    """What the snapshots of SERIES have to show, each gone before the next one comes; empties the list."""
    series.reverse()
    for name in options.files[:-1]:
        yield choosing.chosen(name, options, series.pop())


def _json(options: argparse.Namespace, count: int, growth: int, rows: Rows) -> str:
    report: dict[str, Any] = {"files": options.files, "view": options.view, "by": options.by}
    report["cumulative"] = options.cumulative
    report["growth"] = growth
    report["rows"] = [
        {"growth": sizes[-1] - sizes[0], "sizes": sizes, **machine.key_fields(row.traceback, options.by)}
        for row, sizes in rows
    ]
    report["more_rows"] = count - len(rows)
    return machine.json_text(report)


def _table(options: argparse.Namespace, count: int, growth: int, rows: Rows) -> str:
    columns = range(len(options.files)) if len(options.files) <= MOST_COLUMNS else (0, -1)
    what = f"{table.plural(count, options.by)} grew" if count else f"no {options.by} grew"
    by = "" if options.cumulative or not count else f", {signed_size(growth)} in all"
    title = f"{options.view}: {what} in each of {table.plural(len(options.files) - 1, 'step')}{by}"
    heads = [f"in {grid.printable(os.path.basename(options.files[i]))[-SHORT:]}" for i in columns]
    cells: list[tuple[str, ...]] = [("growth", *heads, *grid.WORD_HEADINGS)]
    sources: dict[str, list[bytes]] = {}
    for row, sizes in rows:
        figures = signed_size(sizes[-1] - sizes[0]), *(table.size_text(sizes[i]) for i in columns)
        cells += full_rows(figures, row.traceback, options.by, sources)
    if count > len(rows):
        rest = f"({table.plural(count - len(rows), f'other {options.by}')})"
        cells.append((*[""] * (1 + len(columns)), rest, "", ""))
    return output.titled(title, cells)
