"""Snapshots of several processes as one, differences of snapshots, and filters by function."""

import collections
import fnmatch
import pickle

import pytest
from random_traces import fast, hypothesis, st, ties

import memtally

names = st.sampled_from(["web-1", "web-2", "worker", "é", "\udc80"])


def raw_of(snapshot):
    return [trace._trace for trace in snapshot.traces]


def texts(snapshot, *arguments):
    return [str(statistic) for statistic in snapshot.statistics(*arguments)]


# --- merge ---


@fast
@hypothesis.given(parts=st.dictionaries(names, ties, min_size=1))
def test_a_merged_snapshot_has_all_traces_and_gives_each_process_back(parts):
    merged = memtally.Snapshot.merge({name: memtally.Snapshot(raw, 5) for name, raw in parts.items()})
    whole = [trace for raw in parts.values() for trace in raw]
    assert raw_of(merged) == whole
    for arguments in (("lineno",), ("traceback",), ("filename", True)):
        assert texts(merged, *arguments) == texts(memtally.Snapshot(whole, 5), *arguments)
    assert merged.processes == tuple(sorted(name for name, raw in parts.items() if raw))
    for name in merged.processes:
        assert raw_of(merged.process(name)) == parts[name]


@fast
@hypothesis.given(parts=st.dictionaries(names, ties, min_size=1))
def test_statistics_by_process(parts):
    merged = memtally.Snapshot.merge({name: memtally.Snapshot(raw, 5) for name, raw in parts.items()})
    expected = sorted(
        ((sum(trace[1] for trace in raw), len(raw), name) for name, raw in parts.items() if raw), reverse=True
    )
    found = merged.statistics("process")
    assert [(each.size, each.count, each.traceback[0].filename) for each in found] == expected
    assert (
        merged.process(found[0].traceback[0].filename).statistics("process") == found[:1] if found else True
    )


@fast
@hypothesis.given(old=st.dictionaries(names, ties, min_size=1), new=st.dictionaries(names, ties, min_size=1))
def test_comparing_by_process(old, new):
    before, now = (
        memtally.Snapshot.merge({name: memtally.Snapshot(raw, 5) for name, raw in parts.items()})
        for parts in (old, new)
    )
    found = {each.traceback[0].filename: each for each in now.compare_to(before, "process")}
    assert set(found) == {name for parts in (old, new) for name, raw in parts.items() if raw}
    for name, each in found.items():
        assert each.size == sum(trace[1] for trace in new.get(name, ()))
        assert each.size_diff == each.size - sum(trace[1] for trace in old.get(name, ()))
        assert each.count_diff == len(new.get(name, ())) - len(old.get(name, ()))


def test_what_was_traced_with_a_lower_limit_is_not_shown_with_more_frames():
    def inner():
        return bytes(7777)

    snapshots = {}
    for limit in (1, 4):
        memtally.start(limit)
        keep = inner()
        snapshots[f"limit {limit}"] = memtally.take_snapshot()
        memtally.stop()
        assert keep
    merged = memtally.Snapshot.merge(snapshots)
    assert merged.traceback_limit == 4
    for name, part in snapshots.items():
        assert raw_of(merged.process(name)) == raw_of(part)
        assert texts(merged.process(name), "function", True) == texts(part, "function", True)


@pytest.mark.parametrize("view", ["live", "peak", "total"])
def test_every_view_is_merged(view):
    memtally.start(4)
    keep = [bytes(1000) for _ in range(10)]
    snapshot = memtally.take_snapshot(view=view)
    memtally.stop()
    assert keep
    merged = memtally.Snapshot.merge({"a": snapshot, "b": snapshot})
    assert [each.size for each in merged.statistics("lineno")] == [
        2 * each.size for each in snapshot.statistics("lineno")
    ]
    assert merged.process("b").statistics("traceback") == snapshot.statistics("traceback")


def test_processes_of_merged_snapshots_are_kept():
    one = memtally.Snapshot([(0, 5, (("a.py", 1),), 1)], 1)
    inner = memtally.Snapshot.merge({"first": one, "second": one})
    outer = memtally.Snapshot.merge({"host": inner, "third": one})
    assert outer.processes == ("first", "second", "third")
    assert one.processes == ()
    assert [each.traceback[0].filename for each in one.statistics("process")] == [""]
    kept = outer.filter_traces([memtally.Filter(True, "a.py")])
    assert kept.processes == outer.processes
    assert len((outer - inner).traces) == 1
    assert (outer - inner).processes == ("third",)


@fast
@hypothesis.given(parts=st.dictionaries(names, ties, min_size=1))
def test_files_and_pickles_keep_processes(tmp_path_factory, parts):
    path = tmp_path_factory.getbasetemp() / "merged"
    merged = memtally.Snapshot.merge({name: memtally.Snapshot(raw, 5) for name, raw in parts.items()})
    merged.dump(path)
    for again in (memtally.Snapshot.load(path), pickle.loads(pickle.dumps(merged))):
        assert again.processes == merged.processes
        assert texts(again, "process") == texts(merged, "process")
        for name in merged.processes:
            assert raw_of(again.process(name)) == parts[name]


