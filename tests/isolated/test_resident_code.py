"""A program that is traced and asks for nothing: most of the module's code never comes into its memory."""

from __future__ import annotations

import os
import resource
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from fresh_process import check

RESIDENT = """
import asyncio, json, sys
import memtally._core
sizes = {}  # of the module's segments: {(permissions, offset in the file): {"Size:": KiB, "Rss:": KiB}}
with open("/proc/self/smaps") as file:
    for line in file:
        first, second, *rest = line.split()
        if not first.endswith(":"):
            ours = rest[-1:] and rest[-1].endswith(memtally._core.__file__.rpartition("/")[2])
            segment = (second, int(rest[0], 16)) if ours else None
        elif segment and first in ("Size:", "Rss:"):
            sizes.setdefault(segment, {})[first] = int(second)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="needs /proc/self/smaps")
@pytest.mark.skipif(resource.getpagesize() != 4096, reason="with large pages all of it is a few of them")
@pytest.mark.parametrize("frames", [1, 25])
def test_tracing_alone_leaves_most_of_the_code_on_the_disk(frames: int) -> None:
    # Less than a third is what runs. Linux maps 16 pages around each one that is touched, and more where it
    # keeps the file in large pieces, so it may be two thirds at some addresses; where the code is scattered
    # (src/meson.build has the order) it is nearly all at any.
    code = (
        RESIDENT
        + "(code,) = [s for k, s in sizes.items() if 'x' in k[0]]; print(code['Rss:'] / code['Size:'])"
    )
    assert 0 < min(float(check(code, "-X", f"memtally={frames}")) for _ in range(3)) < 0.7


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="needs /proc/self/smaps")
def test_what_the_loader_reads_once_leaves_memory() -> None:
    # Headers, symbols and relocations begin the file; a linker may put code into the same segment.
    code = RESIDENT + "print([s['Rss:'] for k, s in sizes.items() if k == ('r--p', 0)] or [0])"
    assert check(code, "-X", "memtally").strip() == "[0]"


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="needs /proc/self/smaps")
@pytest.mark.parametrize("frames", [1, 25])
def test_tracing_alone_reads_no_constant(frames: int) -> None:
    # Each that is read keeps 64 KB around it. They lie behind the code, with the unwinding tables; what lies
    # behind those is read-only, too, but written to by the loader.
    code = f"""
import threading
threads = [threading.Thread(target=lambda: [[n] * (n % 50) for n in range(5000)]) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
{RESIDENT}
code = min(offset for permissions, offset in sizes if "x" in permissions)
print([s["Rss:"] for (p, offset), s in sizes.items() if p == "r--p" and offset > code][:1] or [0])
"""
    assert check(code, "-X", f"memtally={frames}").strip() == "[0]"


def test_what_left_memory_comes_back_where_it_is_read() -> None:
    check("""
import memtally
for _ in range(3):
    memtally.start(5)
    held = [bytes(n) for n in range(1000)]
    assert "Start tracing" in memtally.start.__doc__
    assert memtally.take_snapshot().statistics("lineno")[0].count > 500
    memtally.stop()
""")
