"""Snapshot.view and Snapshot.metadata: what one snapshot, and one file, know of a moment."""

import copy
import datetime
import json
import os
import pickle
import subprocess
import sys
import threading

import pytest

import memtally

VIEWS = ("live", "peak", "total")
NUMBERS = ("frames", "lost_traces", "traced_bytes", "peak_bytes")


def allocate(size):
    return bytearray(size)


@pytest.fixture
def snapshot(tracing):
    """Of a program that holds 100 kB, held 1 MB at its peak, and asked for 3 MB more in all."""
    tracing.clear_traces()
    for _ in range(10):
        allocate(300_000)
    high = allocate(1_000_000)
    del high
    kept = allocate(100_000)
    result = tracing.take_snapshot()
    del kept
    return result


def bytes_here(snapshot):
    """The bytes of allocate() in a view."""
    (statistic,) = [s for s in snapshot.statistics("function") if s.traceback[0].function == "allocate"]
    return statistic.size


def sums(snapshot):
    return [bytes_here(snapshot.view(view)) for view in VIEWS]


def test_one_snapshot_has_three_views_of_the_same_moment(snapshot):
    live, peak, total = sums(snapshot)
    assert 100_000 <= live < 101_000
    assert 1_000_000 <= peak < 1_001_000
    assert 4_100_000 <= total < 4_110_000
    for view in VIEWS:
        other = snapshot.view(name=view)
        assert other.view_name == view
        assert other.traceback_limit == 25
        assert sums(other) == [live, peak, total]
    assert sum(trace.size for trace in snapshot.traces) == snapshot.metadata["traced_bytes"]
    assert sum(trace.size for trace in snapshot.view("peak").traces) == snapshot.metadata["peak_bytes"]


def test_the_view_that_a_snapshot_is_of_is_the_snapshot(snapshot):
    assert snapshot.view("live") is snapshot
    peak = snapshot.view("peak")
    assert peak.view("peak") is peak


def test_a_snapshot_asked_for_as_peak_or_total_has_both_and_no_blocks(tracing):
    for own, other in (("peak", "total"), ("total", "peak")):
        snapshot = tracing.take_snapshot(view=own)
        assert snapshot.view_name == own
        assert snapshot.view(other).view_name == other
        with pytest.raises(ValueError, match="no view 'live'; it has 'peak', 'total'"):
            snapshot.view("live")


def test_views_that_are_not_there_and_names_that_are_none_are_refused(snapshot):
    made = memtally.Snapshot([(0, 1, (("a", 1),))], 1)
    assert made.view("live") is made
    for view in ("peak", "total"):
        with pytest.raises(ValueError, match=f"no view '{view}'; it has 'live'"):
            made.view(view)
    for name in ("all", "", None, 5, b"live"):
        with pytest.raises(ValueError, match=r"unknown view: .*; there are 'live', 'peak' and 'total'"):
            snapshot.view(name)
    with pytest.raises(TypeError):
        snapshot.view()
    snapshot.traces = made.traces
    assert snapshot.view_name == "live"
    with pytest.raises(ValueError, match="no view 'peak'"):
        snapshot.view("peak")
    assert snapshot.metadata == {}
    snapshot.traces = [1, 2]
    assert (snapshot.view_name, snapshot.metadata) == ("live", {})
    del snapshot.traces
    for ask in (lambda: snapshot.view("peak"), lambda: snapshot.view_name, lambda: snapshot.metadata):
        with pytest.raises(AttributeError):
            ask()


def test_attributes_and_the_class_go_with_a_view(tracing):
    class Named(memtally.Snapshot):
        pass

    snapshot = tracing.take_snapshot()
    snapshot.__class__ = Named
    snapshot.note = ["kept"]
    peak = snapshot.view("peak")
    assert type(peak) is Named
    assert peak.note is snapshot.note
    peak.note = "another"
    assert snapshot.note == ["kept"]


def test_files_pickles_and_copies_keep_all_views_and_metadata(snapshot, tmp_path):
    expected = sums(snapshot)
    for view in VIEWS:
        mine = snapshot.view(view)
        mine.dump(tmp_path / "file")
        back = [memtally.Snapshot.load(tmp_path / "file"), pickle.loads(pickle.dumps(mine))]
        back += [copy.copy(mine), copy.deepcopy(mine), mine.filter_traces([])]
        for other in back:
            assert other.view_name == view
            assert sums(other) == expected
            assert other.metadata == snapshot.metadata
            assert other.traces == mine.traces
            assert other.traceback_limit == 25


