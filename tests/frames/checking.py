"""Compares the frame adapter's walk with sys._getframe, frame by frame. Imported by the tests of this folder.

They also run it: checking.py SCRIPT runs a script and compares at every call and return that it sees.
"""

from __future__ import annotations

import os
import sys
import threading
import types
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import can_build, load

CANNOT = can_build()
frame_walk: Any = None if CANNOT else load("frame_walk")

EVERY, SOME = 3000, 257
"""The first so many events are all looked at; of those that come later, one in so many."""

looked_at = 0


def check() -> None:
    """Both must see the caller and all below it: the same code objects at the same instructions."""
    global looked_at
    seen = frame_walk.walk()
    frame: types.FrameType | None = sys._getframe()
    expected = []
    while frame is not None:
        expected.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    assert seen[0][0] is expected[0][0]  # this very function, which has gone on since
    if seen[1:] != expected[1:]:
        difference = next(
            (i for i, pair in enumerate(zip(seen, expected)) if i and pair[0] != pair[1]), "the number"
        )
        raise AssertionError(f"at {difference}: the adapter sees {seen}, sys._getframe {expected}")
    looked_at += 1


events = 0
failures: list[BaseException] = []


def on_event(*unused: object) -> None:
    global events
    events += 1
    if events > EVERY and events % SOME:
        return
    try:
        check()
    except BaseException as failure:
        failures.append(failure)


def main() -> None:
    path = sys.argv[1]
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    del sys.argv[0]
    sys.path[0] = os.path.dirname(path)
    this_file, module = sys.modules["__main__"], types.ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    threading.setprofile(on_event)
    sys.setprofile(on_event)
    try:
        exec(code, module.__dict__)
    except SystemExit:
        pass
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    assert this_file is not module  # and alive: its globals are in use
    assert not failures, f"{len(failures)} of {looked_at}: {failures[0]}"
    assert looked_at > 20, looked_at
    print("looked at", looked_at)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # some of CPython's versions hang in their last collection after some of these programs
