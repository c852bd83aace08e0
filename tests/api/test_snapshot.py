"""Snapshot and its traces behave as the standard ones, on raw traces and on columns."""

import copy
import gc
import pickle
import weakref
from collections.abc import Sequence

import pytest

import memtally

RAW = [
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (1, 2, (("a.py", 5), ("b.py", 4)), 3),
    (2, 66, (("b.py", 1),), 1),
    (3, 7, (("<unknown>", 0),), None),
]
OTHER = [
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (2, 2, (("a.py", 5), ("b.py", 4)), 3),
    (2, 5000, (("a.py", 5), ("b.py", 4)), 3),
    (4, 400, (("c.py", 578),), 1),
]
KEYS = ["lineno", "filename", "traceback"]


@pytest.fixture
def columnar(tmp_path):
    """columnar(raw) makes a snapshot that holds columns, as those of the tracer do."""

    def make(raw, limit=2):
        memtally.Snapshot(raw, limit).dump(tmp_path / "snapshot")
        return memtally.Snapshot.load(tmp_path / "snapshot")

    return make


# --- statistics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("cumulative", [False, True, 1, [], "yes"])
def test_statistics_are_those_of_the_standard_module(evaluate, key, cumulative):
    evaluate("m.Snapshot(raw, 2).statistics(key, cumulative)", raw=RAW, key=key, cumulative=cumulative)
    evaluate("m.Snapshot(raw, 2).statistics(key_type=key, cumulative=c)", raw=RAW, key=key, c=cumulative)
    evaluate(
        "m.Snapshot(new, 2).compare_to(m.Snapshot(raw, 2), key, cumulative)",
        raw=RAW,
        new=OTHER,
        key=key,
        cumulative=cumulative,
    )
    evaluate(
        "m.Snapshot(new, 2).compare_to(old_snapshot=m.Snapshot(raw, 2), key_type=key, cumulative=cumulative)",
        raw=RAW,
        new=OTHER,
        key=key,
        cumulative=cumulative,
    )


@pytest.mark.parametrize("key", ["line", "", None, 5, b"lineno", [], ("lineno",), "Lineno", "lineno\0"])
def test_an_unknown_key_raises_what_the_standard_module_raises(evaluate, key):
    evaluate("m.Snapshot([], 1).statistics(key)", key=key)
    evaluate("m.Snapshot([], 1).compare_to(m.Snapshot([], 1), key)", key=key)


def test_the_older_name_of_the_key_is_accepted():
    now, old = memtally.Snapshot(OTHER, 2), memtally.Snapshot(RAW, 2)
    assert now.statistics(group_by="lineno") == now.statistics("lineno")
    assert now.compare_to(old, group_by="lineno") == now.compare_to(old, "lineno")
    for call in (now.statistics, lambda *args, **kw: now.compare_to(old, *args, **kw)):
        with pytest.raises(TypeError, match="not both"):
            call("lineno", group_by="lineno")
        with pytest.raises(TypeError, match="key_type"):
            call()


@pytest.mark.parametrize("old", [None, 5, [], "m"])
def test_comparing_to_what_is_no_snapshot_raises_the_same_type(evaluate, old):
    evaluate("m.Snapshot(raw, 2).compare_to(old, 'lineno')", message=False, raw=RAW, old=old)
    evaluate("m.Snapshot(raw, 2).compare_to(old, 'nope')", raw=RAW, old=old)


