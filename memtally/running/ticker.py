"""Calls a function again and again, in a thread of its own that a program can hardly notice.

The thread is none of the module threading, so the program does not find it there, and it ends before every
fork and is started anew on both sides after it: the child then has no thread that vanished in the middle of a
file, and python does not warn that a process with several threads forks. While the thread waits it needs
nothing, not even the GIL; to tick it takes the GIL as any thread does. A program that never gives it up is
not ticked.
"""

import os
from _thread import (  # as they are before a program patches
    LockType,
    allocate_lock,
    get_native_id,
    start_new_thread,
)
from time import monotonic, sleep, thread_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

REST = 50
"""A tick waits at least so many times the processor time of the one before: they take 2 % at most."""

_LONGEST_END = 1.0
"""Seconds to wait for the system to forget a thread that has ended."""


class Ticker:
    """Ticks every SECONDS from `start` on until `stop`; both are called by one thread at a time."""

    def __init__(self, seconds: float, tick: "Callable[[], object]") -> None:
        self._seconds = seconds
        self._tick = tick
        self._due = monotonic() + seconds
        self._thread = 0
        self._stopping = self._ended = allocate_lock()  # both held while the thread runs
        self._runs = False

    def start(self) -> None:
        """Tick from now on, at the times that were due before a stop. RuntimeError: no thread can be had.

        Where it ticks already, it goes on.
        """
        if self._runs:
            return
        self._stopping, self._ended = allocate_lock(), allocate_lock()
        self._stopping.acquire()
        self._ended.acquire()
        self._thread = 0
        start_new_thread(self._run, (self._stopping, self._ended))
        self._runs = True

    def postpone(self) -> None:
        """Let all the time pass again before the next tick; for a forked child, before its start."""
        self._due = monotonic() + self._seconds

    def stop(self) -> None:
        """Return when the thread has gone; a tick that is under way is waited for.

        Ctrl-C interrupts it; then it may be called again.
        """
        if not self._runs:
            return
        if self._stopping.locked():  # else a stop that was interrupted has released it
            self._stopping.release()
        while self._ended.locked():
            sleep(0.0001)
        patience = monotonic() + _LONGEST_END
        while os.path.exists(f"/proc/self/task/{self._thread}") and monotonic() < patience:
            sleep(0.0001)
        self._runs = False

    def _run(self, stopping: LockType, ended: LockType) -> None:
        self._thread = get_native_id()
        try:
            while not stopping.acquire(timeout=max(self._due - monotonic(), 0)):
                began = thread_time()
                self._tick()
                rest = REST * (thread_time() - began)
                self._due = monotonic() + max(self._seconds, rest)
        finally:
            ended.release()
