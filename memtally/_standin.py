"""memtally in the place of the standard module: `import tracemalloc` gives memtally, to everybody.

Two entries of sys.modules change, `tracemalloc` and `_tracemalloc`; the standard modules are kept here until
they are put back. A module that imported the standard one before has a reference of its own, which is left
alone. C code that asks libpython for the traceback of a block (guppy3 does) is answered by memtally
whenever that traces: src/cpython/foreign.c.

With the GIL, in the main interpreter: each interpreter has its own sys.modules.
"""

import sys

import memtally
from memtally import _core

TYPE_CHECKING = False
if TYPE_CHECKING:  # `memtally run` imports this before the program, which is to find python's own sys.modules
    from types import ModuleType

_NAMES = ("tracemalloc", "_tracemalloc")
_standard: "dict[str, ModuleType | None]" = {}
"""What was there before, None where nothing was; empty while memtally does not stand in."""


class Replacement:
    """What replace_tracemalloc() returns: as a context manager, it puts things back where it changed them."""

    def __init__(self, changed: bool) -> None:
        self._changed = changed

    def __enter__(self) -> "Replacement":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._changed:
            restore_tracemalloc()


Replacement.__module__ = "memtally"


def replace_tracemalloc() -> Replacement:
    """From now on `import tracemalloc` gives memtally, in the standard library and in extensions too.

    Tracing is neither started nor stopped by this. Modules that have imported the standard one already keep
    it, so call this early; `memtally run --as-tracemalloc` does so before the program. While memtally stands
    in already, it changes nothing. restore_tracemalloc() undoes it, or the end of a block::

        with memtally.replace_tracemalloc():
            import tracemalloc  # memtally

    Call it in the main interpreter, from any thread.
    """
    changed = not _standard
    if changed:
        _standard.update({name: sys.modules.get(name) for name in _NAMES})
        _stand_in()
    return Replacement(changed)


def restore_tracemalloc() -> None:
    """Undo replace_tracemalloc(): `import tracemalloc` gives the standard module again.

    Does nothing where memtally does not stand in, and leaves alone what somebody else has put there since.
    """
    if _standard:
        _step_aside()
        _standard.clear()


def standard_module() -> "ModuleType":
    """The standard module tracemalloc, also while memtally stands in; imported where nobody has yet."""
    if not _standard:
        import tracemalloc

        return tracemalloc
    if not _standard["tracemalloc"]:
        _step_aside()
        try:
            import tracemalloc
        finally:
            _standard.update({name: sys.modules.get(name) for name in _NAMES})
            _stand_in()
    found = _standard["tracemalloc"]
    assert found
    return found


def _stand_in() -> None:
    sys.modules.update({"tracemalloc": memtally, "_tracemalloc": _core})


def _step_aside() -> None:
    for name, module in _standard.items():
        if sys.modules.get(name) not in (memtally, _core):
            continue
        if module:
            sys.modules[name] = module
        else:
            del sys.modules[name]
