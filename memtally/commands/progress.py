"""What takes longer than a second says so: one line on the terminal, which goes when it is done.

Only where stderr is a terminal. A thread writes it, because C code that gives up the GIL does the work; it
belongs to the command that calls `saying` from its main thread.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

QUIET = 1.0
"""Seconds before anything is said."""
STEP = 0.25
"""Seconds between two times that it is said anew."""


@contextlib.contextmanager
def saying(what: str) -> Iterator[None]:
    """While the block runs for more than QUIET seconds, say WHAT it does and for how long already."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_say, args=(what, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _say(what: str, done: threading.Event) -> None:
    start = time.monotonic()
    if done.wait(QUIET):
        return
    text = "".join(c if c.isprintable() else "?" for c in what)[:60]
    while True:
        sys.stderr.write(f"\r\x1b[Kmemtally: {text} ... {time.monotonic() - start:.0f} s")
        sys.stderr.flush()
        if done.wait(STEP):
            break
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()
