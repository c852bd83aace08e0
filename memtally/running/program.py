"""What the program of a run holds, without what memtally's own Python code holds beside it.

Needs the GIL, any thread.
"""

import os
import sys

import memtally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_OWN = ("running/process.py", "running/program.py", "running/files.py", "running/ticker.py")
"""What runs while the program is traced, and never calls it: all that is allocated below is memtally's."""


class Holdings:
    """What was held when tracing ended."""

    def __init__(self, live: "memtally.Snapshot", peak: "memtally.Snapshot", lost: int) -> None:
        self.live = live
        """Has all three views."""
        self.peak = peak
        self.lost = lost
        """How many allocations are missing, because there was no memory to trace them."""


def snapshot() -> "memtally.Snapshot":
    """A snapshot of all three views, without memtally's own blocks."""
    return memtally.take_snapshot().filter_traces(_own_filters())


def stop_tracing() -> Holdings | None:
    """What was held at the peak and now; None if tracing is off already."""
    if not memtally.is_tracing():
        return None
    try:
        live = snapshot()
        return Holdings(live, live.view("peak"), int(memtally.capabilities().get("lost_traces", 0)))
    finally:
        memtally.stop()


def main_loader() -> object:
    return getattr(sys.modules.get("__main__"), "__loader__", None)


def began(unstarted: object) -> bool:
    """Whether python got as far as the program's first line; if not, its error message says it all.

    UNSTARTED is the loader of `__main__` before python finds the program's file, or None if it needs none.
    """
    if getattr(sys, "last_type", None) is not None and sys.last_traceback is None:
        return False  # it could not be compiled: an uncaught exception that went through no frame
    return unstarted is None or main_loader() is not unstarted


def _own_filters() -> "Sequence[memtally.Filter]":
    folder = os.path.dirname(memtally.__file__)
    filters = [memtally.Filter(False, os.path.join(folder, name), all_frames=True) for name in _OWN]
    for each in filters:
        each._exact = True  # or they would import fnmatch, re and more into the program
    return filters
