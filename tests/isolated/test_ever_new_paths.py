"""Programs whose call paths never come again: what is known of them is bounded, and what is shown exact."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from allocators import NOT_PYMALLOC, NOT_TOLD
from extension_builder import build, can_build
from fresh_process import check, run

FEW = {"MEMTALLY_PATHS": "2000"}
"""So few call paths are kept that a second's work goes through the call tree many times."""

WANDER = """if True:
    import memtally as mt
    def left(bits, depth, work):
        if depth == 0:
            return work(bits)
        return (left if bits & 1 else right)(bits >> 1, depth - 1, work)
    def right(bits, depth, work):
        if depth == 0:
            return [work(bits)]
        if bits & 1:
            return left(bits >> 1, depth - 1, work)
        return right(bits >> 1, depth - 1, work)
    def made(n, source):
        namespace = {}
        exec(compile(source, f"made-{n}.py", "exec"), namespace)
        return namespace["work"]
    def is_flat(rounds, step):
        # Never more than at some moment of the first half, and a few pages.
        own = []
        for n in range(rounds):
            step(n)
            own.append(mt.get_tracemalloc_memory())
        most = max(own[: rounds // 2])
        assert max(own) <= most * 1.25 + 131072, (most, max(own))
        assert mt.capabilities()["lost_traces"] == 0
        assert mt.capabilities()["forgotten_paths"] > 1000, mt.capabilities()
"""


@pytest.mark.parametrize("frames", [1, 25, 65535])
def test_code_made_again_and_again_takes_no_more_memory(frames: int) -> None:
    check(
        WANDER
        + f"""
    mt.start({frames})
    SOURCE = "def work_N(x):\\n    return [x, x + 0.5]\\nwork = work_N"
    is_flat(12000, lambda n: left(n, 3, made(n, SOURCE.replace("N", str(n)))))
    """,
        env=FEW,
    )


@pytest.mark.parametrize("frames", [25, 65535])
def test_recursion_that_is_never_the_same_takes_no_more_memory(frames: int) -> None:
    check(
        WANDER
        + f"""
    mt.start({frames})
    is_flat(6000, lambda n: left(n * 2654435761 & 0xFFFFFF, 24, lambda bits: [bits]))
    """,
        env=FEW,
    )


@pytest.mark.skipif(NOT_PYMALLOC, reason=NOT_TOLD)
@pytest.mark.skipif(bool(can_build()), reason=can_build())
@pytest.mark.parametrize("frames", [1, 25])
def test_raw_blocks_of_ever_new_paths_without_the_gil_take_no_more_memory(frames: int) -> None:
    build("native_threads")
    check(
        WANDER
        + f"""
    import threading
    from extension_builder import load
    native = load("native_threads")
    mt.start({frames})
    SOURCE = "def work(native):\\n    native.free_raw(native.detached_alloc(3, 5000))"
    def wander(start):
        for n in range(start, start + 40):
            made(n, SOURCE)(native)
    def step(n):
        threads = [threading.Thread(target=wander, args=(n * 1000 + i * 200,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    is_flat(60, step)
    assert not [row for row in mt._get_traces() if row[1] == 5000]
    """,
        env=FEW,
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters have a GIL of their own from 3.12 on")
def test_an_interpreter_with_its_own_gil_cannot_make_it_grow_while_the_main_one_waits() -> None:
    check(
        """if True:
    import sys
    import memtally as mt
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
        other = interpreters.create("isolated")
    else:
        import _xxsubinterpreters as interpreters
        other = interpreters.create(isolated=True)
    CODE = '''
held = []
for n in range(START, START + 3000):
    namespace = {}
    exec(compile("def work(x): return [x]", f"made-{n}.py", "exec"), namespace)
    held.append(namespace["work"](n))
held.clear()
'''
    mt.start(5)
    own = []
    for start in range(0, 36000, 3000):
        error = interpreters.run_string(other, CODE.replace("START", str(start), 2))
        assert error is None, error
        own.append(mt.get_tracemalloc_memory())
    assert max(own[8:]) <= max(own[:8]) * 1.1 + 65536, own
    assert mt.capabilities()["lost_traces"] == 0
    assert mt.capabilities()["forgotten_paths"] > 0
    interpreters.destroy(other)
    """,
        env=FEW,
    )


def test_what_was_allocated_in_all_stays_the_sum_of_all() -> None:
    check(
        WANDER
        + """
    mt.start(25)
    SIZE, COUNT = 1_000_000, 2000
    churned = [0]
    def churn(n):
        block = bytes(SIZE)  # on one line of every path
    def often():
        for _ in range(COUNT):
            block = bytes(SIZE)
    often()
    for n in range(COUNT):
        left(n * 2654435761 & 0xFFFFFF, 24, churn)
    total = mt.take_snapshot("total")
    forgotten = sum(trace.size for trace in total.traces if trace.traceback[0].filename == "<forgotten>")
    everything = sum(trace.size for trace in total.traces)
    assert SIZE * COUNT * 2 < everything < SIZE * COUNT * 2 * 1.05, everything
    assert SIZE * COUNT * 0.5 < forgotten < SIZE * COUNT * 1.05, forgotten
    # The path that allocated most is known from its first block on.
    often = max(total.traces, key=lambda trace: trace.size if trace.traceback[0].lineno else 0)
    assert SIZE * COUNT <= often.size < SIZE * COUNT * 1.01, often
    # Nothing that is alive, or was at the peak, is ever forgotten.
    for view in "live", "peak":
        for trace in mt.take_snapshot(view).traces:
            assert trace.traceback[0].filename != "<forgotten>", (view, trace)
    """,
        env=FEW,
    )


def test_a_snapshot_is_not_touched_by_what_is_forgotten_later() -> None:
    check(
        WANDER
        + """
    mt.start(25)
    kept = [left(n, 8, lambda bits: [bits]) for n in range(256)]
    before = mt.take_snapshot()
    raw = sorted((trace.size, str(trace.traceback)) for trace in before.traces)
    kept_paths = {str(trace.traceback) for trace in before.traces}
    for n in range(5000):
        left(n * 2654435761 & 0xFFFFFF, 24, lambda bits: [bits])
    assert mt.capabilities()["forgotten_paths"] > 1000
    assert sorted((trace.size, str(trace.traceback)) for trace in before.traces) == raw
    after = mt.take_snapshot()
    assert kept_paths <= {str(trace.traceback) for trace in after.traces}
    grown = [stat for stat in after.compare_to(before, "traceback") if str(stat.traceback) in kept_paths]
    lost = [stat for stat in grown if stat.size_diff < 0]
    assert not lost, lost
    """,
        env=FEW,
    )


@pytest.mark.parametrize("text", ["0", "-5", "x", "10 ", " 10", "1e3", "268435456", "99999999999999999999"])
def test_a_number_of_paths_that_cannot_be_used_is_an_error(text: str) -> None:
    done = run("import memtally; memtally.start()", env={"MEMTALLY_PATHS": text})
    assert done.returncode == 1
    message = f"ValueError: MEMTALLY_PATHS must be a number from 1 to 268435455, not '{text}'"
    assert done.stderr.splitlines()[-1] == message


def test_without_the_environment_the_number_is_not_looked_at() -> None:
    check("import memtally; memtally.start()", "-E", env={"MEMTALLY_PATHS": "x"})
    check("import memtally; memtally.start()", env={"MEMTALLY_PATHS": ""})
