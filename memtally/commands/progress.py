"""What a command is at, once it has taken a second: one line on the terminal, which goes when that is done.

Only where stderr is a terminal. A thread writes it, because C code that gives up the GIL does the work; it
belongs to the command that calls `saying` from its main thread.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

QUIET = 1.0
"""Seconds of a command before anything is said: of all of it, so many short steps do not keep it quiet."""
STEP = 0.25
"""Seconds between two times that it is said anew."""

_began = time.monotonic()
_doing: list[str] = []
"""What is being done, and in the course of that, and so on."""


@contextlib.contextmanager
def saying(what: str) -> Iterator[None]:
    """While the block runs, and the command has for QUIET seconds, say WHAT it does and since when."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    _doing.append("".join(c if c.isprintable() else "?" for c in what)[:60])
    try:
        with _speaker() if len(_doing) == 1 else contextlib.nullcontext():
            yield
    finally:
        _doing.pop()


@contextlib.contextmanager
def _speaker() -> Iterator[None]:
    done = threading.Event()
    thread = threading.Thread(target=_say, args=(done,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _say(done: threading.Event) -> None:
    if done.wait(max(QUIET - (time.monotonic() - _began), 0)):
        return
    while True:
        sys.stderr.write(f"\r\x1b[Kmemtally: {_doing[-1]} ... {time.monotonic() - _began:.0f} s")
        sys.stderr.flush()
        if done.wait(STEP):
            break
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()
