"""Refuses interpreters that memtally does not know, in one sentence, before its extension is looked for.

The extension reads CPython's own structures in place, and every minor version lays them out anew: what it
does not know, it must not touch.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 15)


def refusal() -> str:
    """Why memtally cannot be used here; "" where it can."""
    known = "memtally knows CPython {}.{} to {}.{}".format(*OLDEST, *NEWEST)
    version = "{}.{}".format(*sys.version_info)
    if sys.implementation.name != "cpython":
        return f"{known}, and this is {sys.implementation.name} {version}"
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return f"{known}, and this is CPython {version}"
    if "t" in getattr(sys, "abiflags", ""):
        return f"{known} with the GIL, and this is a free-threaded build of CPython {version}"
    return ""


_refusal = refusal()
if _refusal:
    raise ImportError(_refusal, name="memtally")
