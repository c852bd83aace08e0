"""Random traces give the same statistics, differences and filtered traces as in the standard module."""

import tracemalloc

import pytest

import memtally

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
st = hypothesis.strategies

FILES = [
    "a.py",
    "b.py",
    "a.pyc",
    "",
    "A.py",
    "<unknown>",
    "pkg/c.py",
    "é.py",
    "\U0001f40d.py",
    "\udc80",
    "\uffff",
]
frames = st.tuples(st.sampled_from(FILES), st.integers(0, 4) | st.integers(0, 2**32 - 1))
paths = st.lists(frames, min_size=1, max_size=5).map(tuple)
sizes = st.integers(0, 20) | st.integers(0, 2**64 - 1)
raw_traces = st.tuples(
    st.integers(0, 2) | st.integers(0, 2**32 - 1), sizes, paths, st.none() | st.integers(0, 70_000)
)
# few distinct blocks, many times each, in any order
many = st.lists(raw_traces, max_size=8).flatmap(
    lambda distinct: st.lists(st.sampled_from(distinct), max_size=30) if distinct else st.just([])
)
keys = st.sampled_from(["filename", "lineno", "traceback"])
patterns = st.sampled_from([*FILES, "*", "*.py", "[ab].py", "?", "*.pyc", "pkg*"])


@st.composite
def filters(draw):
    """A constructor's name and arguments."""
    domain = draw(st.none() | st.integers(0, 2))
    if draw(st.booleans()):
        return ("DomainFilter", (draw(st.booleans()), domain))
    line = draw(st.none() | st.integers(0, 4))
    return ("Filter", (draw(st.booleans()), draw(patterns), line, draw(st.booleans()), domain))


def spread(statistics):
    """What a list of statistics of either module says."""
    names = ("traceback", "size", "count", "size_diff", "count_diff")
    return [
        tuple(
            value._frames if name == "traceback" else value
            for name in names
            if (value := getattr(statistic, name, None)) is not None
        )
        for statistic in statistics
    ]


def reloaded(snapshot, folder):
    """The same traces as columns, where they fit."""
    try:
        snapshot.dump(folder / "snapshot")
    except ValueError:
        return snapshot
    return memtally.Snapshot.load(folder / "snapshot")


fast = hypothesis.settings(max_examples=80, deadline=None, derandomize=True, database=None)


@fast
@hypothesis.given(raw=many, key=keys, cumulative=st.booleans())
def test_statistics(tmp_path_factory, raw, key, cumulative):
    cumulative = cumulative and key != "traceback"
    folder = tmp_path_factory.getbasetemp()
    expected = tracemalloc.Snapshot(raw, 5).statistics(key, cumulative)
    own = memtally.Snapshot(raw, 5)
    for snapshot in (own, reloaded(own, folder)):
        found = snapshot.statistics(key, cumulative)
        assert spread(found) == spread(expected)
        assert [str(statistic) for statistic in found] == [str(statistic) for statistic in expected]
        assert [repr(statistic) for statistic in found] == [repr(statistic) for statistic in expected]


@fast
@hypothesis.given(new=many, old=many, common=many, key=keys, cumulative=st.booleans())
def test_differences(tmp_path_factory, new, old, common, key, cumulative):
    cumulative = cumulative and key != "traceback"
    new, old = new + common, common + old
    folder = tmp_path_factory.getbasetemp()
    expected = tracemalloc.Snapshot(new, 5).compare_to(tracemalloc.Snapshot(old, 5), key, cumulative)
    own, own_old = memtally.Snapshot(new, 5), memtally.Snapshot(old, 5)
    columns, columns_old = reloaded(own, folder), reloaded(own_old, folder)
    for now, before in ((own, own_old), (columns, columns_old), (own, columns_old), (columns, own_old)):
        found = now.compare_to(before, key, cumulative)
        assert spread(found) == spread(expected)
        assert [str(statistic) for statistic in found] == [str(statistic) for statistic in expected]


@fast
@hypothesis.given(raw=many, chosen=st.lists(filters(), max_size=3))
def test_filtered_traces(tmp_path_factory, raw, chosen):
    def filtered(module, snapshot):
        return snapshot.filter_traces([getattr(module, name)(*arguments) for name, arguments in chosen])

    expected = filtered(tracemalloc, tracemalloc.Snapshot(raw, 5)).traces._traces
    own = memtally.Snapshot(raw, 5)
    for snapshot in (own, reloaded(own, tmp_path_factory.getbasetemp())):
        found = filtered(memtally, snapshot)
        assert found.traces._traces == expected
        assert found.traceback_limit == 5


@fast
@hypothesis.given(raw=many)
def test_traces_survive_columns(tmp_path_factory, raw):
    own = memtally.Snapshot(raw, 5)
    columns = reloaded(own, tmp_path_factory.getbasetemp())
    assert columns.traces._traces == raw
    assert [trace._trace for trace in columns.traces] == raw
    assert columns.traces == own.traces
    assert all(trace in columns.traces for trace in own.traces)
