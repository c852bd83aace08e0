"""The tracers that are compared, by name, and how each is switched on.

off            no tracer
std:N          the standard module tracemalloc with N frames
memtally:N     memtally with N frames
memray         memray as it comes: calls of malloc and mmap, not the blocks of CPython's own allocator
memray:py      memray with --trace-python-allocators: every block, as the two above see them
memray:agg     the same with --aggregate
"""

import atexit
import os
import tempfile

MEMRAY_OPTIONS = {
    "": [],
    "py": ["--trace-python-allocators"],
    "agg": ["--trace-python-allocators", "--aggregate"],
}
DEFAULT = ["off", "memtally:1", "memtally:25", "memtally:65535", "std:1", "std:25", "memray", "memray:py"]


def parse(spec: str) -> tuple[str, str]:
    """Name and mode of a tracer; ValueError, with what is known, where there is no such tracer."""
    name, _, mode = spec.partition(":")
    known = {
        "off": not mode,
        "std": mode == "" or mode.isdecimal(),
        "memtally": mode == "" or mode.isdecimal(),
        "memray": mode in MEMRAY_OPTIONS,
    }
    if not known.get(name, False):
        raise ValueError(f"no tracer {spec!r}: off, std:N, memtally:N, memray, memray:py or memray:agg")
    return name, mode


def start(spec: str) -> None:
    """Starts a tracer in this process."""
    name, mode = parse(spec)
    if name == "std":
        import tracemalloc

        tracemalloc.start(int(mode or 1))
    elif name == "memtally":
        import memtally

        memtally.start(int(mode or 1))
    elif name == "memray":
        start_memray(mode)


def start_memray(mode: str) -> None:
    """memray writes its records to a file while it runs; the file goes when the process ends."""
    import memray

    folder = tempfile.TemporaryDirectory()
    tracker = memray.Tracker(
        os.path.join(folder.name, "records"),
        trace_python_allocators=mode != "",
        file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS
        if mode == "agg"
        else memray.FileFormat.ALL_ALLOCATIONS,
    )
    tracker.__enter__()

    def stop():
        tracker.__exit__(None, None, None)
        folder.cleanup()

    atexit.register(stop)


def command(spec: str, python: str, records: str) -> list[str]:
    """The beginning of a command that runs a program under a tracer from its first line.

    RECORDS is a file that memray may write.
    """
    name, mode = parse(spec)
    if name == "std":
        return [python, "-X", "tracemalloc=" + (mode or "1")]
    if name == "memtally":
        return [python, "-X", "memtally=" + (mode or "1")]
    if name == "memray":
        return [python, "-m", "memray", "run", "--quiet", "--force", *MEMRAY_OPTIONS[mode], "-o", records]
    return [python]
