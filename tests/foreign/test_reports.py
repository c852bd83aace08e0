"""What extensions report by PyTraceMalloc_Track and _Untrack is traced, in all domains, from all threads."""

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
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
WITH_GIL, WITHOUT_GIL, FOREIGN_THREAD = HOW = range(3)
every_way = pytest.mark.parametrize("how", HOW, ids=["with the GIL", "without it", "in a foreign thread"])


@pytest.fixture
def foreign() -> Iterator[ModuleType]:
    memtally.start(10)
    yield load("foreign_blocks")
    memtally.stop()


def blocks(domain: int) -> list[int]:
    """The sizes of the blocks in a domain."""
    snapshot = memtally.take_snapshot().filter_traces([memtally.DomainFilter(True, domain)])
    return sorted(trace.size for trace in snapshot.traces)


@every_way
def test_a_tracked_block_is_there_until_it_is_untracked(foreign, how):
    before = memtally.get_traced_memory()[0]
    assert foreign.track(5, 0x1000, 10_000_000, how) == 0
    assert blocks(5) == [10_000_000]
    # give or take what else comes and goes, garbage of the test runner's
    assert 9_000_000 < memtally.get_traced_memory()[0] - before < 11_000_000
    assert foreign.untrack(5, 0x1000, how) == 0
    assert blocks(5) == []
    assert memtally.get_traced_memory()[0] - before < 1_000_000
    assert memtally.get_traced_memory()[1] >= 10_000_000
    peak = memtally.take_snapshot(view="peak").filter_traces([memtally.DomainFilter(True, 5)])
    assert [trace.size for trace in peak.traces] == [10_000_000]


@pytest.mark.parametrize("first", HOW)
@pytest.mark.parametrize("second", HOW)
def test_tracking_an_address_again_replaces_the_block(foreign, first, second):
    foreign.track(5, 0x1000, 10, first)
    foreign.track(5, 0x1000, 20, second)
    assert blocks(5) == [20]
    foreign.untrack(5, 0x1000, first)
    assert blocks(5) == []


@every_way
def test_an_address_in_two_domains_is_two_blocks(foreign, how):
    foreign.track(5, 0x1000, 10, how)
    foreign.track(6, 0x1000, 20, how)
    assert (blocks(5), blocks(6)) == ([10], [20])
    foreign.untrack(5, 0x1000, how)
    assert (blocks(5), blocks(6)) == ([], [20])


@every_way
def test_untracking_what_is_unknown_changes_nothing(foreign, how):
    foreign.track(5, 0x1000, 10, how)
    for domain, address in ((5, 0x2000), (6, 0x1000), (0, 0x1000), (5, 0), (5, 2**64 - 1)):
        assert foreign.untrack(domain, address, how) == 0
    assert blocks(5) == [10]


@every_way
def test_any_address_size_and_domain_will_do(foreign, how):
    addresses = (0, 1, 2**47, 2**63 + 1, 2**64 - 1)
    for domain in (1, 389047, 2**31, 2**32 - 1):
        for address, size in zip(addresses, (0, 1, 2**36, 2**40, 3)):
            assert foreign.track(domain, address, size, how) == 0
        assert blocks(domain) == [0, 1, 3, 2**36, 2**40]
        for address in addresses:
            foreign.untrack(domain, address, how)
        assert blocks(domain) == []


def call(function, *arguments):
    return function(*arguments)


def test_the_traceback_is_where_the_caller_is(foreign):
    call(foreign.track, 5, 0x1000, 10)
    call(foreign.track, 6, 0x1000, 10, WITHOUT_GIL)
    for domain in (5, 6):
        (trace,) = (trace for trace in memtally.take_snapshot().traces if trace.domain == domain)
        assert trace.traceback[-1].lineno == call.__code__.co_firstlineno + 1
        assert trace.traceback[-1].function == "call"
        assert foreign.get_traceback(domain, 0x1000)[0] == (__file__, trace.traceback[-1].lineno)
        assert len(foreign.get_traceback(domain, 0x1000)) == 10
    assert foreign.get_traceback(7, 0x1000) is None