UNUSUAL = {
    "a negative size": [(0, -5, (("a", 1),), 1), (0, 3, (("b", 1),), 1)],
    "a huge size": [(0, 1 << 70, (("a", 1),), 1), (0, 1, (("a", 1),), 1)],
    "a sum beyond 64 bits": [(0, 1 << 63, (("a", 1),), 1)] * 3,
    "a fraction": [(0, 1.5, (("a", 1),), 1), (0, 1, (("a", 1),), 1)],
    "a huge line": [(0, 1, (("a", 1 << 40),), 1), (0, 1, (("a", -1),), 1)],
    "no frames": [(0, 1, (), 0), (0, 2, (("a", 1),), 1)],
    "no frames at all": [(0, 1, (), 0)],
    "an odd total": [(0, 1, (("a", 1),), "many")],
    "lists": [[0, 1, (("a", 1),), 1]],
    "a list of frames": [(0, 1, [("a", 1)], 1)],
    "a domain beyond 32 bits": [(1 << 40, 1, (("a", 1),), 1)],
    "a name that is no str": [(0, 1, ((b"a", 1),), 1)],
    "too few": [(0, 1)],
    "too many": [(0, 1, (("a", 1),), 1, 5)],
    "a number": [5],
    "not even a sequence": 5,
    "a str": "abc",
    "a tuple": tuple(RAW),
    "empty": [],
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("what", UNUSUAL)
def test_traces_that_do_not_fit_columns_work_as_in_the_standard_module(evaluate, what, key):
    raw = UNUSUAL[what]
    evaluate("m.Snapshot(raw, 2).statistics(key)", message=False, raw=raw, key=key)
    evaluate("m.Snapshot(raw, 2).statistics(key, True)", message=False, raw=raw, key=key)
    evaluate("m.Snapshot(raw, 2).compare_to(m.Snapshot(n, 2), key)", message=False, raw=raw, n=RAW, key=key)
    evaluate("m.Snapshot(n, 2).compare_to(m.Snapshot(raw, 2), key)", message=False, raw=raw, n=RAW, key=key)
    evaluate("m.Snapshot(raw, 2).filter_traces([m.Filter(True, '*')])", message=False, raw=raw)
    evaluate("m.Snapshot(raw, 2).filter_traces([m.DomainFilter(False, 0)])", message=False, raw=raw)


def test_a_trace_without_total_nframe_is_accepted():
    snapshot = memtally.Snapshot([(0, 5, (("a", 1),)), (0, 5, (("a", 1),), None)], 1)
    assert snapshot.statistics("lineno")[0].count == 2
    assert snapshot.traces[0].traceback.total_nframe is None


def test_changes_of_the_given_list_are_seen(same):
    def use(module):
        raw = list(RAW)
        snapshot = module.Snapshot(raw, 2)
        before = snapshot.statistics("lineno")
        raw.append((0, 1000, (("new.py", 1),), 1))
        snapshot.traces._traces.append((0, 2000, (("newer.py", 1),), 1))
        return before, snapshot.statistics("lineno"), len(snapshot.traces)

    same(use)


def test_statistics_are_plain_lists_of_statistics():
    for statistics in (
        memtally.Snapshot(RAW, 2).statistics("lineno"),
        memtally.Snapshot([(0, -1, (), 0)], 2).statistics("lineno"),
    ):
        assert type(statistics) is list
        assert {type(statistic) for statistic in statistics} == {memtally.Statistic}


# --- functions and domains ------------------------------------------------------------------------


def test_functions_and_domains_are_keys_too():
    snapshot = memtally.Snapshot(RAW, 2)
    by_domain = snapshot.statistics("domain")
    assert [(str(s.traceback), s.size, s.count) for s in by_domain] == [
        ("<domain 2>:0", 66, 1),
        ("<domain 0>:0", 30, 3),
        ("<domain 3>:0", 7, 1),
        ("<domain 1>:0", 2, 1),
    ]
    by_function = snapshot.statistics("function")
    assert [(s.traceback[0].filename, s.traceback[0].function, s.size) for s in by_function] == [
        ("b.py", None, 66),
        ("a.py", None, 32),
        ("<unknown>", None, 7),
    ]
    assert sum(s.size for s in snapshot.statistics("function", cumulative=True)) == 66 + 7 + 2 * 32
    with pytest.raises(ValueError, match="cumulative mode cannot by used with key type 'domain'"):
        snapshot.statistics("domain", cumulative=True)


# --- traces ---------------------------------------------------------------------------------------

OPERATIONS = [
    "len(x)",
    "bool(x)",
    "repr(x)",
    "str(x)",
    "x == x",
    "x != x",
    "x == 5",
    "x < x",
    "hash(x)",
    "list(x)",
    "x[0]",
    "x[-1]",
    "x[3]",
    "x[True]",
    "x[100]",
    "x[-100]",
    "x[1 << 80]",
    "x['0']",
    "x[0.0]",
    "x[:]",
    "x[1:3]",
    "x[::-2]",
    "x[5:1]",
    "x[::0]",
    "list(reversed(x))",
    "x.index(x[3])",
    "x.index(x[0], 1)",
    "x.index(m.Trace((9, 9, ())))",
    "x.count(x[0])",
    "x.count(5)",
    "x[3] in x",
    "m.Trace((3, 7, (('<unknown>', 0),), None)) in x",
    "m.Trace((3, 7, (('<unknown>', 0),), 1)) in x",
    "m.Trace((0, 10.0, (('a.py', 2), ('b.py', 4)), 3)) in x",
    "m.Trace((0, -10, (('a.py', 2), ('b.py', 4)), 3)) in x",
    "m.Trace(5) in x",
    "5 in x",
    "x._traces",
    "[trace.size for trace in x]",
    "[str(trace) for trace in x]",
    "[repr(trace) for trace in x]",
    "[trace.traceback.total_nframe for trace in x]",
    "[hash(trace) for trace in x]",
    "[trace.domain for trace in x]",
    "[trace._trace for trace in x]",
    "x[0] == x[1]",
    "x[0] == x[3]",
    "x[0] != x[4]",
    "x[0].traceback == x[1].traceback",
    "x[0].traceback < x[3].traceback",
    "x[0] < x[1]",
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_traces_answer_as_the_standard_ones(evaluate, operation):
    for raw in (RAW, [], tuple(RAW)):
        evaluate(f"[{operation} for x in [m.Snapshot(raw, 2).traces]][0]", message=raw is RAW, raw=raw)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_columns_answer_as_the_standard_traces_of_a_list(same, columnar, operation):
    import tracemalloc

    code = compile(f"[{operation} for x in [traces]][0]", "<expression>", "eval")

    def use(module):
        snapshot = module.Snapshot(list(RAW), 2) if module is tracemalloc else columnar(RAW)
        return eval(code, {"m": module, "traces": snapshot.traces})

    same(use)


def test_the_given_sequence_stays_what_it_was(same):
    raw = list(RAW)
    assert memtally.Snapshot(raw, 2).traces._traces is raw
    same(lambda m: m.Snapshot(raw, 2).filter_traces([]).traces._traces == raw)
    assert memtally.Snapshot(raw, 2).filter_traces([]).traces._traces is not raw


def test_traces_of_columns_equal_the_raw_ones_they_came_from(columnar):
    snapshot, twin = memtally.Snapshot(list(RAW), 2), columnar(RAW)
    assert twin.traces == snapshot.traces
    assert twin.traces == columnar(RAW).traces
    assert twin.traces != columnar(RAW[1:]).traces
    assert twin.traces != columnar([*RAW[1:], RAW[0]]).traces
    assert twin.traces != columnar([(1, *RAW[0][1:]), *RAW[1:]]).traces
    assert twin.traces != columnar([(*RAW[0][:3], 4), *RAW[1:]]).traces


def test_many_traces_are_found_by_index(columnar):
    raw = [(i % 2, i, (("a.py", i % 300 + 1),), i % 9 + 1) for i in range(1000) for _ in range(i % 4 + 1)]
    traces = columnar(raw).traces
    assert len(traces) == len(raw)
    assert [traces[i]._trace for i in range(len(raw))] == raw
    assert [trace._trace for trace in traces[-5::-333]] == raw[-5::-333]


def test_blocks_of_a_row_share_a_traceback(columnar):
    first, second, *_ = columnar(RAW).traces
    assert first.traceback is second.traceback


def test_traces_are_a_sequence(columnar):
    assert isinstance(columnar(RAW).traces, Sequence)
    assert isinstance(memtally.Snapshot([], 1).traces, memtally._Traces)


def test_traces_can_be_replaced(same, columnar):
    def use(module):
        snapshot = module.Snapshot(list(RAW), 2)
        snapshot.traces = module.Snapshot(list(OTHER), 2).traces
        snapshot.traces._traces = snapshot.traces._traces[:2]
        return snapshot.statistics("lineno"), snapshot, len(snapshot.traces)

    same(use)
    snapshot = columnar(RAW)
    snapshot.traces._traces = RAW[:1]
    assert [s.size for s in snapshot.statistics("lineno")] == [10]


def test_an_iterator_survives_the_replacement_of_the_traces(columnar):
    snapshot = columnar(RAW)
    iterator = iter(snapshot.traces)
    first = next(iterator)
    snapshot.traces._traces = []
    del snapshot
    gc.collect()
    assert [first, *iterator] == [memtally.Trace(raw) for raw in RAW]


# --- the object -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "m.Snapshot()",
        "m.Snapshot([])",
        "m.Snapshot([], 1, 2)",
        "m.Snapshot(traces=[], traceback_limit=1)",
        "m.Snapshot(5, None).traceback_limit",
        "len(m.Snapshot(5, None).traces)",
        "vars(m.Snapshot(5, None))['traceback_limit']",
        "m.Snapshot.__new__(m.Snapshot).statistics('lineno')",
        "m.Snapshot([], 1).statistics('lineno', True, 5, 6)",
        "m.Snapshot([], 1) == m.Snapshot([], 1)",
        "m.Snapshot([], 1).dump()",
        "m.Snapshot.load()",
        "m.Snapshot([], 1).filter_traces()",
    ],
)
def test_a_snapshot_is_made_as_the_standard_one(evaluate, expression):
    evaluate(expression, message=False)