def test_merging_says_what_it_needs():
    one = memtally.Snapshot([(0, 5, (("a.py", 1),), 1)], 1)
    for wrong in ([one], None, one, "ab"):
        with pytest.raises(TypeError, match="mapping of names"):
            memtally.Snapshot.merge(wrong)
    for wrong in ({1: one}, {"": one}, {"a": None}, {"a": raw_of(one)}):
        with pytest.raises(TypeError):
            memtally.Snapshot.merge(wrong)
    with pytest.raises(ValueError, match="at least one"):
        memtally.Snapshot.merge({})
    with pytest.raises(ValueError, match="no blocks can have"):
        memtally.Snapshot.merge({"a": memtally.Snapshot([(0, -5, (("a.py", 1),), 1)], 1)})
    with pytest.raises(KeyError, match="no process 'b'"):
        memtally.Snapshot.merge({"a": one}).process("b")
    memtally.start()
    peak = memtally.take_snapshot(view="peak")
    memtally.stop()
    with pytest.raises(ValueError, match="same view"):
        memtally.Snapshot.merge({"a": one, "b": peak})


# --- difference ---


def counted(raw):
    return collections.Counter(trace if len(trace) == 4 else (*trace, None) for trace in raw)


@fast
@hypothesis.given(new=ties, old=ties, common=ties)
def test_a_difference_is_that_of_counters_of_traces(new, old, common):
    new, old = new + common, common + old
    difference = memtally.Snapshot(new, 5) - memtally.Snapshot(old, 5)
    assert counted(raw_of(difference)) == counted(new) - counted(old)
    assert difference.traceback_limit == 5
    order = {trace: i for i, trace in reversed(list(enumerate(new)))}
    assert sorted(map(order.get, dict.fromkeys(raw_of(difference)))) == [
        order[trace]
        for trace in dict.fromkeys(trace for trace in new if trace in counted(raw_of(difference)))
    ]


def test_what_was_allocated_since():
    memtally.start(3)
    keep = [bytes(1000) for _ in range(20)]
    old = memtally.take_snapshot()
    new_blocks = [bytes(1000) for _ in range(5)] + [bytes(3000)]
    difference = memtally.take_snapshot() - old
    memtally.stop()
    assert keep
    assert new_blocks
    sizes = sorted(trace.size for trace in difference.traces if trace.size > 900)
    assert len(sizes) == 6
    assert sizes[-1] > 3000


def test_a_difference_of_totals_is_what_was_allocated_meanwhile():
    def churn(times):
        for _ in range(times):
            bytes(5000)

    memtally.start(3)
    churn(100)
    old = memtally.take_snapshot(view="total")
    churn(30)
    difference = memtally.take_snapshot(view="total") - old
    memtally.stop()
    (found,) = (each for each in difference.statistics("lineno") if each.size > 100_000)
    assert found.count == 30
    assert found.size // 30 > 5000


def test_differences_say_what_they_need():
    memtally.start()
    live, peak = memtally.take_snapshot(), memtally.take_snapshot(view="peak")
    memtally.stop()
    with pytest.raises(ValueError, match="same view"):
        live - peak
    with pytest.raises(ValueError, match="compare_to"):
        peak - peak
    with pytest.raises(ValueError, match="no blocks can have"):
        live - memtally.Snapshot([(0, -5, (("a.py", 1),), 1)], 1)
    for other in (None, 1, [], "x"):
        with pytest.raises(TypeError):
            live - other
        with pytest.raises(TypeError):
            other - live


# --- filters by function ---


class Parser:
    def load(self):
        return bytes(4000)

    def parse(self):
        return [self.load(), (lambda: bytes(300))()]


@pytest.fixture
def traced():
    memtally.start(6)
    keep = Parser().parse(), Parser().load(), bytes(77_777)
    snapshot = memtally.take_snapshot()
    memtally.stop()
    assert keep
    return snapshot


PATTERNS = ["Parser.*", "Parser.load", "*lambda*", "parser.*", "*", "traced", "Parser.l[a-o]ad", "nobody", ""]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("all_frames", [False, True])
@pytest.mark.parametrize("inclusive", [False, True])
def test_functions_are_filtered_by_pattern(traced, pattern, all_frames, inclusive):
    def matches(trace):
        frames = list(trace.traceback) if all_frames else [trace.traceback[-1]]
        return any(
            frame.function is not None
            and fnmatch.fnmatchcase(frame.function, pattern)
            and fnmatch.fnmatch(frame.filename, "*.py")
            for frame in frames
        )

    chosen = memtally.Filter(inclusive, "*.py", all_frames=all_frames, function=pattern)
    kept = traced.filter_traces([chosen])
    assert raw_of(kept) == [trace._trace for trace in traced.traces if matches(trace) == inclusive]


def test_file_and_function_must_match_in_one_frame(traced):
    other_file = memtally.Filter(True, "other.py", all_frames=True, function="Parser.load")
    assert len(traced.filter_traces([other_file]).traces) == 0


def test_unknown_functions_match_no_pattern():
    raw = memtally.Snapshot([(0, 5, (("a.py", 1),), 1)], 1)
    columns = memtally.Snapshot.from_tracemalloc(raw.to_tracemalloc())
    for snapshot in (raw, columns):
        assert len(snapshot.filter_traces([memtally.Filter(True, "*", function="*")]).traces) == 0
        assert len(snapshot.filter_traces([memtally.Filter(False, "*", function="*")]).traces) == 1
        assert len(snapshot.filter_traces([memtally.Filter(True, "*", function=None)]).traces) == 1
    chosen = memtally.Filter(True, "*", function="*")
    assert chosen.function == "*"
    assert not chosen._match((0, 5, (("a.py", 1),), 1))
    assert pickle.loads(pickle.dumps(chosen)).function == "*"


def test_a_pattern_that_is_no_string_is_an_error(traced):
    with pytest.raises(TypeError):
        traced.filter_traces([memtally.Filter(True, "*", function=3)])
