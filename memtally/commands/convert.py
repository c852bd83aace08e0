"""`memtally convert`: a snapshot in the format of another tool, on stdout or in a file.

C code writes the bulk of every format (src/core/export.h); what comes around it is here. Of pprof's protobuf
that is one number.
"""

import argparse
import contextlib
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import BinaryIO

import memtally
from memtally.commands import USAGE_ERROR, Parser, choosing, fail, files, output, progress

HELP = "write a snapshot in the format of another tool"
DESCRIPTION = """\
Write a snapshot in the format of another tool, to stdout or to a file:

  tracemalloc  for tracemalloc.Snapshot.load() of the standard module
  json         every trace, with its frames as numbers in a list of frames
  csv          every trace in a line, for spreadsheets and data frames
  collapsed    "main (a.py:1);load (a.py:7) 4096", for flamegraph.pl and others
  speedscope   for https://www.speedscope.app
  pprof        for go tool pprof
"""
EPILOG = """\
examples:
  memtally convert a.snap --to speedscope -o a.speedscope.json
  memtally convert a.snap --to pprof --view peak -o a.pb.gz && go tool pprof -top a.pb.gz
  memtally convert a.snap --to collapsed | flamegraph.pl > a.svg

exit status:
  0 fine   1 the file cannot be read, or the result not be written
  2 wrong command line   130 Ctrl-C
"""

BINARY = ("pprof", "tracemalloc")
"""Formats that do a terminal no good."""
MOST_BLOCKS = 2**31 - 1
"""Blocks of a pickle, each of which is an object in whatever loads it."""
TIME_NANOS = 9
"""The field of a Profile in pprof's profile.proto."""


def add_arguments(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a snapshot, of memtally or of the standard module")
    parser.add_argument("--to", choices=FORMATS, required=True, metavar="FORMAT", help="one of those above")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it (default: stdout)")
    choosing.add_view(parser)
    choosing.add_filters(parser)


def execute(options: argparse.Namespace) -> int:
    if options.output is None and options.to in BINARY and sys.stdout and sys.stdout.isatty():
        fail(f"convert: {options.to} is not for a terminal: name a file with -o", USAGE_ERROR)
    snapshot = choosing.chosen(options.file, options)
    if options.output is not None and _same(options.file, options.output):
        fail(f"convert: {options.output} is the snapshot itself: name another file with -o", USAGE_ERROR)
    if options.to == "tracemalloc" and _blocks(snapshot) > MOST_BLOCKS:
        fail(f"convert: more than {MOST_BLOCKS:,} blocks are too many for one pickle", files.FILE_ERROR)
    with progress.saying(f"writing {options.output or options.to}"), _opened(options.output) as stream:
        FORMATS[options.to](snapshot, stream, os.path.basename(options.file))
    return 0


def _same(a: str, b: str) -> bool:
    return os.path.exists(b) and os.path.samefile(a, b)


def _blocks(snapshot: memtally.Snapshot) -> int:
    try:
        return len(snapshot.traces)
    except OverflowError:
        return sys.maxsize


def _opened(name: str | None) -> contextlib.AbstractContextManager[BinaryIO]:
    return output.binary() if name is None else files.written(name)


def _as_it_is(format: str) -> Callable[[memtally.Snapshot, BinaryIO, str], None]:
    return lambda snapshot, stream, _name: snapshot._export(stream, format)


def _json(snapshot: memtally.Snapshot, stream: BinaryIO, _name: str) -> None:
    facts: dict[str, object] = {
        "view": snapshot.view_name,
        "traceback_limit": snapshot.traceback_limit,
        "metadata": dict(snapshot.metadata),
    }
    _in_object(snapshot, stream, "json", facts)


def _speedscope(snapshot: memtally.Snapshot, stream: BinaryIO, name: str) -> None:
    facts: dict[str, object] = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "exporter": f"memtally {memtally.__version__}",
        "activeProfileIndex": 0,
    }
    _in_object(snapshot, stream, "speedscope", facts)


def _in_object(snapshot: memtally.Snapshot, stream: BinaryIO, format: str, facts: dict[str, object]) -> None:
    """A JSON object: FACTS, and the members that C writes."""
    stream.write(json.dumps(facts)[:-1].encode("ascii") + b",\n")
    snapshot._export(stream, format)
    stream.write(b"}\n")


def _pprof(snapshot: memtally.Snapshot, stream: BinaryIO, _name: str) -> None:
    with gzip.GzipFile("", "wb", 1, stream, 0) as packed:  # no name and no time: equal snapshots, equal files
        packed.write(bytes(_field(TIME_NANOS, _nanoseconds(snapshot))))
        snapshot._export(packed, "pprof")


def _nanoseconds(snapshot: memtally.Snapshot) -> int:
    """When the snapshot was taken, since 1970; 0 where it does not know."""
    try:
        taken = datetime.fromisoformat(str(snapshot.metadata["time"]))
        return max(0, int(taken.timestamp() * 1_000_000)) * 1000
    except (KeyError, ValueError, OverflowError):
        return 0


def _field(number: int, value: int) -> Iterator[int]:
    """The bytes of a protobuf field that holds a whole number: key and value, seven bits a byte."""
    for part in (number << 3, value):
        while part > 0x7F:
            yield part & 0x7F | 0x80
            part >>= 7
        yield part


FORMATS: dict[str, Callable[[memtally.Snapshot, BinaryIO, str], None]] = {
    "tracemalloc": _as_it_is("tracemalloc"),
    "json": _json,
    "csv": _as_it_is("csv"),
    "collapsed": _as_it_is("collapsed"),
    "speedscope": _speedscope,
    "pprof": _pprof,
}
