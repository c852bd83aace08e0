"""Trace memory allocations: the standard module tracemalloc rebuilt in C, cheap enough to leave on.

``import memtally as tracemalloc`` is the whole change a program needs. Beyond the standard module there are
``Frame.function``, ``Filter(function=...)``, the key types ``'function'``, ``'domain'`` and ``'process'``,
``take_snapshot(view=...)``, ``Snapshot.view()`` and
``.metadata``, ``Snapshot.tree()``, ``Snapshot.merge()``, differences of snapshots,
``measure()``, ``capabilities()`` and ``replace_tracemalloc()``.
"""

from memtally import _interpreter as _interpreter  # first: it may refuse
from memtally._core import _format_size as _format_size
from memtally._core import _get_object_traceback as _get_object_traceback
from memtally._core import _get_traces as _get_traces
from memtally._core import _normalize_filename as _normalize_filename
from memtally._core import (
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from memtally._core import (
        BaseFilter,
        Branch,
        DomainFilter,
        Filter,
        Frame,
        Snapshot,
        Statistic,
        StatisticDiff,
        Trace,
        Traceback,
        measure,
    )
    from memtally._core import _Traces as _Traces
    from memtally._include import get_include
    from memtally._standin import Replacement, replace_tracemalloc, restore_tracemalloc

__version__ = "0.1.0"

__all__ = [
    "BaseFilter",
    "Branch",
    "DomainFilter",
    "Filter",
    "Frame",
    "Replacement",
    "Snapshot",
    "Statistic",
    "StatisticDiff",
    "Trace",
    "Traceback",
    "capabilities",
    "clear_traces",
    "get_include",
    "get_object_traceback",
    "get_traceback_limit",
    "get_traced_memory",
    "get_tracemalloc_memory",
    "is_tracing",
    "measure",
    "replace_tracemalloc",
    "reset_peak",
    "restore_tracemalloc",
    "start",
    "stop",
    "take_snapshot",
]

_ELSEWHERE = {
    "get_include": "_include",
    "Replacement": "_standin",
    "replace_tracemalloc": "_standin",
    "restore_tracemalloc": "_standin",
}
"""Where a name that comes late is; the others are in _core."""


def __getattr__(name: str) -> object:
    """What a program that is only traced never asks for comes with the first question for it.

    Also fnmatch and linecache, which programs patch through the standard module.
    """
    if name in ("fnmatch", "linecache"):
        return __import__(name)
    if name not in __all__ and name != "_Traces":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = __import__(f"{__name__}.{_ELSEWHERE.get(name, '_core')}", fromlist=[name])
    return globals().setdefault(name, getattr(home, name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
