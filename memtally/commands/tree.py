"""`memtally tree`: who calls what allocates, as an indented tree, cut where it holds too little to matter."""

import argparse
import itertools
from collections.abc import Iterator

import memtally
from memtally.commands import Parser, choosing, output, progress
from memtally.commands.top import TITLES
from memtally.reports import grid, table

HELP = "show the calls that lead to memory, as a tree"
DESCRIPTION = """\
Show the call tree: what each call holds with all that it calls, the largest
first. Calls that hold less than a share of everything are left out.
"""
EPILOG = """\
examples:
  memtally tree a.snap                calls that hold 1 % of the memory or more
  memtally tree a.snap --view peak --cut 5
  memtally tree a.snap --filter 'app/*'     only what app's files allocated

exit status:
  0 fine   1 the file cannot be read   2 wrong command line   130 Ctrl-C
"""

CUT = 1.0
"""Percent of all bytes that a call must hold to be shown, unless told otherwise."""
DEEPEST = 30
"""Levels that are indented, where there is room; below, a number says how deep a call is."""
NUMBERS, NAME = 36, 18
"""Columns of a terminal that the numbers take, and that are to be left for a call's name."""
AT_ONCE = 1000
"""Lines that are printed at a time, where there is no limit to them."""
HEADINGS = ("bytes", "share", "own", "blocks", "call", "place", "")


def add_arguments(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a snapshot, of memtally or of the standard module")
    choosing.add_view(parser)
    parser.add_argument(
        "--cut",
        type=_percent,
        default=CUT,
        metavar="PERCENT",
        help="leave out calls that hold less than this share of all bytes; 0 shows all (default: 1)",
    )
    choosing.add_filters(parser)


def execute(options: argparse.Namespace) -> int:
    snapshot = choosing.chosen(options.file, options)
    with progress.saying("building the tree"):
        root = snapshot.tree()
    style = output.style()
    title = (
        f"{TITLES[snapshot.view_name]}: {table.size_text(root.size)} in {table.plural(root.count, 'block')}"
    )
    output.show(style.paint(grid.BOLD, title) + "\n")
    rows = _rows(root, options.cut / 100 * root.size, _deepest(style))
    heads = 0  # lines that the first part has and the others have not
    while part := list(itertools.islice(rows, AT_ONCE)):
        lines = list(grid.align([HEADINGS, *part], style, indented=True))
        output.show("".join(f"{line}\n" for line in lines[heads:]))
        heads = 1
    return 0


def _rows(root: memtally.Branch, least: float, deepest: int) -> Iterator[tuple[str, ...]]:
    """The calls that hold LEAST bytes, each below its caller; what was left out of a caller is added up."""
    waiting = [(iter(root), root, 0)]
    while waiting:
        calls, caller, shown = waiting.pop()
        depth = len(waiting)
        call = next(calls, None)
        if call is not None and call.size >= least:
            waiting.append((calls, caller, shown + 1))
            yield _row(call, _indent(depth, deepest), root.size)
            waiting.append((iter(call), call, 0))
        elif call is not None:
            yield from _left_out(caller, shown, _indent(depth, deepest), least, root.size)


def _left_out(
    caller: memtally.Branch, shown: int, indent: str, least: float, whole: int
) -> Iterator[tuple[str, ...]]:
    """A row for what CALLER calls beyond the first SHOWN, where it is as much as what is shown."""
    size = caller.size - caller.own_size - sum(caller[i].size for i in range(shown))
    count = caller.count - caller.own_count - sum(caller[i].count for i in range(shown))
    if size >= least:
        words = f"({table.plural(len(caller) - shown, 'smaller call')})"
        share = f"{size / (whole or 1):.1%}"
        yield table.size_text(size), share, "", f"{count:,}", indent + words, "", ""


def _row(call: memtally.Branch, indent: str, whole: int) -> tuple[str, ...]:
    frame = call.frame
    assert frame is not None  # only the root has none
    name = indent + grid.printable(frame.function or "?")
    own = table.size_text(call.own_size) if call.own_size else ""
    share = f"{call.size / (whole or 1):.1%}"
    return (
        table.size_text(call.size),
        share,
        own,
        f"{call.count:,}",
        name,
        grid.printable(table.place(frame)),
        "",
    )


def _deepest(style: grid.Style) -> int:
    """Levels to indent, so that names of deeper calls can still be read in the three fifths that they get."""
    if style.width is None:
        return DEEPEST
    room = style.width - NUMBERS if style.width - NUMBERS >= grid.ROOM else style.width
    return min(DEEPEST, max(2, (room * 3 // 5 - NAME) // 2))


def _indent(depth: int, deepest: int) -> str:
    return "  " * depth if depth <= deepest else "  " * deepest + f"({depth}) "


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = -1
    if not 0 <= percent <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share in percent, 0 to 100")
    return percent
