"""What a command prints: text on stdout, whole, and a clear end where nobody reads it or nothing takes it.

For the main thread of a command, which owns stdout.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from memtally.commands.files import cannot
from memtally.reports import grid

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def style() -> grid.Style:
    """How to write a table on stdout."""
    return grid.style_of(sys.stdout) if sys.stdout else grid.Style()


def titled(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    """TITLE, and below it the table of ROWS, if there are others than the headings, which come first."""
    fitting = style()
    lines = grid.align(rows, fitting) if len(rows) > 1 else ()
    return "".join(f"{line}\n" for line in (fitting.paint(grid.BOLD, title), *lines))


def show(text: str) -> None:
    """Print TEXT; leave where stdout takes no more.

    BrokenPipeError is for `memtally.__main__`, which ends quietly.
    """
    if sys.stdout is None:
        return
    try:
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure:  # names of files can hold what the terminal's encoding has no place for
            reconfigure(errors="backslashreplace")
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        forget()
        cannot("write", "the output", error)


@contextlib.contextmanager
def binary() -> Iterator[BinaryIO]:
    """Stdout for bytes; leave where it takes no more. BrokenPipeError as in `show`."""
    try:
        if sys.stdout is None:
            with open(os.devnull, "wb") as nowhere:
                yield nowhere
        else:
            sys.stdout.flush()
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        forget()
        cannot("write", "the output", error)


def forget() -> None:
    """Keep python from writing at its exit what could not be written, or is not wanted any more."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def interrupted() -> int:
    """Say that Ctrl-C ended the command; its exit status."""
    forget()
    if sys.stderr:
        print("memtally: interrupted", file=sys.stderr)
    return INTERRUPTED
