"""The options by which commands choose what of a snapshot to show, and the snapshot that they choose.

A snapshot's files are named on the command line; views, filters and keys mean the same in every command.
"""

import argparse
from typing import Literal, get_args

import memtally
from memtally.commands import USAGE_ERROR, Parser, fail, files, progress

Key = Literal["lineno", "function", "filename", "traceback", "domain", "process"]
KEYS: dict[str, Key] = {
    "line": "lineno",
    "function": "function",
    "file": "filename",
    "traceback": "traceback",
    "domain": "domain",
    "process": "process",
}
"""What users say for what Snapshot.statistics() calls otherwise."""
CUMULATIVE = ("line", "function", "file")
"""The keys by which a block can count for each of its callers."""
LIMIT = 10
"""Rows that are shown unless told otherwise."""


def add_view(parser: Parser) -> None:
    parser.add_argument(
        "--view",
        choices=get_args(files.View),
        help="live: what is allocated; peak: what held the memory at its highest; total: all that was ever "
        "allocated (default: the view that the file is of, mostly live)",
    )


def add_filters(parser: Parser) -> None:
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only what files allocated whose name matches, whole or from a / on: 'app/*.py', '*/json/*'; "
        "can be given again for more",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave out what these files allocated",
    )


def add_key(parser: Parser) -> None:
    parser.add_argument("--by", choices=KEYS, default="line", help="what to add up by (default: %(default)s)")
    parser.add_argument(
        "--cumulative",
        action="store_true",
        help="count a block for all callers on its traceback, not only for the line that allocated it",
    )


def add_limit(parser: Parser) -> None:
    parser.add_argument(
        "--limit",
        type=_number,
        default=LIMIT,
        metavar="N",
        help="rows to show, the largest first; 0 for all (default: %(default)s)",
    )


def add_machine_formats(parser: Parser) -> None:
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--json", action="store_true", help="print JSON: bytes as numbers, names in full")
    formats.add_argument("--csv", action="store_true", help="print comma-separated values, with a head line")


def check_key(command: str, options: argparse.Namespace) -> None:
    """Leave where --cumulative does not go with --by."""
    if options.cumulative and options.by not in CUMULATIVE:
        fail(
            f"{command}: --cumulative goes with --by {', '.join(CUMULATIVE)}, not with --by {options.by}",
            USAGE_ERROR,
        )


def chosen(
    name: str, options: argparse.Namespace, opened: memtally.Snapshot | None = None
) -> memtally.Snapshot:
    """The part of the snapshot in the file NAME that --view, --filter and --exclude choose; or leave.

    OPENED is the snapshot, where it is open already.
    """
    with progress.saying(f"reading {name}"):
        return filtered(files.load(name, options.view, opened), options)


def filtered(snapshot: memtally.Snapshot, options: argparse.Namespace) -> memtally.Snapshot:
    """What --filter and --exclude let through."""
    filters = [
        memtally.Filter(inclusive, pattern)
        for inclusive, patterns in ((True, options.filter), (False, options.exclude))
        for given in patterns
        for pattern in _patterns(given)
    ]
    return snapshot.filter_traces(filters) if filters else snapshot


def _patterns(given: str) -> tuple[str, ...]:
    """GIVEN, and where it is no whole name: any folder before it."""
    return (given,) if given.startswith(("/", "*", "<")) else (given, f"*/{given}")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows")
    return int(text)
