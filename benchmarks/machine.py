"""What a measurement has to say about where it was made: versions and the kind of machine, no names."""

import importlib.metadata
import os
import platform
import sysconfig

PACKAGES = ("memtally", "memray", "pyperformance", "pyperf")


def version(package: str) -> str:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def field(path: str, key: str) -> str:
    """The value of the first `key : value` line of a file in /proc."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file if line.startswith(key)]
        return lines[0].split(":", 1)[1].strip()
    except (OSError, IndexError):
        return "unknown"


def describe() -> dict[str, str]:
    """Python and how it was built, packages, processor, memory, kernel."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    kinds = ["PGO" if "--enable-optimizations" in options else "no PGO"]
    kinds.append("shared libpython" if sysconfig.get_config_var("Py_ENABLE_SHARED") else "static libpython")
    memory = field("/proc/meminfo", "MemTotal").split()[0]
    return {
        "python": f"CPython {platform.python_version()} ({', '.join(kinds)}, {platform.python_compiler()})",
        **{package: version(package) for package in PACKAGES},
        "processor": f"{field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(memory) / 2**20:.0f} GiB" if memory.isdecimal() else "unknown",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}, {platform.machine()}",
    }
