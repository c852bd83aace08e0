"""The functions of the module: what the standard ones do, and what is new."""

import gc
import importlib
import inspect
import os
import subprocess
import sys
import textwrap
import tracemalloc
from unittest import mock

import pytest

import memtally

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from allocators import NOT_PYMALLOC, NOT_TOLD


@pytest.fixture(autouse=True)
def stopped():
    """Neither tracer is on before and after each test."""
    for module in (memtally, tracemalloc):
        module.stop()
    yield
    for module in (memtally, tracemalloc):
        module.stop()


def run(code):
    """What a fresh interpreter prints for this program."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_public_name_of_the_standard_module_is_there():
    names = {
        name
        for name, value in vars(tracemalloc).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    } - {"Iterable", "Sequence", "total_ordering"}
    assert names <= set(memtally.__all__)
    own = {"Branch", "Replacement", "capabilities", "get_include", "measure"}
    own |= {"replace_tracemalloc", "restore_tracemalloc"}
    assert set(memtally.__all__) - names == own
    for name in memtally.__all__:
        assert getattr(memtally, name).__doc__


def test_modules_that_programs_patch_are_found():
    import fnmatch
    import linecache

    assert memtally.linecache is linecache
    assert memtally.fnmatch is fnmatch
    with pytest.raises(AttributeError, match="module 'memtally' has no attribute 'nothing'"):
        _ = memtally.nothing


@pytest.mark.parametrize(
    "arguments",
    ["0", "-1", "65536", "2**31", "2**63", "2**100", "'x'", "1.5", "None", "1, 2", "nframe=1", "b'1'", "[]"],
)
def test_wrong_arguments_of_start_raise_what_the_standard_one_raises(same, arguments):
    code = compile(f"m.start({arguments})", "<expression>", "eval")
    same(lambda module: eval(code, {"m": module}), message="," not in arguments and "=" not in arguments)
    assert not memtally.is_tracing()


@pytest.mark.parametrize("nframe", [True, 1, 2, 25, 65535])
def test_the_limit_is_what_start_was_given(same, nframe):
    def use(module):
        before = module.is_tracing()
        module.start(nframe)
        module.start(7)
        found = (before, module.is_tracing(), module.get_traceback_limit())
        module.stop()
        return found, module.is_tracing(), module.get_traceback_limit()

    same(use)


def test_functions_do_nothing_while_not_tracing(same):
    for call in ("stop", "clear_traces", "reset_peak", "get_traced_memory", "_get_traces", "is_tracing"):
        same(lambda module, call=call: getattr(module, call)())
        same(lambda module, call=call: getattr(module, call)(1), message=False)
    same(lambda module: module.get_object_traceback([]))
    same(lambda module: module._get_object_traceback([]))
    same(lambda module: module.get_object_traceback(obj=5))
    same(lambda module: module.get_object_traceback(), message=False)
    same(lambda module: module.get_tracemalloc_memory() >= 0)


def test_a_snapshot_needs_a_tracer(same):
    same(lambda module: module.take_snapshot())
    same(lambda module: module.take_snapshot(1, 2), message=False)


@pytest.mark.parametrize("view", ["Live", "", None, 5, b"live", "peak "])
def test_an_unknown_view_raises_value_error(view):
    with pytest.raises(ValueError, match=r"unknown view: .*'live', 'peak' and 'total'"):
        memtally.take_snapshot(view)


def test_a_test_may_replace_what_a_snapshot_is_made_of(same):
    raw = [(0, 5, (("a.py", 2),), 10)]

    def use(module):
        with (
            mock.patch.object(module, "is_tracing", return_value=True),
            mock.patch.object(module, "get_traceback_limit", return_value=5),
            mock.patch.object(module, "_get_traces", return_value=raw),
        ):
            snapshot = module.take_snapshot()
        return snapshot, snapshot.traces._traces is raw

    same(use)


def test_replacements_count_under_any_name_of_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tracemalloc", memtally)
    module = importlib.import_module("tracemalloc")
    memtally.start()
    with mock.patch.object(module, "is_tracing", return_value=False), pytest.raises(RuntimeError):
        module.take_snapshot()
    with mock.patch.object(module, "get_traceback_limit", return_value="so many"):
        assert module.take_snapshot().traceback_limit == "so many"
    with mock.patch.object(module, "is_tracing", side_effect=KeyError("k")), pytest.raises(KeyError):
        module.take_snapshot()


def test_a_lie_about_tracing_is_an_error():
    with mock.patch.object(memtally, "is_tracing", return_value=True), pytest.raises(RuntimeError):
        memtally.take_snapshot()


# --- with a tracer ------------------------------------------------------------------------------------------


HEADER = sys.getsizeof(b"")


def allocate(size):
    return bytes(size)


def test_a_block_is_found_in_the_snapshot(tracing):
    kept = allocate(123_457)
    line = allocate.__code__.co_firstlineno + 1
    snapshot = tracing.take_snapshot()
    assert (snapshot.view_name, snapshot.traceback_limit) == ("live", 25)
    (trace,) = [trace for trace in snapshot.traces if trace.size == 123_457 + HEADER]
    frames = list(trace.traceback)
    assert (frames[-1].filename, frames[-1].lineno, frames[-1].function) == (__file__, line, "allocate")
    assert frames[-2].function == "test_a_block_is_found_in_the_snapshot"
    assert len(frames) == 25
    assert trace.traceback.total_nframe > 25
    assert trace in snapshot.traces
    assert kept


def test_statistics_name_functions(tracing):
    kept = [allocate(50_000) for _ in range(20)]
    snapshot = tracing.take_snapshot()
    (statistic,) = [s for s in snapshot.statistics("function") if s.traceback[0].function == "allocate"]
    assert statistic.count >= 20
    assert statistic.size >= 20 * 50_000
    (by_line,) = [s for s in snapshot.statistics("lineno") if s.size == statistic.size]
    assert by_line.traceback[0].function == "allocate"
    assert kept


def test_views_tell_what_is_alive_what_was_and_all(tracing):
    tracing.clear_traces()
    for _ in range(10):
        allocate(300_000)
    high = allocate(1_000_000)
    del high
    kept = allocate(100_000)
    bytes_of = {}
    for view in ("live", "peak", "total"):
        snapshot = tracing.take_snapshot(view=view)
        assert snapshot.view_name == view
        (statistic,) = [s for s in snapshot.statistics("function") if s.traceback[0].function == "allocate"]
        bytes_of[view] = statistic.size
        entries = [trace for trace in snapshot.traces if trace.traceback[-1].function == "allocate"]
        assert sum(trace.size for trace in entries) == statistic.size
    assert 100_000 <= bytes_of["live"] < 110_000
    assert 1_000_000 <= bytes_of["peak"] < 1_110_000
    assert 10 * 300_000 + 1_100_000 <= bytes_of["total"] < 4_200_000
    assert kept


def test_other_views_keep_one_entry_for_a_traceback(tracing):
    kept = [allocate(1000 + i % 3) for i in range(100)]
    snapshot = tracing.take_snapshot("total")
    entries = [(trace.domain, trace.traceback) for trace in snapshot.traces]
    assert len(set(entries)) == len(entries) == len(snapshot.traces)
    narrowed = snapshot.filter_traces([memtally.Filter(True, __file__)])
    assert narrowed.view_name == "total"
    assert 0 < len(narrowed.traces) < len(snapshot.traces)
    assert all(statistic.size_diff == 0 for statistic in snapshot.compare_to(snapshot, "lineno"))
    assert kept


def test_views_survive_files_and_pickles(tracing, tmp_path):
    import pickle

    kept = [allocate(1000 + i % 3) for i in range(100)]
    for view in ("live", "peak", "total"):
        snapshot = tracing.take_snapshot(view)
        snapshot.dump(tmp_path / view)
        for back in (memtally.Snapshot.load(tmp_path / view), pickle.loads(pickle.dumps(snapshot))):
            assert (back.view_name, back.traceback_limit) == (view, 25)
            assert back.traces == snapshot.traces
            assert spread(back.statistics("function")) == spread(snapshot.statistics("function"))
            assert spread(back.compare_to(snapshot, "traceback")) == spread(
                snapshot.compare_to(snapshot, "traceback")
            )
    assert kept


def spread(statistics):
    return [(s, [frame.function for frame in s.traceback]) for s in statistics]


def test_a_snapshot_outlives_the_tracer():
    memtally.start(3)
    kept = allocate(50_000)
    snapshot = memtally.take_snapshot()
    statistic = snapshot.statistics("traceback")[0]
    traceback = memtally.get_object_traceback(kept)
    memtally.stop()
    memtally.start(1)
    memtally.stop()
    assert statistic.size >= 50_000
    assert statistic.traceback[-1].function == "allocate"
    assert [frame.function for frame in traceback][-2:] == [
        "test_a_snapshot_outlives_the_tracer",
        "allocate",
    ] or [frame.function for frame in traceback][-1] == "allocate"
    assert len(list(snapshot.traces)) == len(snapshot.traces)


def test_one_frame_is_kept_by_default():
    memtally.start()
    kept = allocate(50_000)
    (trace,) = [trace for trace in memtally.take_snapshot().traces if trace.size == 50_000 + HEADER]
    assert len(trace.traceback) == 1
    assert trace.traceback.total_nframe > 10
    assert trace.traceback[0].function == "allocate"
    assert kept


def test_raw_traces_are_those_of_a_snapshot(tracing):
    kept = allocate(77_777)
    (raw,) = [raw for raw in tracing._get_traces() if raw[1] == 77_777 + HEADER]
    domain, size, frames, total = raw
    assert (domain, size, len(frames)) == (0, 77_777 + HEADER, 25)
    assert frames[0] == (__file__, allocate.__code__.co_firstlineno + 1)
    assert total > 25
    assert kept


def test_the_traceback_of_an_object(tracing):
    kept = [allocate(10)]
    traceback = tracing.get_object_traceback(kept[0])
    assert traceback[-1].filename == __file__
    assert traceback.total_nframe is None
    assert tracing._get_object_traceback(kept[0]) == tuple(reversed(traceback._frames))
    assert tracing.get_object_traceback(5) is None


def test_capabilities_are_new_each_time():
    first = memtally.capabilities()
    assert type(first["exact_free_lists"]) is bool
    first.clear()
    assert memtally.capabilities()


def test_snapshots_may_be_used_from_several_threads_at_once(tracing):
    import threading

    kept = [allocate(100 + i) for i in range(3000)]
    snapshot = tracing.take_snapshot()
    expected = [str(s) for s in snapshot.statistics("lineno", True)]
    wrong = []

    def use():
        for _ in range(20):
            if [str(s) for s in snapshot.statistics("lineno", True)] != expected:
                wrong.append("statistics")
            if (
                len(list(snapshot.traces)) != len(snapshot.traces)
                or snapshot.traces[-1] not in snapshot.traces
            ):
                wrong.append("traces")
            if len(snapshot.filter_traces([memtally.Filter(True, __file__)]).traces) == 0:
                wrong.append("filter")

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert kept


# --- other interpreters -------------------------------------------------------------------------------------


def test_another_interpreter_is_refused_with_a_clear_message():
    pytest.importorskip("_testcapi", reason="_testcapi runs code in other interpreters")
    output = run(
        """
        import _testcapi, sys, memtally
        sys.stdout.flush()
        _testcapi.run_in_subinterp('''
        try:
            import memtally
        except ImportError as error:
            print("ImportError", error)
        '''.replace("\\n        ", "\\n"))
        """
    )
    assert output == (
        "ImportError memtally traces the whole process and can be imported in the main interpreter only\n"
    )


def test_an_interpreter_with_its_own_gil_is_refused_too():
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    if sys.version_info < (3, 12):
        pytest.skip("Python 3.11 has no interpreters with their own GIL")
    pytest.importorskip(name, reason="this Python has no interpreters module")
    output = run(
        f"""
        import sys, {name} as interpreters, memtally
        other = interpreters.create()
        code = "try:\\n import memtally\\nexcept ImportError as error:\\n print(error, flush=True)"
        (interpreters.exec if hasattr(interpreters, "exec") else interpreters.run_string)(other, code)
        interpreters.destroy(other)
        """
    )
    assert "main interpreter" in output or "does not support loading in subinterpreters" in output


def test_the_module_can_be_dropped_and_imported_again():
    output = run(
        """
        import gc, sys, memtally
        old = memtally.Snapshot([(0, 1, (("a", 1),), 1)], 1)
        for name in [name for name in sys.modules if name.startswith("memtally")]:
            del sys.modules[name]
        first = memtally
        del memtally
        gc.collect()
        import memtally
        assert memtally is not first
        print(old.statistics("lineno")[0], memtally.Snapshot([], 1).statistics("lineno"))
        memtally.start()
        kept = [bytearray(100) for _ in range(10)]
        print(len(memtally.take_snapshot().traces) > 0)
        """
    )
    assert output.splitlines() == ["a:1: size=1 B, count=1, average=1 B []", "True"]


def test_nothing_heavy_is_imported():
    output = run(
        """
        import sys
        before = set(sys.modules)
        import memtally
        if hasattr(sys, "gettotalrefcount"):
            before.add("encodings.ascii")  # a debug build looks for every codec that is named
        print(sorted(name for name in set(sys.modules) - before if not name.startswith("memtally")))
        """
    )
    assert output == "[]\n"


def test_objects_are_freed_when_the_interpreter_ends():
    code = """
        import memtally, gc
        memtally.start(10)
        kept = [bytearray(100) for _ in range(10)]
        snapshot = memtally.take_snapshot()
        iterator = iter(snapshot.traces)
        keep = [next(iterator), snapshot.statistics("traceback"), memtally.get_object_traceback(snapshot)]
        keep.append(keep)
        cycle = memtally.Traceback(()); cycle._frames = (cycle,)
    """
    assert run(code) == ""
    gc.collect()


@pytest.mark.skipif(NOT_PYMALLOC, reason=NOT_TOLD)
def test_the_tracer_s_memory_goes_back_when_many_blocks_go(tracing):
    before = tracing.get_tracemalloc_memory()
    kept = [float(number) for number in range(1_000_000)]
    held = tracing.get_tracemalloc_memory() - before
    assert held > 3_000_000
    del kept
    assert tracing.get_tracemalloc_memory() - before < held / 2