def test_filters_apply_to_all_views(snapshot):
    narrow = snapshot.filter_traces([memtally.Filter(True, __file__, allocate.__code__.co_firstlineno + 1)])
    for view in VIEWS:
        traces = narrow.view(view).traces
        assert sum(trace.size for trace in traces) == bytes_here(snapshot.view(view))
    assert narrow.metadata == snapshot.metadata
    nothing = snapshot.filter_traces([memtally.Filter(False, "*")])
    assert [len(nothing.view(view).traces) for view in VIEWS] == [0, 0, 0]


def test_metadata_tell_when_of_what_and_how_much(snapshot, monkeypatch):
    metadata = snapshot.metadata
    assert set(metadata) == {"time", "program", "arguments", "python", "memtally", "platform", *NUMBERS}
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(metadata["time"])
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=1)
    assert (metadata["program"], metadata["arguments"]) == (sys.argv[0], tuple(sys.argv[1:]))
    assert metadata["python"] == sys.version.split()[0]
    assert metadata["memtally"] == memtally.__version__
    assert metadata["platform"] == " ".join([os.uname().sysname, os.uname().release, os.uname().machine])
    assert (metadata["frames"], metadata["lost_traces"]) == (25, 0)
    assert 100_000 <= metadata["traced_bytes"] < 1_000_000 <= metadata["peak_bytes"] < 2_000_000
    with pytest.raises(TypeError):
        metadata["time"] = "never"
    with pytest.raises(AttributeError):
        snapshot.metadata = {}


def test_metadata_stay_those_of_the_moment(tracing, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["program.py", "--password", "\udcff"])
    snapshot = tracing.take_snapshot()
    sys.argv[1] = "changed"
    tracing.reset_peak()
    assert snapshot.metadata["arguments"] == ("--password", "\udcff")
    assert snapshot.metadata["program"] == "program.py"


@pytest.mark.parametrize("argv", [[], [5], None, "text", ["p", 5, "a"]])
def test_an_argv_that_is_none_does_no_harm(tracing, monkeypatch, argv):
    monkeypatch.setattr(sys, "argv", argv)
    metadata = tracing.take_snapshot().metadata
    assert metadata.get("arguments") == (("a",) if argv and argv[0] == "p" else None)
    assert metadata["frames"] == 25


@pytest.mark.parametrize("arguments", [(), ("",), ("a", "", "b c"), ("\n", "é\udc80")])
def test_metadata_can_be_left_out_of_a_file(tracing, monkeypatch, tmp_path, arguments):
    monkeypatch.setattr(sys, "argv", ["program.py", *arguments])
    snapshot = tracing.take_snapshot()
    path = tmp_path / "file"
    snapshot.dump(path)
    assert memtally.Snapshot.load(path).metadata == snapshot.metadata
    assert memtally.Snapshot.load(path).metadata["arguments"] == arguments
    snapshot.dump(path, leave_out=["arguments", "program"])
    back = memtally.Snapshot.load(path)
    assert back.metadata == {k: v for k, v in snapshot.metadata.items() if k not in ("arguments", "program")}
    assert b"program.py" not in path.read_bytes()
    back.dump(path, leave_out=snapshot.metadata)
    assert memtally.Snapshot.load(path).metadata == {}


def test_names_to_leave_out_are_checked(snapshot, tmp_path):
    path = tmp_path / "file"
    with pytest.raises(ValueError, match="no entry 'argument'"):
        snapshot.dump(path, leave_out=["argument"])
    with pytest.raises(TypeError, match="not one str"):
        snapshot.dump(path, leave_out="arguments")
    with pytest.raises(TypeError):
        snapshot.dump(path, leave_out=5)
    with pytest.raises(TypeError):
        snapshot.dump(path, ["arguments"])
    assert os.listdir(tmp_path) == []


def test_taking_all_views_while_threads_allocate_keeps_them_of_one_moment(tracing):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            [bytearray(100) for _ in range(100)]

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            snapshot = tracing.take_snapshot()
            live = sum(s.size for s in snapshot.statistics("filename"))
            peak = sum(s.size for s in snapshot.view("peak").statistics("filename"))
            assert live == snapshot.metadata["traced_bytes"] <= snapshot.metadata["peak_bytes"] == peak
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_run_writes_what_it_ran(tmp_path):
    code = "import memtally; memtally.start(); memtally.take_snapshot().dump('file')"
    subprocess.run([sys.executable, "-c", code, "one", "two"], cwd=tmp_path, check=True)
    metadata = memtally.Snapshot.load(tmp_path / "file").metadata
    assert (metadata["program"], metadata["arguments"]) == ("-c", ("one", "two"))
    assert json.dumps(dict(metadata))
