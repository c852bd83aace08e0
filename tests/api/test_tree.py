"""Snapshot.tree(): the call tree with own and cumulative bytes and blocks, against sums over all traces."""

import collections
import gc

import pytest
from random_traces import fast, hypothesis, ties

import memtally


def spread(branch):
    """{path from the oldest frame: (own size, own count, size, count)} of a tree."""
    found, rest = {}, [((), branch)]
    while rest:
        path, here = rest.pop()
        assert path not in found
        found[path] = (here.own_size, here.own_count, here.size, here.count)
        rest += [((*path, child.frame._frame), child) for child in here]
    return found


def plain_tree(traces):
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    _ = sums[()]
    for trace in traces:
        path = tuple(reversed(trace._trace[2]))
        for length in range(len(path) + 1):
            sums[path[:length]][2] += trace.size
            sums[path[:length]][3] += 1
        sums[path][0] += trace.size
        sums[path][1] += 1
    return {path: tuple(numbers) for path, numbers in sums.items()}


@fast
@hypothesis.given(raw=ties)
def test_every_call_has_the_sums_of_its_traces(raw):
    snapshot = memtally.Snapshot(raw, 5)
    assert spread(snapshot.tree()) == plain_tree(snapshot.traces)


@fast
@hypothesis.given(raw=ties)
def test_children_are_sorted_as_statistics(raw):
    rest = [memtally.Snapshot(raw, 5).tree()]
    while rest:
        children = list(rest.pop())
        keys = [(child.size, child.count, child.frame) for child in children]
        assert keys == sorted(keys, reverse=True)
        rest += children


def nested(depth, size):
    return nested(depth - 1, size) if depth else bytes(size)


@pytest.fixture
def traced():
    memtally.start(3)
    keep = [nested(6, 10_000), nested(6, 10_000), nested(2, 500)]
    snapshot = memtally.take_snapshot()
    memtally.stop()
    assert keep
    return snapshot.filter_traces([memtally.Filter(True, __file__)])


def test_paths_are_whole_also_beyond_the_limit(traced):
    branch, functions = traced.tree(), []
    while len(branch):
        branch = branch[0]
        functions.append(branch.frame.function)
    assert functions[-8:] == ["traced", *["nested"] * 7]
    assert branch.own_count == 2
    assert branch.size == branch.own_size > 20_000
    assert [frame.function for frame in branch.traceback][-8:] == functions[-8:]
    assert len(traced.traces[0].traceback) == 3


def test_the_root_stands_for_the_whole_snapshot(traced):
    root = traced.tree()
    assert root.frame is None
    assert len(root.traceback) == 0
    assert root.size == sum(trace.size for trace in traced.traces)
    assert root.count == len(traced.traces)
    assert root.own_size == root.own_count == 0
    assert "frame=None" in repr(root)


@pytest.mark.parametrize("view", ["peak", "total"])
def test_every_view_has_a_tree(view):
    memtally.start(5)
    keep = nested(3, 5000)
    snapshot = memtally.take_snapshot(view=view)
    memtally.stop()
    assert keep
    root = snapshot.tree()
    assert root.size == sum(statistic.size for statistic in snapshot.statistics("lineno"))
    assert root.count == sum(statistic.count for statistic in snapshot.statistics("lineno"))


def test_branches_are_sequences(traced):
    root = traced.tree()
    assert list(root) == [root[i] for i in range(len(root))]
    assert root[-1] == root[len(root) - 1]
    assert root[0] == root[0]
    assert hash(root[0]) == hash(root[0])
    assert root[0] != root
    assert root != traced.tree()
    assert bool(memtally.Snapshot([], 1).tree())
    assert len(memtally.Snapshot([], 1).tree()) == 0
    with pytest.raises(IndexError):
        root[len(root)]
    with pytest.raises(TypeError):
        memtally.Branch()


def test_a_tree_is_walked_lazily():
    snapshot = memtally.Snapshot([(0, i, ((f"f{i}.py", 1), ("main.py", i % 7))) for i in range(1, 5000)], 2)
    gc.collect()
    root = snapshot.tree()
    assert sum(type(item) is memtally.Branch for item in (root, *gc.get_objects())) == 1
    biggest = root[0]
    del snapshot
    assert biggest.size == sum(child.size for child in biggest)


def test_traces_that_no_blocks_can_have_are_refused():
    with pytest.raises(ValueError, match="call tree"):
        memtally.Snapshot([(0, -1, (("a.py", 1),), 1)], 1).tree()
