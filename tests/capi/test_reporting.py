"""What an extension reports through memtally.h is traced and can be asked for, from threads of every kind."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest

import memtally

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import can_build, load

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
TRACK, UNTRACK, FIND, IS_TRACING, TRACK_FROM_ANOTHER_FILE = range(5)
WITH_GIL, WITHOUT_GIL, FOREIGN_THREAD, WHILE_HELD = HOW = range(4)
OK, NO_MEMORY, NOT_TRACING, ABSENT, NOT_FOUND, NEEDS_GIL = range(0, -6, -1)
NAMES = ["with the GIL", "without it", "in a foreign thread", "in one while the GIL is held"]
every_way = pytest.mark.parametrize("how", HOW, ids=NAMES)


@pytest.fixture
def reporting() -> Iterator[ModuleType]:
    module = load("reporting")
    memtally.start(5)
    yield module
    memtally.stop()


def blocks(domain: int) -> list[int]:
    """The sizes of the blocks in a domain."""
    snapshot = memtally.take_snapshot().filter_traces([memtally.DomainFilter(True, domain)])
    return sorted(trace.size for trace in snapshot.traces)


@every_way
def test_a_tracked_block_is_there_until_it_is_untracked(reporting, how):
    assert reporting.ask(IS_TRACING, 0, 0, 0, how) == 1
    assert reporting.ask(TRACK, 5, 0x1000, 10_000_000, how) == OK
    assert blocks(5) == [10_000_000]
    assert reporting.ask(UNTRACK, 5, 0x1000, 0, how) == OK
    assert blocks(5) == []
    assert memtally.get_traced_memory()[1] >= 10_000_000


@every_way
def test_any_address_size_and_domain_will_do(reporting, how):
    addresses = (0, 1, 2**47, 2**63 + 1, 2**64 - 1)
    sizes = (0, 1, 2**36, 2**40, 3)
    for domain in (1, 2**31, 2**32 - 1):
        for address, size in zip(addresses, sizes):
            assert reporting.ask(TRACK, domain, address, size, how) == OK
        assert blocks(domain) == sorted(sizes)
        for address, size in zip(addresses, sizes):
            assert reporting.ask(FIND, domain, address, 0, how)[0] == size
            reporting.ask(UNTRACK, domain, address, 0, how)
            assert reporting.ask(FIND, domain, address, 0, how) == NOT_FOUND


@every_way
def test_another_source_file_of_the_extension_is_connected_as_well(reporting, how):
    assert reporting.ask(TRACK_FROM_ANOTHER_FILE, 5, 0x1000, 77, how) == OK
    assert blocks(5) == [77]


def call(function, *arguments):
    return function(*arguments)


@pytest.mark.parametrize("asked", HOW, ids=NAMES)
@pytest.mark.parametrize("tracked", [WITH_GIL, WITHOUT_GIL], ids=NAMES[:2])
def test_what_is_found_is_what_the_snapshot_has(reporting, tracked, asked):
    call(reporting.ask, TRACK, 5, 0x1000, 77, tracked)
    size, depth, frames = reporting.ask(FIND, 5, 0x1000, 0, asked)
    (trace,) = (trace for trace in memtally.take_snapshot().traces if trace.domain == 5)
    assert (size, depth) == (trace.size, trace.traceback.total_nframe)
    assert frames == [(f.filename, f.lineno, f.function) for f in reversed(trace.traceback)]
    assert frames[0] == (__file__, call.__code__.co_firstlineno + 1, "call")
    assert len(frames) == 5 < depth


def test_a_thread_that_python_does_not_know_has_no_traceback(reporting):
    reporting.ask(TRACK, 5, 0x1000, 10, FOREIGN_THREAD)
    assert reporting.ask(FIND, 5, 0x1000) == (10, 1, [("<unknown>", 0, "")])


def test_one_frame_is_kept_where_one_is_asked_for(reporting):
    memtally.stop()
    memtally.start()
    reporting.ask(TRACK, 5, 0x1000, 10)
    _, depth, frames = reporting.ask(FIND, 5, 0x1000)
    assert len(frames) == 1 < depth


def test_names_may_be_any(reporting):
    odd = "caf\u00e9 \U0001f600 \udce9"
    code = compile("def f(*what): ask(*what)\nf(0, 5, 0x1000, 10)", odd, "exec")
    exec(code, {"ask": reporting.ask})
    assert reporting.ask(FIND, 5, 0x1000)[2][0] == (odd, 1, "f")


def test_a_very_long_traceback_is_found_whole(reporting):
    def deep(left):
        return deep(left - 1) if left else reporting.ask(TRACK, 5, 0x1000, 10)

    memtally.stop()
    memtally.start(65535)
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        deep(10_000)
    finally:
        sys.setrecursionlimit(old)
    _, depth, frames = reporting.ask(FIND, 5, 0x1000, 0, FOREIGN_THREAD)
    assert len(frames) == depth > 10_000


def test_a_block_of_pythons_own_is_found_with_the_gil_only(reporting):
    for size in (10, 1000, 1_000_000):
        thing = bytes(size)
        line = sys._getframe().f_lineno - 1
        found = reporting.ask(FIND, 0, id(thing))
        assert found[0] == sys.getsizeof(thing)
        assert found[2][0][:2] == (__file__, line)
        for how in (WITHOUT_GIL, FOREIGN_THREAD, WHILE_HELD):
            assert reporting.ask(FIND, 0, id(thing), 0, how) == NEEDS_GIL


def test_after_stop_nothing_is_traced_and_nothing_found(reporting):
    reporting.ask(TRACK, 5, 0x1000, 10)
    memtally.stop()
    for how in HOW:
        assert reporting.ask(IS_TRACING, 0, 0, 0, how) == 0
        for what in (TRACK, UNTRACK, FIND):
            assert reporting.ask(what, 5, 0x1000, 10, how) == NOT_TRACING
    memtally.start()
    assert reporting.ask(FIND, 5, 0x1000) == NOT_FOUND


def test_the_standard_tracer_is_not_told(reporting):
    import tracemalloc

    tracemalloc.start()
    try:
        reporting.ask(TRACK, 5, 0x1000, 10)
        assert 5 not in {trace.domain for trace in tracemalloc.take_snapshot().traces}
        assert blocks(5) == [10]
    finally:
        tracemalloc.stop()


def test_threads_without_the_gil_report_while_others_allocate_take_snapshots_and_stop(reporting):
    done = threading.Event()

    def disturb():
        held = []
        while not done.is_set():
            held = [[n] for n in range(1000)]
            memtally.take_snapshot()
            memtally.clear_traces()
            memtally.stop()
            memtally.start(5)
        del held

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        assert reporting.churn(4, 20_000) == 4
    finally:
        done.set()
        thread.join()
    memtally.clear_traces()
    reporting.churn(4, 1000)
    assert (blocks(7), blocks(8)) == ([], [100] * 4)
    assert memtally.capabilities()["lost_traces"] == 0
