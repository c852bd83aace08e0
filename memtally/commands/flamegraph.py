"""`memtally flamegraph`: a snapshot as a flame graph, one HTML file to look at and to pass on."""

import argparse
import os
import pathlib
import sys
import webbrowser

from memtally.commands import USAGE_ERROR, Parser, fail, files, progress

HELP = "draw a snapshot as a flame graph, in one HTML file"
DESCRIPTION = """\
Write one HTML file that shows who allocated what: live, at the peak, and in
total. It works from the disk, in any browser, and asks nobody for anything:
zoom, search, callers, colours, hidden modules, and a table of the same numbers.
"""
EPILOG = """\
examples:
  memtally run -o a.snap script.py
  memtally flamegraph a.snap --open            writes a.flamegraph.html
  memtally flamegraph b.snap --diff a.snap     what grew, what shrank since a
  memtally flamegraph a.snap --no-source -o for-others.html

exit status:
  0  the file was written
  1  a file cannot be read or written, or holds no snapshot
  2  the command line is wrong
  130  Ctrl-C; nothing is left of a file that was not complete
"""


def add_arguments(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="the snapshot")
    parser.add_argument("--diff", metavar="OLD", help="an older snapshot, to show what changed since")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT.html",
        help="the file to write (default: FILE's name with .flamegraph.html); what is there is replaced",
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    parser.add_argument(
        "--no-source",
        action="store_true",
        help="leave the lines of source files out; names of files and functions are always in it",
    )


def execute(options: argparse.Namespace) -> int:
    output = options.output or default_name(options.file)
    _refuse_inputs(output, options)
    with progress.saying(f"reading {options.file}"):
        snapshot = files.opened(options.file)
        old = files.opened(options.diff) if options.diff is not None else None
    try:
        with progress.saying("drawing"):  # which reads the views, when it needs them: large ones one by one
            snapshot.flamegraph(output, diff=old, source=not options.no_source)
    except OSError as error:
        if error.filename in inputs(options):
            files.cannot("read", error.filename, error)
        files.cannot("write", output, error)
    except ValueError as error:
        files.no_snapshot(error, *inputs(options))
    except MemoryError:
        fail(f"cannot write {output}: not enough memory", files.FILE_ERROR)
    print(output)
    if options.open:
        open_in_browser(output)
    return 0


def inputs(options: argparse.Namespace) -> list[str]:
    """The snapshots' files."""
    return [name for name in (options.file, options.diff) if name is not None]


def default_name(file: str) -> str:
    """FILE without its last suffix, and .flamegraph.html: a name that nothing else is likely to have."""
    return f"{os.path.splitext(file)[0]}.flamegraph.html"


def open_in_browser(path: str) -> None:
    """Show the file PATH; where there is no browser, say so: the file is there all the same."""
    if not webbrowser.open(pathlib.Path(path).resolve().as_uri()):
        print(f"memtally: no browser was found to open {path}", file=sys.stderr)


def _refuse_inputs(output: str, options: argparse.Namespace) -> None:
    """An output must not take the place of the snapshots it is made of."""
    for name in inputs(options):
        try:
            same = os.path.samefile(name, output)
        except OSError:
            continue
        if same:
            fail(f"flamegraph: {output} is the snapshot itself: name another file with -o", USAGE_ERROR)
