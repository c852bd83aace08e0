"""`memtally top`: what holds the most memory in a snapshot, as a table, as JSON or as CSV."""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import memtally
from memtally.commands import Parser, choosing, machine, output, progress
from memtally.reports import grid, table

HELP = "show what holds the most memory in a snapshot"
DESCRIPTION = """\
Show which lines (functions, files, ways through the program) hold the most
memory in a snapshot, the largest first.
"""
EPILOG = """\
examples:
  memtally top a.snap                            the ten largest lines
  memtally top a.snap --view peak --by traceback with all callers, at the peak
  memtally top a.snap --by function --cumulative with all that they call
  memtally top a.snap --exclude '<frozen *' --limit 0 --csv > lines.csv

exit status:
  0 fine   1 the file cannot be read   2 wrong command line   130 Ctrl-C
"""

CALLERS = 12
"""How many callers of a traceback the table shows."""


def add_arguments(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a snapshot, of memtally or of the standard module")
    choosing.add_view(parser)
    choosing.add_key(parser)
    choosing.add_limit(parser)
    choosing.add_filters(parser)
    choosing.add_machine_formats(parser)


def execute(options: argparse.Namespace) -> int:
    choosing.check_key("top", options)
    snapshot = choosing.chosen(options.file, options)
    with progress.saying("adding up"):
        count, rows = snapshot._largest(choosing.KEYS[options.by], options.cumulative, options.limit)
        whole = total(snapshot)
    if options.json:
        output.show(_json(options, snapshot.view_name, whole, count, rows))
    elif options.csv:
        head = ("size", "count", *machine.key_names(options.by))
        cells = ((row.size, row.count, *machine.key_cells(row.traceback, options.by)) for row in rows)
        machine.show_csv(head, cells)
    else:
        output.show(_table(options, snapshot.view_name, whole, count, rows))
    return 0


def total(snapshot: memtally.Snapshot) -> tuple[int, int]:
    """Bytes and blocks of the whole snapshot."""
    domains = snapshot.statistics("domain")
    return sum(row.size for row in domains), sum(row.count for row in domains)


def _json(
    options: argparse.Namespace,
    view: str,
    whole: tuple[int, int],
    count: int,
    rows: Sequence[memtally.Statistic],
) -> str:
    report: dict[str, Any] = {"file": options.file, "view": view, "by": options.by}
    report["cumulative"] = options.cumulative
    report["size"], report["count"] = whole
    report["rows"] = [
        {"size": row.size, "count": row.count, **machine.key_fields(row.traceback, options.by)}
        for row in rows
    ]
    report["more_rows"] = count - len(rows)
    return machine.json_text(report)


def _table(
    options: argparse.Namespace,
    view: str,
    whole: tuple[int, int],
    count: int,
    rows: Sequence[memtally.Statistic],
) -> str:
    size, blocks = whole
    title = f"{TITLES[view]}: {table.size_text(size)} in {table.plural(blocks, 'block')}"
    cells: list[tuple[str, ...]] = [table.HEADINGS]
    sources: dict[str, list[bytes]] = {}
    for row in rows:
        cells += full_rows(table.number_cells(row.size, row.count, size), row.traceback, options.by, sources)
    rest = count - len(rows)
    if rest and options.cumulative:
        cells.append(("", "", "", "", f"({table.plural(rest, f'other {options.by}')})", "", ""))
    elif rest:
        left = size - sum(row.size for row in rows), blocks - sum(row.count for row in rows)
        others = f"({table.plural(rest, f'other {options.by}')})"
        cells.append((*table.number_cells(*left, size), others, "", ""))
    return output.titled(title, cells)


TITLES = {"live": "live", "peak": "at the peak", "total": "allocated in total"}


def full_rows(
    figures: Sequence[str], traceback: memtally.Traceback, by: str, sources: dict[str, list[bytes]]
) -> Iterator[tuple[str, ...]]:
    """FIGURES and what they are about; by traceback, below it its callers."""
    words = _word_cells(traceback, by, sources)
    yield *figures, *next(words)
    for more in words:
        yield *[""] * len(figures), *more


def _word_cells(
    traceback: memtally.Traceback, by: str, sources: dict[str, list[bytes]]
) -> Iterator[tuple[str, str, str]]:
    """Place, function and source of what a row is about; then, by traceback, of its callers."""
    if not traceback:
        yield "(no frames)", "", ""
        return
    place, function, source = table.frame_cells(traceback[-1], sources)
    if by == "line":
        yield place, function, source
    elif by == "traceback":
        yield place, function, source
        for frame in itertools.islice(reversed(traceback), 1, 1 + CALLERS):
            yield table.frame_cells(frame, sources)
        if len(traceback) > 1 + CALLERS:
            yield f"({table.plural(len(traceback) - 1 - CALLERS, 'more caller')})", "", ""
    elif by == "function":
        yield place, function, ""
    elif by == "file":
        yield grid.printable(table.file_name(traceback[-1])), "", ""
    else:
        yield grid.printable(traceback[-1].filename), "", ""
