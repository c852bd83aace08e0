"""MemoryError raised and handled: impossible sizes, failed growth and what is kept around them."""

import sys

KEEP = []


def ask(size):
    return bytearray(size)


def try_sizes(depth):
    if depth:
        return try_sizes(depth - 1)
    held = [depth]
    for size in (sys.maxsize // 2, sys.maxsize - 100, 1 << 60):
        try:
            KEEP.append(ask(size))
        except (MemoryError, OverflowError) as error:
            KEEP.append([held, error])
        try:
            held * size
        except (MemoryError, OverflowError) as error:
            KEEP.append({"error": [error]})
        try:
            grown = bytearray(1000)
            grown.extend(grown)
            grown *= 1 << 55
        except (MemoryError, OverflowError):
            KEEP.append(grown)
        try:
            "abc" * size
        except (MemoryError, OverflowError) as error:
            KEEP.append(error.with_traceback(None))
    return held


for depth in (0, 3, 12):
    KEEP.append(try_sizes(depth))
try:
    import _testcapi

    for start in range(0, 30):
        _testcapi.set_nomemory(start, start + 2)
        try:
            failing = [[start], {"x": start}]
        except MemoryError:
            failing = None
        finally:
            _testcapi.remove_mem_hooks()
        KEEP.append(failing)
except ImportError:
    pass
KEEP.append([[n] for n in range(100)])
