"""A limit on the process's addresses (ulimit -v): the tracer takes no more of them than it uses."""

from __future__ import annotations

import os
import resource
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from fresh_process import check

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts addresses against a limit"),
    pytest.mark.skipif(
        resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY, reason="there is a limit already"
    ),
]

LIMIT = """
import os, resource
def addresses():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")
def limit(more):
    resource.setrlimit(resource.RLIMIT_AS, (addresses() + more, resource.RLIM_INFINITY))
"""
WORK = """
def recurse(depth):
    return [recurse(depth - 1)] if depth else [bytearray(1000) for _ in range(100)]
kept = [recurse(depth) for depth in range(100)]
snapshots = [memtally.take_snapshot() for _ in range(300)]
last = snapshots[-1].statistics("traceback")
snapshots[-1].compare_to(snapshots[0], "lineno")
assert memtally.capabilities()["lost_traces"] == 0
assert memtally.get_traced_memory()[0] > 10_000_000
more = bytearray(100 << 20)
assert memtally.get_traced_memory()[0] > 100 << 20
"""


def test_tracing_takes_few_addresses():
    code = "import memtally\nbefore = addresses()\nmemtally.start()\nprint(addresses() - before)"
    assert int(check(LIMIT + code)) < 1 << 30


def test_tracing_works_under_a_limit():
    check(LIMIT + "limit(1 << 30)\nimport memtally\nmemtally.start(25)\n" + WORK)


def test_a_program_may_limit_itself_while_it_is_traced():
    check(LIMIT + "import memtally\nmemtally.start(25)\nkept = [bytes(99)]\nlimit(500 << 20)\n" + WORK)
