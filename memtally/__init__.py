"""Trace memory allocations: the standard module tracemalloc, rebuilt in C so that it is cheap enough to leave on.

``import memtally as tracemalloc`` is the whole change a program needs. Beyond the standard module there are
``Frame.function``, the key type ``'function'``, the views of ``take_snapshot(view=...)`` and ``capabilities()``.
"""

from memtally._core import (
    BaseFilter,
    DomainFilter,
    Filter,
    Frame,
    Snapshot,
    Statistic,
    StatisticDiff,
    Trace,
    Traceback,
    _format_size,
    _get_object_traceback,
    _get_traces,
    _normalize_filename,
    _Traces,
    capabilities,
    clear_traces,
    get_object_traceback,
    get_traceback_limit,
    get_traced_memory,
    get_tracemalloc_memory,
    is_tracing,
    reset_peak,
    start,
    stop,
    take_snapshot,
)

__version__ = "0.1.0"

__all__ = [
    "BaseFilter",
    "DomainFilter",
    "Filter",
    "Frame",
    "Snapshot",
    "Statistic",
    "StatisticDiff",
    "Trace",
    "Traceback",
    "capabilities",
    "clear_traces",
    "get_object_traceback",
    "get_traceback_limit",
    "get_traced_memory",
    "get_tracemalloc_memory",
    "is_tracing",
    "reset_peak",
    "start",
    "stop",
    "take_snapshot",
]


def __getattr__(name: str) -> object:
    """Modules that programs patch through the standard module: memtally uses them, but loads them when needed."""
    if name in ("fnmatch", "linecache"):
        return __import__(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
