"""Builds native_pairs.c for the running interpreter."""

import importlib.machinery
import os
import pathlib
import shlex
import subprocess
import sys
import sysconfig

HERE = pathlib.Path(__file__).resolve().parent
FLAGS = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]


def build() -> pathlib.Path:
    """The folder in which native_pairs can be imported; compiled when its source is newer."""
    folder = HERE.parent / "build" / "benchmarks" / f"{sys.implementation.cache_tag}{sys.abiflags}"
    source = HERE / "native_pairs.c"
    target = folder / ("native_pairs" + importlib.machinery.EXTENSION_SUFFIXES[0])
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(f".{os.getpid()}")
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run([*compiler, *FLAGS, "-I" + sysconfig.get_path("include"), source, "-o", fresh], check=True)
    fresh.replace(target)
    return folder
