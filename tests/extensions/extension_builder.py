"""Builds the small C extensions of this folder with the running interpreter's headers.

`load(NAME)` compiles NAME.c, and NAME_more.c if there is one, when its result is missing or older, and
imports it. Results are kept under build/test-extensions/, one folder per interpreter. `can_build()` says
why it cannot, or "".
"""

from __future__ import annotations

import glob
import importlib.machinery
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import types

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RESULTS = os.path.join(
    ROOT, "build", "test-extensions", f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
)
ADAPTERS = os.path.join(ROOT, "src", "cpython", "frames", "*.h")  # tests of frames include them
INCLUDE = os.path.join(ROOT, "include")
FLAGS = [
    "-std=gnu11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-parameter",
    "-DNDEBUG",  # CPython's internal headers assert
    "-shared",
    "-fPIC",
    "-pthread",
]


def compiler() -> list[str]:
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def can_build() -> str:
    """The reason why extensions cannot be built here; "" when they can."""
    if shutil.which(compiler()[0]) is None:
        return f"no C compiler ({compiler()[0]}; Debian: build-essential)"
    if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
        return "no Python.h (Debian: python3-dev)"
    return ""


def build(name: str, *options: str) -> str:
    """The path of the built extension, compiled when its source is newer; `options` are for the compiler."""
    sources = glob.glob(os.path.join(HERE, name + ".c")) + glob.glob(os.path.join(HERE, name + "_more.c"))
    folder = os.path.join(RESULTS, "".join(options).replace(os.sep, "_"))
    target = os.path.join(folder, name + importlib.machinery.EXTENSION_SUFFIXES[0])
    newest = max(map(os.path.getmtime, [*sources, *glob.glob(ADAPTERS), *glob.glob(INCLUDE + "/*.h")]))
    if os.path.exists(target) and os.path.getmtime(target) >= newest:
        return target
    os.makedirs(folder, exist_ok=True)
    fresh = f"{target}.{os.getpid()}"
    include = sysconfig.get_path("include")
    folders = [include, os.path.join(include, "internal"), os.path.join(include, "internal", "mimalloc")]
    headers = [word for folder in folders for word in ("-isystem", folder)]
    subprocess.run(
        [*compiler(), *FLAGS, f"-I{INCLUDE}", *headers, *sources, "-o", fresh, *options], check=True
    )
    os.replace(fresh, target)
    return target


def load(name: str, *options: str) -> types.ModuleType:
    """Build the extension when needed and import it."""
    spec = importlib.util.spec_from_file_location(name, build(name, *options))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
