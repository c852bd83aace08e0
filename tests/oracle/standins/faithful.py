"""A stand-in for memtally that is the standard tracer itself: the oracle must find no difference.

The faulty stand-ins of `faults.py` change what this one answers.
"""

from __future__ import annotations

import _tracemalloc
from _tracemalloc import (  # noqa: F401
    _get_object_traceback,  # type: ignore[attr-defined]
    clear_traces,
    get_traced_memory,
    start,
    stop,
)

take_snapshot = _tracemalloc._get_traces  # type: ignore[attr-defined]
oracle_views = ("live",)
