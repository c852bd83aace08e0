"""Stands in for memtally-startup.pth where that file is not installed; only `memtally run` uses it.

`memtally run` puts this folder into PYTHONPATH for the one interpreter it starts. This module undoes that
first, so that the program and its children see the PYTHONPATH, sys.path and sitecustomize that they would
see anyway.
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


def _import_startup() -> None:
    """Import memtally from where this folder lies, whether or not that place is on sys.path."""
    home = os.path.dirname(os.path.dirname(_HERE))
    sys.path.insert(0, home)
    try:
        importlib.import_module("memtally._startup")
    except ImportError as error:
        if error.name and sys.stderr:  # no name: a sub-interpreter, where memtally is not to be imported
            print("memtally: not tracing:", error, file=sys.stderr)
    finally:
        sys.path.remove(home)


_step_aside()
_import_startup()
importlib.import_module("sitecustomize")  # the user's own; where there is none, site expects this very error