def test_a_snapshot_has_attributes_of_its_own_and_weak_references(same):
    def use(module):
        snapshot = module.Snapshot([], 5)
        snapshot.note = "mine"
        reference = weakref.ref(snapshot)
        alive = reference() is snapshot
        names = list(vars(snapshot))
        del snapshot
        return alive, names, reference() is None

    same(use)


def test_the_view_of_a_made_snapshot_is_live(columnar):
    assert memtally.Snapshot([], 1).view_name == "live"
    assert columnar(RAW).view_name == "live"


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_a_snapshot_keeps_traces_and_attributes(columnar, protocol):
    for snapshot in (memtally.Snapshot(list(RAW), 2), columnar(RAW)):
        snapshot.note = [1, "two"]
        back = pickle.loads(pickle.dumps(snapshot, protocol))
        assert back.traces == snapshot.traces
        assert (back.traceback_limit, back.note, back.view_name) == (2, [1, "two"], "live")
        assert back.statistics("traceback") == snapshot.statistics("traceback")


def test_copies_share_nothing_that_can_be_changed(columnar):
    for snapshot in (memtally.Snapshot(list(RAW), 2), columnar(RAW)):
        twin = copy.deepcopy(snapshot)
        twin.traces._traces.clear()
        twin.traces._traces = []
        assert list(snapshot.traces) == [memtally.Trace(raw) for raw in RAW]


def test_cycles_through_a_snapshot_are_collected():
    class Marker:
        pass

    marker = Marker()
    reference = weakref.ref(marker)
    snapshot = memtally.Snapshot([marker], 1)
    snapshot.traces._traces.append(snapshot)
    snapshot.me = snapshot
    frame = memtally.Frame((marker, None))
    frame._frame = (marker, frame)
    statistic = memtally.Statistic(marker, 1, 1)
    statistic.size = statistic
    traceback = memtally.Traceback((marker,))
    traceback._frames = (traceback, marker)
    trace = memtally.Trace((0, 1, marker))
    trace._trace = (trace, marker)
    del marker, snapshot, frame, statistic, traceback, trace
    gc.collect()
    assert reference() is None
