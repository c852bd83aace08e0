"""A stand-in with one seeded fault, named by the environment variable ORACLE_FAULT."""

from __future__ import annotations

import os
import sys
from typing import Any

from faithful import *  # noqa: F403
from faithful import _get_object_traceback as _faithful_object_traceback
from faithful import clear_traces, get_traced_memory, oracle_views, start, stop, take_snapshot  # noqa: F401

FAULT = os.environ["ORACLE_FAULT"]
MARK = 54321  # the size that the self-test's program allocates once
FREE_LISTED = sys.getsizeof(()) + 8 * 17  # a tuple of 17: the self-test's program keeps one


def oracle_rows(rows: list[Any]) -> list[Any]:
    return [changed for row in rows for changed in fault(row)]


def fault(row: Any) -> list[Any]:
    domain, size, frames, total = row
    if FAULT.startswith("free-listed ") and size == FREE_LISTED and frames[0][0].endswith("program.py"):
        return [(domain, size, (("elsewhere.py", 1), *frames[1:]), total)] if FAULT.endswith("line") else []
    if size != MARK:
        return [row]
    (file, line), *rest = frames
    return {
        "line": [(domain, size, ((file, line + 1), *rest), total)],
        "file": [(domain, size, ((file + "x", line), *rest), total)],
        "deep-line": [(domain, size, (*frames[:-1], (frames[-1][0], frames[-1][1] + 1)), total)],
        "missing": [],
        "twice": [row, row],
        "size": [(domain, size + 8, frames, total)],
        "domain": [(domain + 1, size, frames, total)],
        "total": [(domain, size, frames, total + 1)],
        "short": [(domain, size, frames[:-1] or (("<unknown>", 0),), total)],
    }.get(FAULT, [row])


def _get_object_traceback(thing: Any) -> Any:
    frames = _faithful_object_traceback(thing)
    if FAULT == "object" and type(thing) is bytes and len(thing) == MARK - 33:
        return (("elsewhere.py", 1),)
    return frames


if FAULT == "count":
    real_memory = get_traced_memory

    def get_traced_memory() -> tuple[int, int]:
        live, peak = real_memory()
        return live + 8, peak


if FAULT == "peak":
    real_memory = get_traced_memory

    class _Peak:
        """Answers once with a wrong peak, the way the oracle asks for it."""

        asked = 0

    def get_traced_memory() -> tuple[int, int]:
        _Peak.asked += 1
        live, peak = real_memory()
        return live, peak + (8 if _Peak.asked == 1 else 0)
