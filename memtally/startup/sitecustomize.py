"""Stands in for memtally-startup.pth where that file is not installed; only `memtally run` uses it.

`memtally run` puts this folder into PYTHONPATH for the interpreter it starts, and that one does so for
children that take part in the run. This module undoes that first, so that the program sees the PYTHONPATH,
sys.path and sitecustomize that it would see anyway.
"""

import importlib
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _step_aside() -> None:
    """Leave sys.path, PYTHONPATH and the import system as if this folder had never been named."""
    _, _, rest = os.environ.get("PYTHONPATH", "").partition(os.pathsep)
    if rest:
        os.environ["PYTHONPATH"] = rest
    else:
        os.environ.pop("PYTHONPATH", None)
    sys.path.remove(_HERE)
    sys.path_importer_cache.pop(_HERE, None)
    sys.modules.pop("sitecustomize", None)


def _is_asked() -> bool:
    """Whether this interpreter is to be traced: the conditions of memtally-startup.pth for `memtally run`."""
    text = os.environ.get("MEMTALLY_RUN", "")
    asked = (
        "memtally-run" in sys._xoptions
        or text.startswith("follow,")
        or (text and any("from multiprocessing." in word for word in sys.orig_argv))
    )
    if not asked:
        os.environ.pop("MEMTALLY_RUN", None)
    return bool(asked)


def _import_startup() -> None:
    """Import memtally from where this folder lies, whether or not that place is on sys.path."""
    home = os.path.dirname(os.path.dirname(_HERE))
    sys.path.insert(0, home)
    try:
        startup = importlib.import_module("memtally._startup")
        joined = startup.begin()
        if joined:
            rest = os.environ.get("PYTHONPATH", "")
            path = _HERE + os.pathsep + rest if rest else _HERE
            startup.hand_down("PYTHONPATH", path, rest, visible=joined.follow)
    except ImportError as error:
        if error.name and sys.stderr:  # no name: a sub-interpreter, where memtally is not to be imported
            print("memtally: not tracing:", error, file=sys.stderr)
    finally:
        sys.path.remove(home)


_step_aside()
if _is_asked():
    _import_startup()
importlib.import_module("sitecustomize")  # the user's own; where there is none, site expects this very error
