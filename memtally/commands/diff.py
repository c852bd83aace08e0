"""`memtally diff`: what grew and shrank between two snapshots, and whether it grew too much."""

import argparse
import re
from collections.abc import Sequence
from typing import Any

import memtally
from memtally.commands import Parser, choosing, fail, machine, output, progress
from memtally.commands.top import TITLES, full_rows, total
from memtally.reports import grid, table

LIMIT_PASSED = 3
"""Exit status where memory grew by more than --fail-above allows."""

HELP = "show what changed between two snapshots; fail where it grew too much"
DESCRIPTION = """\
Show what is new, grown, shrunk or gone between two snapshots, the largest change
first. The snapshots may be of two processes, or of two versions of a program.
"""
EPILOG = """\
examples:
  memtally diff before.snap after.snap
  memtally diff before.snap after.snap --by function --view peak
  memtally diff main.snap branch.snap --fail-above 5MB     in CI: exit status 3

exit status:
  0 fine   1 a file cannot be read   2 wrong command line   130 Ctrl-C
  3 memory grew by more than --fail-above, in all
"""

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
HEADINGS = ("change", "bytes", "blocks", "", *grid.WORD_HEADINGS)
KINDS = ("new", "grown", "shrunk", "gone")


def add_arguments(parser: Parser) -> None:
    parser.add_argument("old", metavar="OLD", help="the snapshot from before")
    parser.add_argument("new", metavar="NEW", help="the snapshot to compare with it")
    choosing.add_view(parser)
    choosing.add_key(parser)
    choosing.add_limit(parser)
    choosing.add_filters(parser)
    parser.add_argument(
        "--fail-above",
        type=_size,
        metavar="SIZE",
        help="exit status 3 if NEW holds more than SIZE bytes more than OLD, all in all: 5MB (5,000,000), "
        "5MiB (5,242,880), 800kB, 4096",
    )
    choosing.add_machine_formats(parser)


def execute(options: argparse.Namespace) -> int:
    choosing.check_key("diff", options)
    old = choosing.chosen(options.old, options)
    options.view = options.view or old.view_name  # the same one of both
    new = choosing.chosen(options.new, options)
    with progress.saying("comparing"):
        count, changes = new._changed(old, choosing.KEYS[options.by], options.cumulative, options.limit)
        before, after = total(old), total(new)
    if options.json:
        output.show(_json(options, before, after, count, changes))
    elif options.csv:
        head = ("change", "size_diff", "count_diff", "size", "count", *machine.key_names(options.by))
        machine.show_csv(
            head, ((*_figures(c).values(), *machine.key_cells(c.traceback, options.by)) for c in changes)
        )
    else:
        output.show(_table(options, before, after, count, changes))
    growth = after[0] - before[0]
    if options.fail_above is not None and growth > options.fail_above:
        more = f"{table.size_text(growth)} ({growth:,} bytes)"
        fail(f"diff: memory grew by {more}, more than {options.fail_above:,} bytes", LIMIT_PASSED)
    return 0


def kind(change: memtally.StatisticDiff) -> str:
    """One of KINDS."""
    if change.size == change.size_diff and change.count == change.count_diff:
        return "new"
    if change.size == 0 and change.count == 0:
        return "gone"
    return "grown" if (change.size_diff, change.count_diff) > (0, 0) else "shrunk"


def _figures(change: memtally.StatisticDiff) -> dict[str, Any]:
    return {
        "change": kind(change),
        "size_diff": change.size_diff,
        "count_diff": change.count_diff,
        "size": change.size,
        "count": change.count,
    }


def _json(
    options: argparse.Namespace,
    before: tuple[int, int],
    after: tuple[int, int],
    count: int,
    changes: Sequence[memtally.StatisticDiff],
) -> str:
    report: dict[str, Any] = {"old": options.old, "new": options.new, "view": options.view, "by": options.by}
    report["cumulative"] = options.cumulative
    report["old_size"], report["old_count"] = before
    report["new_size"], report["new_count"] = after
    report["rows"] = [
        {**_figures(change), **machine.key_fields(change.traceback, options.by)} for change in changes
    ]
    report["more_rows"] = count - len(changes)
    return machine.json_text(report)


def _table(
    options: argparse.Namespace,
    before: tuple[int, int],
    after: tuple[int, int],
    count: int,
    changes: Sequence[memtally.StatisticDiff],
) -> str:
    growth, blocks = after[0] - before[0], after[1] - before[1]
    sizes = f"from {table.size_text(before[0])} to {table.size_text(after[0])}"
    title = f"{TITLES[options.view]}: {sizes}, {signed_size(growth)} in {blocks:+,} blocks"
    cells: list[tuple[str, ...]] = [HEADINGS]
    sources: dict[str, list[bytes]] = {}
    for change in changes:
        figures = signed_size(change.size_diff), table.size_text(change.size), f"{change.count_diff:+,}"
        cells += full_rows((*figures, kind(change)), change.traceback, options.by, sources)
    rest = count - len(changes)
    if rest:
        cells.append(("", "", "", "", f"({table.plural(rest, f'other {options.by}')})", "", ""))
    return output.titled(title, cells)


def signed_size(size: int) -> str:
    """A change of SIZE bytes for people: "+1.5 KiB", "-12 B", "0 B"."""
    return f"{'+' * (size > 0)}{'-' * (size < 0)}{table.size_text(abs(size))}"


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kKMG]?|[KMG]i)B?", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: try 5MB, 5MiB, 800kB or a number of bytes")
    number, unit = match.groups()
    whole, _, part = number.partition(".")
    factor = UNITS["K" if unit == "k" else unit]
    return int(whole + part) * factor // int(f"1{'0' * len(part)}")