def test_a_thread_that_python_does_not_know_has_no_traceback(foreign):
    foreign.track(5, 0x1000, 10, FOREIGN_THREAD)
    assert foreign.get_traceback(5, 0x1000) == (("<unknown>", 0),)


def test_filters_tell_domains_apart(foreign):
    foreign.track(5, 0x1000, 10)
    foreign.track(6, 0x1000, 20)
    snapshot = memtally.take_snapshot()

    def left(*filters):
        return {trace.domain for trace in snapshot.filter_traces(filters).traces}

    assert left(memtally.DomainFilter(True, 5)) == {5}
    assert left(memtally.DomainFilter(False, 5)) == {0, 6}
    assert left(memtally.Filter(True, __file__, domain=6)) == {6}
    assert left(memtally.Filter(True, "no such file", domain=6)) == set()
    assert left(memtally.Filter(False, "*", domain=6)) == {0, 5}
    sizes = {stat.traceback[0].filename: stat.size for stat in snapshot.statistics("domain")}
    assert (sizes["<domain 5>"], sizes["<domain 6>"]) == (10, 20)


@every_way
def test_an_object_that_is_tracked_in_pythons_domain_is_one_block(foreign, how):
    for size in (3, 3000, 3_000_000):
        thing = bytes(size)
        foreign.track(0, id(thing), 77_777_777, how)
        assert blocks(0).count(77_777_777) == 1
        assert size + sys.getsizeof(b"") not in blocks(0) or size == 3
        assert memtally.get_object_traceback(thing) is not None
        del thing
        assert 77_777_777 not in blocks(0)


@every_way
def test_an_object_that_is_untracked_is_no_block(foreign, how):
    for size in (3, 3000, 3_000_000):
        thing = bytes(size)
        assert memtally.get_object_traceback(thing) is not None
        foreign.untrack(0, id(thing), how)
        assert memtally.get_object_traceback(thing) is None
        assert foreign.get_traceback(0, id(thing)) is None
        del thing
        again = [bytes(size) for _ in range(20)]
        assert all(memtally.get_object_traceback(thing) for thing in again)


@every_way
def test_the_allocator_may_hand_out_what_an_extension_forgot_to_untrack(foreign, how):
    for size in (3000, 3_000_000):
        thing = bytes(size)
        address = id(thing)
        del thing
        foreign.track(0, address, 77_777_777, how)
        again = bytes(size)
        if id(again) == address:
            assert 77_777_777 not in blocks(0)
        foreign.untrack(0, address, how)


def test_clear_traces_forgets_them(foreign):
    foreign.track(5, 0x1000, 10)
    memtally.clear_traces()
    assert blocks(5) == []
    foreign.track(5, 0x1000, 20)
    assert blocks(5) == [20]


@every_way
def test_nothing_is_tracked_before_the_start_and_after_the_stop(foreign, how):
    memtally.stop()
    assert (foreign.track(5, 0x1000, 10, how), foreign.untrack(5, 0x1000, how)) == (-2, -2)
    assert foreign.get_traceback(5, 0x1000) is None
    memtally.start()
    assert blocks(5) == []
    assert foreign.track(5, 0x1000, 10, how) == 0


def test_threads_without_the_gil_report_all_at_once(foreign):
    before = memtally.get_traced_memory()[0]
    for domains in (1, 2, 5):  # domain 0 is among them
        assert foreign.churn(6, 20_000, domains) == 6
    assert memtally.get_traced_memory()[0] - before < 100_000
    assert [blocks(domain) for domain in range(1, 8)] == [[]] * 7


