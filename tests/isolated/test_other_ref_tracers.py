"""Others want the one slot for a reference tracer, and put back what they found (from CPython 3.13 on)."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(sys.version_info < (3, 13), reason="reference tracers came with 3.13")

USE = """
import os
import memtally
from extension_builder import load
others = load("ref_tracers")

def see(*expected):
    '''Which counters see objects that are made now, and that memtally sees them too.'''
    del [float(i) for i in range(1000)][:]  # some of them go into the free list, and out of it again
    before = [others.counted(n) for n in range(20)]
    made = [float(i) for i in range(1000)]
    seen = [n for n in range(20) if others.counted(n) - before[n] >= 1000]
    assert seen == list(expected), (seen, expected)
    if memtally.is_tracing():
        line = see.__code__.co_firstlineno + 4
        tracebacks = [memtally.get_object_traceback(f) for f in made]
        lines = [t and t[-1].lineno for t in tracebacks]
        # those that were there before the start are not traced
        assert set(lines) <= {line, None} and lines.count(line) > 800, (line, set(lines))
    del made[:]
"""


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    if not can_build():
        build("ref_tracers")


@pytest.mark.parametrize("safe", ["0", "1"])
def test_who_puts_back_what_was_there_leaves_things_as_they_were(safe: str) -> None:
    check(
        f"""{USE}
memtally.start(5)
for _ in range(5):
    see()
    others.begin(1)
    see(1)
    others.end(1)
see()
memtally.stop()
see()
""",
        env={"MEMTALLY_SAFE": safe},
    )


def test_the_one_from_before_the_start_is_called_again() -> None:
    check(
        f"""{USE}
others.begin(0)
memtally.start(5)
for _ in range(3):
    see(0)
    others.begin(1)
    see(1)
    others.end(1)
see(0)
memtally.stop()
see(0)
others.end(0)
see()
"""
    )


def test_one_inside_the_other() -> None:
    check(
        f"""{USE}
memtally.start(5)
for _ in range(3):
    others.begin(1)
    others.begin(2)
    see(2)
    others.end(2)
    see(1)
    others.end(1)
    see()
"""
    )


def test_one_that_ends_while_an_exception_is_raised() -> None:
    check(
        f"""{USE}
memtally.start(5)
for _ in range(3):
    others.begin(1)
    see(1)
    try:
        others.end_raising(1)
    except KeyError:
        pass
    see()
"""
    )


def test_one_that_comes_after_nobody_takes_no_place_of_another() -> None:
    check(
        f"""{USE}
memtally.start(5)
others.begin(1)
others.begin(2)
others.clear()
see()
others.begin(3)
see(3)
others.end(2)
see(1)
"""
    )


def test_very_many_that_put_nothing_back() -> None:
    check(
        f"""{USE}
memtally.start(5)
for i in range(1000):
    others.begin(i % 2)
see(1)
others.end(1)
see(0)
memtally.stop()
see(0)
"""
    )


def test_more_than_there_are_places_for() -> None:
    check(
        f"""{USE}
memtally.start(5)
for i in range(20):
    others.begin(i)
    see(i)
others.end(19)  # who shares the last place is not called again once it is put back
see()
others.end(5)
see(4)
memtally.stop()
see(4)
"""
    )


def test_what_was_found_while_tracing_is_put_back_after_it() -> None:
    check(
        f"""{USE}
memtally.start(5)
others.begin(1)
memtally.stop()
see(1)
others.end(1)
see()
memtally.start(5)
see()
others.begin(2)
see(2)
others.end(2)
see()
"""
    )
