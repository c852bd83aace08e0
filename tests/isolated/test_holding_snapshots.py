"""What it costs to hold many snapshots: the rows that have changed.

Rows lie in memory of their own, not in Python's, so what snapshots hold is what the process loses with them.
"""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from fresh_process import check

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# A program with ROWS rows: as many call paths as `make` has functions, each with SIZES sizes of blocks.
PROGRAM = """if True:
    import gc, io, os, random, memtally
    SIZES, PATHS, TIMES = 15, 2000, 10
    ROWS = SIZES * PATHS
    ROW = 32
    source = "".join(f"def make{i}(size): return bytes(size)\\n" for i in range(PATHS))
    exec(compile(source, "made.py", "exec"))
    make = [globals()[f"make{i}"] for i in range(PATHS)]
    chance = random.Random(1)
    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    def one_more(row):
        return make[row % PATHS](100 + 16 * (row // PATHS))
    def held_by(snapshots):
        before = resident()
        snapshots.clear()
        return before - resident()
    memtally.start()
    kept = [one_more(row) for row in range(ROWS)]
"""


def test_ten_snapshots_cost_the_rows_that_have_changed() -> None:
    check(
        PROGRAM
        + """
    CHANGED = ROWS // 100
    first = memtally.take_snapshot()
    snapshots = []
    for _ in range(TIMES):
        kept += [one_more(chance.randrange(ROWS)) for _ in range(CHANGED)]
        snapshots.append(memtally.take_snapshot())
    memtally.stop()
    held = held_by(snapshots)
    assert held < TIMES * (2 * 3 * CHANGED * ROW + 60_000), held  # three views; pages
    assert held < TIMES * ROWS * ROW / 10, held
    """
    )


def test_snapshots_cost_no_more_after_they_were_looked_at() -> None:
    check(
        PROGRAM
        + """
    first = memtally.take_snapshot()
    snapshots = []
    for _ in range(TIMES):
        kept += [one_more(chance.randrange(ROWS)) for _ in range(ROWS // 100)]
        snapshots.append(memtally.take_snapshot())
    memtally.stop()
    for snapshot in snapshots:
        assert len(snapshot.statistics("lineno")) >= PATHS
        assert snapshot.statistics("traceback")
        assert snapshot.compare_to(first, "lineno")
        assert snapshot.tree().size == sum(stat.size for stat in snapshot.statistics("filename"))
        snapshot.dump(io.BytesIO())
    snapshot = None
    held = held_by(snapshots)
    assert held < TIMES * ROWS * ROW / 6, held
    """
    )


def test_filtered_snapshots_of_a_series_share_as_well() -> None:
    check(
        PROGRAM
        + """
    filters = [memtally.Filter(False, "<frozen*>"), memtally.Filter(False, "made.py", lineno=7)]
    memtally.take_snapshot()
    snapshots = [memtally.take_snapshot().filter_traces(filters)]
    first = snapshots[0]
    for _ in range(TIMES):
        kept += [one_more(chance.randrange(ROWS)) for _ in range(ROWS // 100)]
        snapshots.append(memtally.take_snapshot().filter_traces(filters))
    memtally.stop()
    held = held_by(snapshots)
    assert held < TIMES * ROWS * ROW / 6, held
    assert sum(stat.count for stat in first.statistics("lineno")) >= ROWS - SIZES
    """
    )


def test_snapshots_that_share_have_each_trace_of_their_moment() -> None:
    check(
        PROGRAM
        + """
    from collections import Counter
    from memtally._core import _get_traces
    def made(raw):
        return Counter(trace for trace in raw if trace[1] >= 100 and trace[2][0][0] == "made.py")
    moments = []
    for _ in range(4):
        moments.append((memtally.take_snapshot(), made(_get_traces())))
        for row in chance.sample(range(ROWS), 400):
            kept[row] = None
        kept += [one_more(chance.randrange(ROWS)) for _ in range(300)]
    memtally.stop()
    for snapshot, expected in moments:
        traces = list(snapshot.traces)
        assert made(trace._trace for trace in traces) == expected
        assert len(traces) == len(snapshot.traces)
        for i in [0, 1, 63, 64, 65, len(traces) - 1] + chance.sample(range(len(traces)), 500):
            assert snapshot.traces[i] == traces[i]
        file = io.BytesIO()
        snapshot.dump(file)
        file.seek(0)
        assert memtally.Snapshot.load(file).traces == snapshot.traces
    """
    )


def test_a_snapshot_gives_back_what_it_does_not_share() -> None:
    check(
        PROGRAM
        + """
    snapshots = [memtally.take_snapshot()]
    kept += [one_more(row) for row in range(ROWS)]  # every row has another count
    last = memtally.take_snapshot()
    held = held_by(snapshots)
    assert held > 0.9 * ROWS * ROW, held
    snapshots, last = [last], memtally.take_snapshot()  # and here they share all
    held = held_by(snapshots)
    assert held < 0.2 * ROWS * ROW, held
    """
    )
