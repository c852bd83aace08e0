"""Random traces give the same statistics, differences and filtered traces as in the standard module."""

import itertools
import tracemalloc

from random_traces import fast, filters, hypothesis, many, st, ties

import memtally

keys = st.sampled_from(["filename", "lineno", "traceback"])


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


@fast
@hypothesis.given(raw=many | ties, key=keys, cumulative=st.booleans())
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
@hypothesis.given(new=many | ties, old=many | ties, common=many | ties, key=keys, cumulative=st.booleans())
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
        assert [repr(statistic) for statistic in found] == [repr(statistic) for statistic in expected]


@fast
@hypothesis.given(raw=many | ties, chosen=st.lists(filters(), max_size=3))
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


@fast
@hypothesis.given(raw=ties, chosen=st.lists(filters(), max_size=2), key=keys, cumulative=st.booleans())
def test_statistics_of_filtered_traces(raw, chosen, key, cumulative):
    cumulative = cumulative and key != "traceback"

    def texts(module, snapshot):
        kept = snapshot.filter_traces([getattr(module, name)(*arguments) for name, arguments in chosen])
        return [str(statistic) for statistic in kept.statistics(key, cumulative)]

    standard = tracemalloc.Snapshot(raw, 5)
    own = memtally.Snapshot.from_tracemalloc(standard)
    assert texts(memtally, own) == texts(tracemalloc, standard)


@fast
@hypothesis.given(raw=ties, key=keys, data=st.data())
def test_statistics_sort_compare_and_hash_as_the_standard_ones(raw, key, data):
    standard = tracemalloc.Snapshot(raw, 5).statistics(key)
    own = memtally.Snapshot.from_tracemalloc(tracemalloc.Snapshot(raw, 5)).statistics(key)
    order = data.draw(st.permutations(range(len(own))))
    shuffled, expected = [own[i] for i in order], [standard[i] for i in order]
    for sort_key in ("traceback", "size", "count"):
        shuffled.sort(key=lambda statistic: getattr(statistic, sort_key))
        expected.sort(key=lambda statistic: getattr(statistic, sort_key))
        assert [repr(statistic) for statistic in shuffled] == [repr(statistic) for statistic in expected]
    assert len(set(own)) == len(set(standard)) == len(own)
    assert own == memtally.Snapshot(raw, 5).statistics(key)
    for left, right in itertools.pairwise(own):
        assert left != right
        assert left._sort_key() > right._sort_key()


@fast
@hypothesis.given(raw=many | ties)
def test_traces_of_either_module_say_the_same(raw):
    standard, own = (
        tracemalloc.Snapshot(raw, 5),
        memtally.Snapshot.from_tracemalloc(tracemalloc.Snapshot(raw, 5)),
    )
    assert len(own.traces) == len(standard.traces)
    for trace, expected in zip(own.traces, standard.traces, strict=True):
        assert (repr(trace), str(trace), trace.size, trace.domain) == (
            repr(expected),
            str(expected),
            expected.size,
            expected.domain,
        )
        assert [repr(frame) for frame in trace.traceback] == [repr(frame) for frame in expected.traceback]
        assert trace.traceback.format() == expected.traceback.format()
    assert own.to_tracemalloc().traces == standard.traces