WAITING = """
import memtally as mt
from extension_builder import load
foreign = load("foreign_blocks")
for _ in range(3):
    assert foreign.track(5, 0x1000, 10, 3) == -2
    mt.start()
    assert foreign.track(5, 0x1000, 10, 3) == 0
    assert foreign.get_traceback(5, 0x1000) == (("<unknown>", 0),)
    assert foreign.untrack(5, 0x1000, 3) == 0
    mt.stop()
"""


def test_a_report_waits_for_no_gil():
    """The thread that holds it waits for the one that reports."""
    check(WAITING, timeout=20)


def test_starting_and_stopping_disturbs_no_thread_that_reports(foreign):
    foreign.start_churn()
    try:
        for _ in range(30):
            memtally.stop()
            memtally.start()
            memtally.take_snapshot()
    finally:
        rounds = foreign.stop_churn()
    assert rounds > 0
    assert blocks(77) == []


def test_a_python_thread_reports_with_its_own_traceback(foreign):
    def work():
        foreign.track(5, 0x1000, 10, WITHOUT_GIL)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert foreign.get_traceback(5, 0x1000)[0] == (__file__, work.__code__.co_firstlineno + 1)


BOTH = """
import tracemalloc as std
import warnings
warnings.simplefilter("ignore")  # of hooks that were away
import memtally as mt
from extension_builder import load
foreign = load("foreign_blocks")

def seen(module, how):
    found = module.take_snapshot().filter_traces([module.DomainFilter(True, 5)])
    return [(trace.size, trace.traceback[-1].lineno) for trace in found.traces]

for order in ("std", "mt"), ("mt", "std"):
    for how in range(3):
        one, two = (globals()[name] for name in order)
        for module in (one, two):
            module.start()
        assert foreign.track(5, 0x1000, 10, how) == 0
        assert seen(std, how) == seen(mt, how) and len(seen(mt, how)) == 1, (order, how)
        assert foreign.get_traceback(5, 0x1000)[0][1] == seen(mt, how)[0][1]
        assert foreign.track(5, 0x1000, 20, how) == 0
        assert seen(std, how) == seen(mt, how) and seen(mt, how)[0][0] == 20
        assert foreign.untrack(5, 0x1000, how) == 0
        assert seen(std, how) == seen(mt, how) == []
        one.stop()
        assert foreign.track(5, 0x1000, 30, how) == 0
        assert len(seen(two, how)) == 1
        two.stop()
        assert foreign.track(5, 0x1000, 40, how) == -2
        assert foreign.get_traceback(5, 0x1000) is None
"""


def test_the_standard_tracer_sees_them_as_well_where_it_is_on():
    check(BOTH)


FORKING = """
import os, warnings
warnings.simplefilter("ignore")  # of threads and forks
import memtally as mt
from extension_builder import load
mt.start()
foreign = load("foreign_blocks")
foreign.start_churn()
for _ in range(40):
    child = os.fork()
    if child == 0:
        code = foreign.track(5, 0x1000, 10)
        load("native_threads")  # asks dlsym
        mt.stop()
        mt.start()
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
foreign.stop_churn()
"""


def test_a_forked_child_goes_on():
    check(FORKING)


AT_EXIT = """
import os, sys
import memtally as mt
from extension_builder import load
mt.start()
foreign = load("foreign_blocks")

def late_deletion(thing):  # as test.support has it: it goes when the types' caches are gone
    class Cycle:
        pass

    cycle = Cycle()
    cycle.self, cycle.thing = cycle, thing
    sys.modules["late deletion"] = cycle

class Last:
    def __del__(self, track=foreign.track, untrack=foreign.untrack, write=os.write):
        assert untrack(5, 0x1000) == 0
        assert track(6, 0x1000, 5, 1) == 0
        write(1, b"done")

foreign.track(5, 0x1000, 10)
late_deletion(Last())
"""


def test_finalisers_may_report_to_the_end():
    assert check(AT_EXIT) == "done"
