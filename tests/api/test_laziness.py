"""Objects are made for what is looked at, and nothing is left over by operations done again and again."""

import array
import gc
import itertools
import sys
import tracemalloc

import pytest

import memtally

ROWS = 40_000
RAW = [
    (0, i % 500, ((f"file{i % 50}.py", i % 1000), ("main.py", i % 3000)), 2)
    for i in range(ROWS)
    for _ in range(3)
]


def columnar(raw, folder):
    """A snapshot that holds columns, as those of the tracer do."""
    memtally.Snapshot(raw, 2).dump(folder / "snapshot")
    return memtally.Snapshot.load(folder / "snapshot")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return columnar(RAW, tmp_path_factory.mktemp("lazy"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return columnar(RAW[:4000], tmp_path_factory.mktemp("small"))


def blocks_made(function):
    """How many blocks of Python memory the function leaves behind while its result is held."""
    function()
    gc.collect()
    before = sys.getallocatedblocks()
    result = function()
    made = sys.getallocatedblocks() - before
    assert result is not None
    return made


def test_statistics_make_no_traces(snapshot):
    groups = len(snapshot.statistics("lineno"))
    assert groups < ROWS
    # a Statistic and at most two numbers for each, and a list; no tracebacks, frames or traces
    assert blocks_made(lambda: snapshot.statistics("lineno")) <= 3 * groups + 100
    groups = len(snapshot.statistics("traceback"))
    assert blocks_made(lambda: snapshot.statistics("traceback")) <= 3 * groups + 100
    assert blocks_made(lambda: snapshot.statistics("filename")) < 400
    assert blocks_made(lambda: snapshot.filter_traces([memtally.Filter(True, "file1*")])) < 100


def test_the_collector_is_not_bothered_with_what_cannot_be_in_a_cycle(snapshot):
    traces, statistics = list(snapshot.traces), snapshot.statistics("traceback")
    for value in (
        traces[0],
        statistics[0],
        traces[0].traceback,
        statistics[0].traceback,
        traces[0].traceback[0],
    ):
        assert not gc.is_tracked(value)
    statistics[0].size = []
    assert gc.is_tracked(statistics[0])
    traces[0]._trace = ([],)
    assert gc.is_tracked(traces[0])


def test_looking_at_one_trace_makes_a_few_objects(snapshot):
    assert blocks_made(lambda: snapshot.traces[ROWS]) < 10
    assert blocks_made(lambda: snapshot.traces[-1].traceback[0]) < 15
    assert blocks_made(lambda: [trace.domain for trace in snapshot.traces][:0]) < 10


def test_file_names_are_shared(snapshot):
    first, last = snapshot.traces[0].traceback, snapshot.traces[-1].traceback
    assert first[0].filename is last[0].filename
    assert snapshot.statistics("filename", cumulative=True)[0].traceback[0].filename is first[0].filename


def refused(error, function, *arguments):
    with pytest.raises(error):
        function(*arguments)


OPERATIONS = {
    "statistics": lambda s: [str(x) for x in s.statistics("lineno")],
    "cumulative": lambda s: s.statistics("filename", True),
    "tracebacks": lambda s: [(hash(x.traceback), repr(x)) for x in s.statistics("traceback")[:100]],
    "functions": lambda s: [x.traceback[0].function for x in s.statistics("function")],
    "differences": lambda s: s.compare_to(s.filter_traces([memtally.DomainFilter(True, 5)]), "lineno"),
    "filters": lambda s: s.filter_traces([memtally.Filter(False, "file1*", 3, True)]),
    "own filters": lambda s: refused(NotImplementedError, s.filter_traces, [memtally.BaseFilter(True)]),
    "errors": lambda s: refused(ValueError, s.statistics, "nothing"),
    "iteration": lambda s: [trace.traceback for trace in s.traces],
    "an iterator left": lambda s: next(iter(s.traces)),
    "slices": lambda s: s.traces[5:3000:7],
    "membership": lambda s: (s.traces[4] in s.traces, memtally.Trace((7, 7, (), 7)) in s.traces),
    "equality": lambda s: (
        s.traces == s.filter_traces([]).traces,
        s.traces != memtally.Snapshot([], 1).traces,
    ),
    "formatting": lambda s: (s.traces[4].traceback.format(), str(s.traces[4]), repr(s.traces[5])),
    "raw columns": lambda s: memtally.Snapshot(RAW[:500], 2).statistics("traceback"),
    "odd traces": lambda s: memtally.Snapshot([(0, -1, (("a", 1),), 1)], 2).statistics("lineno"),
    "odd differences": lambda s: memtally.Snapshot([(0, -1, (("a", 1),), 1)], 2).compare_to(
        memtally.Snapshot(RAW[:50], 2), "lineno"
    ),
    "bad traces": lambda s: refused(ValueError, memtally.Snapshot([(0,)], 2).statistics, "lineno"),
    "assignments": lambda s: setattr(s.traces[3].traceback, "_frames", ()),
    "pickles": lambda s: __import__("pickle").loads(__import__("pickle").dumps(s)).traces[1],
    "a broken pickle": lambda s: refused(
        ValueError, setattr, memtally.Snapshot([], 1).traces, "_columns", b"x"
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_repeated_operations_leave_nothing_behind(small, name):
    """Neither memory (counted by the standard tracer, which sees every block) nor objects in cycles.

    A leak shows in every round; caches and free lists of Python do not.
    """
    operation = OPERATIONS[name]
    rounds = 8
    # Unpickling leaves new names in the cache of types' attributes. The older of the two warns from 3.15 on.
    forget_names = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", int)
    memory, objects = array.array("q", [0] * rounds), array.array("q", [0] * rounds)
    gc.collect()
    gc.freeze()  # what was there before need not be looked at
    tracemalloc.start()
    try:
        for i in range(rounds):
            operation(small)
            gc.collect()
            forget_names()
            memory[i] = tracemalloc.get_traced_memory()[0]
            objects[i] = len(gc.get_objects())
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    assert min(after - before for before, after in itertools.pairwise(memory)) <= 0
    assert min(after - before for before, after in itertools.pairwise(objects)) <= 0
