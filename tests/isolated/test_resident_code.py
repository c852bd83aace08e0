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
sizes = {"Size:": 0, "Rss:": 0}
with open("/proc/self/smaps") as file:
    for line in file:
        first, second, *rest = line.split()
        if not first.endswith(":"):
            ours = "x" in second and rest[-1].endswith(memtally._core.__file__.rpartition("/")[2])
        elif ours and first in sizes:
            sizes[first] += int(second)
print(sizes["Rss:"] / sizes["Size:"])
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="needs /proc/self/smaps")
@pytest.mark.skipif(resource.getpagesize() != 4096, reason="with large pages all of it is a few of them")
@pytest.mark.parametrize("frames", [1, 25])
def test_tracing_alone_leaves_most_of_the_code_on_the_disk(frames: int) -> None:
    # A third is what runs. Linux maps 16 pages around each one that is touched, so it may be half; where the
    # code is scattered (src/meson.build has the order) it is nearly all.
    assert 0 < float(check(RESIDENT, "-X", f"memtally={frames}")) < 0.7
