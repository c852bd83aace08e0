"""measure(): what a block of code did to the traced memory, against a plain model of all allocations."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import random
import sys
import threading
from collections.abc import Iterator

import pytest

import memtally

HEAD = sys.getsizeof(b"")
Step = tuple[str, int, int]
MEASURES, SLOTS = 5, 12


@pytest.fixture(autouse=True)
def tracing() -> Iterator[None]:
    gc.disable()
    memtally.start(25)
    yield
    memtally.stop()
    gc.enable()


# --- random programs ----------------------------------------------------------------------------------------


def random_program(seed: int, length: int) -> list[Step]:
    """Steps of allocating, freeing, measuring: (kind, which slot or measurement, bytes)."""
    chance = random.Random(seed)
    steps: list[Step] = []
    inside: set[int] = set()
    for _ in range(length):
        what = chance.randrange(20)
        if what < 9:
            steps.append(("put", chance.randrange(SLOTS), chance.choice([300, 600, 5000, 100_000])))
        elif what < 14:
            steps.append(("drop", chance.randrange(SLOTS), 0))
        elif what < 16:
            steps.append(("reset", 0, 0))
        else:
            which = chance.randrange(MEASURES)
            steps.append(("leave" if which in inside else "enter", which, 0))
            inside ^= {which}
    return steps + [("leave", which, 0) for which in sorted(inside)]


def run(program: list[Step], measures: list[memtally.measure], slots: list[bytes | None]) -> list[object]:
    """Carry it out, allocating nothing else; a measurement that is left goes to that step's place."""
    done: list[object] = [None] * len(program)
    fresh = [memtally.measure() for _ in program]
    for number, (kind, which, size) in enumerate(program):
        if kind == "put":
            slots[which] = None
            slots[which] = bytes(size)
        elif kind == "drop":
            slots[which] = None
        elif kind == "reset":
            memtally.reset_peak()
        elif kind == "enter":
            measures[which] = fresh[number]
            measures[which].__enter__()
        else:
            measures[which].__exit__(None, None, None)
            done[number] = measures[which]
    return done


def expected(program: list[Step], began: int, ended: int) -> tuple[int, int, list[int]]:
    """Peak, allocated bytes and sizes of the kept blocks of a measurement from one step to another."""
    held: dict[int, tuple[int, int]] = {}  # slot -> (number of the step, size)
    levels = []
    allocated = 0
    for number, (kind, which, size) in enumerate(program[:ended]):
        if number >= began:
            levels.append(sum(bytes_ for _, bytes_ in held.values()))
        if kind in ("put", "drop"):
            held.pop(which, None)
        if kind == "put":
            held[which] = (number, size + HEAD)
            allocated += size + HEAD if number > began else 0
    levels.append(sum(bytes_ for _, bytes_ in held.values()))
    kept = sorted(bytes_ for number, bytes_ in held.values() if number > began)
    return max(levels) - levels[0], allocated, kept


@pytest.mark.parametrize("seed", range(30))
def test_the_figures_of_a_random_program_are_those_of_a_plain_model(seed: int) -> None:
    program = random_program(seed, 150)
    measures = [memtally.measure() for _ in range(MEASURES)]
    slots: list[bytes | None] = [None] * SLOTS
    for _ in range(3):  # the interpreter adapts the code first
        slots[:] = [None] * SLOTS
        done = run(program, measures, slots)
    entered: dict[int, int] = {}
    for number, (kind, which, _) in enumerate(program):
        if kind == "enter":
            entered[which] = number
        elif kind == "leave":
            peak, allocated, kept = expected(program, entered[which], number)
            m = done[number]
            assert isinstance(m, memtally.measure)
            assert (m.peak, m.allocated, m.kept) == (peak, allocated, sum(kept))
            assert sorted(trace.size for trace in m.snapshot.traces) == kept
    assert entered


# --- figures ------------------------------------------------------------------------------------------------


def test_an_empty_block_measures_nothing() -> None:
    for _ in range(3):
        with memtally.measure() as m:
            pass
        assert (m.peak, m.allocated, m.kept) == (0, 0, 0)
        assert len(m.snapshot.traces) == 0


def test_the_snapshot_has_where_the_kept_blocks_come_from() -> None:
    old = bytes(7000)
    with memtally.measure() as m:
        kept = [bytes(5000), bytes(5000), bytes(6000)]
        line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
        dropped = bytes(9000)
        del dropped, old
    assert m.snapshot.view_name == "live"
    assert m.snapshot.traceback_limit == 25
    here = m.snapshot.filter_traces([memtally.Filter(True, __file__, line)])
    assert sorted(trace.size for trace in here.traces)[-3:] == [5033, 5033, 6033]
    assert {trace.traceback[-1].lineno for trace in here.traces} == {line}
    assert 7033 not in {trace.size for trace in m.snapshot.traces}
    assert m.snapshot is m.snapshot
    del kept


def test_what_happens_after_the_end_changes_nothing() -> None:
    with memtally.measure() as m:
        kept = bytes(5000)
    figures = m.peak, m.allocated, m.kept
    more = bytes(50_000)
    del kept
    assert (m.peak, m.allocated, m.kept) == figures
    assert [trace.size for trace in m.snapshot.traces] == [5033]
    memtally.stop()
    assert [trace.size for trace in m.snapshot.traces] == [5033]
    del more


def test_inside_the_block_the_figures_say_how_it_stands() -> None:
    with memtally.measure() as m:
        first = bytes(5000)
        assert m.kept >= 5033
        before = m.kept
        del first
        assert m.kept < before - 4000
        assert m.peak >= 5033
        assert len(m.snapshot.traces) < 100


def test_a_block_that_is_resized_counts_anew() -> None:
    array = bytearray(1000)
    with memtally.measure() as m:
        array.extend(bytes(3000))
    assert m.kept > 4000
    assert m.allocated >= m.kept + 3033


def test_the_peak_of_the_user_is_left_alone() -> None:
    high = bytes(1_000_000)
    del high
    before = memtally.get_traced_memory()[1]
    with memtally.measure() as m:
        low = bytes(100_000)
        del low
    assert memtally.get_traced_memory()[1] == before
    assert m.peak == 100_033


def test_resetting_the_peak_inside_leaves_the_measurement_alone() -> None:
    with memtally.measure() as m:
        high = bytes(1_000_000)
        del high
        memtally.reset_peak()
    assert m.peak == 1_000_033
    assert memtally.get_traced_memory()[1] < 1_000_000


def test_an_exception_ends_the_measurement_and_goes_on() -> None:
    kept = []
    m = memtally.measure()

    def fall() -> None:
        with m:
            kept.append(bytes(5000))
            raise KeyError

    with pytest.raises(KeyError):
        fall()
    assert m.kept >= 5033


def test_measurements_nest() -> None:
    with memtally.measure() as outer:
        a = bytes(100_000)
        with memtally.measure() as inner:
            b = bytes(10_000)
            del b
        c = bytes(1000)
    assert (inner.peak, inner.allocated, inner.kept) == (10_033, 10_033, 0)
    assert outer.peak >= 110_066
    assert outer.allocated >= 111_099
    assert {trace.size for trace in outer.snapshot.traces} >= {100_033, 1033}
    del a, c


def test_measurements_overlap() -> None:
    first, second = memtally.measure(), memtally.measure()
    first.__enter__()
    a = bytes(1000)
    second.__enter__()
    b = bytes(2000)
    first.__exit__(None, None, None)
    c = bytes(4000)
    second.__exit__(None, None, None)
    assert (first.peak, first.kept) == (3066, 3066)
    assert (second.peak, second.kept) == (6066, 6066)
    del a, b, c


# --- states -------------------------------------------------------------------------------------------------


def test_entering_while_not_tracing_is_an_error() -> None:
    memtally.stop()
    with pytest.raises(RuntimeError, match="needs tracing"), memtally.measure():
        pass


def test_figures_before_the_beginning_are_an_error() -> None:
    m = memtally.measure()
    for name in ("peak", "allocated", "kept", "snapshot"):
        with pytest.raises(RuntimeError, match="has not begun"):
            getattr(m, name)
    with pytest.raises(RuntimeError, match="has not begun"):
        m.__exit__(None, None, None)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("end", [memtally.stop, memtally.clear_traces])
def test_stop_and_clear_traces_inside_break_it_off(end, again) -> None:  # type: ignore[no-untyped-def]
    with memtally.measure() as outer, memtally.measure() as m:
        end()
        if again:
            memtally.start()
            kept = bytes(100)
    for name in ("peak", "allocated", "kept", "snapshot"):
        with pytest.raises(RuntimeError, match=r"stop\(\) or clear_traces\(\)"):
            getattr(m, name)
    assert "broken off" in repr(outer)
    memtally.start()
    with m:
        kept = bytes(5000)
    assert m.kept == 5033
    del kept


def test_one_object_measures_one_block_at_a_time() -> None:
    m = memtally.measure()
    with m:
        with pytest.raises(RuntimeError, match="has begun already"):
            m.__enter__()
        kept = bytes(5000)
    assert m.kept >= 5033
    with m:
        pass
    assert m.kept == 0
    del kept


def test_a_measurement_that_is_dropped_inside_is_forgotten() -> None:
    m = memtally.measure()
    m.__enter__()
    del m
    with memtally.measure() as other:
        kept = bytes(5000)
    assert other.kept == 5033
    del kept


def test_it_shows_its_figures() -> None:
    m = memtally.measure()
    assert repr(m) == "<memtally.measure: not begun>"
    with m:
        pass
    assert repr(m) == "<memtally.measure: peak=0, allocated=0, kept=0>"


# --- threads, coroutines, decorators ------------------------------------------------------------------------


def test_figures_are_the_whole_process_s() -> None:
    kept = []
    thread = threading.Thread(target=lambda: kept.append(bytes(50_000)))
    with memtally.measure() as m:
        thread.start()
        thread.join()
    assert m.kept >= 50_033
    assert 50_033 in {trace.size for trace in m.snapshot.traces}


def test_threads_measure_at_the_same_time() -> None:
    barrier = threading.Barrier(4)
    found = []

    def work(size: int) -> None:
        for _ in range(50):
            with memtally.measure() as m:
                held = bytes(size)
                barrier.wait(30)
            found.append((size, m))
            barrier.wait(30)
            del held

    threads = [threading.Thread(target=work, args=(10_000 * (i + 1),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    for size, m in found:
        assert m.kept >= size + HEAD
        assert m.peak >= size + HEAD
    with memtally.measure() as after:
        pass
    assert after.allocated == 0


def test_coroutines_measure_across_their_waits() -> None:
    async def work(size: int) -> memtally.measure:
        with memtally.measure() as m:
            held = bytes(size)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        del held
        return m

    async def main() -> list[memtally.measure]:
        return await asyncio.gather(*(work(10_000 * (i + 1)) for i in range(5)))

    for i, m in enumerate(asyncio.run(main())):
        assert m.peak >= 10_000 * (i + 1)
        assert m.kept >= 10_000 * (i + 1)


def test_a_decorated_function_has_the_last_call_s_measurement() -> None:
    @memtally.measure()
    def load(size: int, *, times: int = 1) -> list[bytes]:
        """Loads."""
        return [bytes(size) for _ in range(times)]

    assert load.measured is None
    assert load.__name__ == "load"  # type: ignore[attr-defined]
    assert load.__doc__ == "Loads."
    assert list(inspect.signature(load).parameters) == ["size", "times"]
    kept = load(1000, times=3)
    assert load.measured is not None
    assert load.measured.kept >= 3 * 1033
    assert [len(item) for item in load(500)] == [500]
    assert load.measured.kept < 3 * 1033
    del kept


def test_a_decorated_function_may_recurse_and_raise() -> None:
    @memtally.measure()
    def fall(depth: int) -> bytes:
        if depth == 0:
            raise KeyError
        return fall(depth - 1)

    with pytest.raises(KeyError):
        fall(5)
    assert fall.measured is not None
    assert fall.measured.peak >= 0


def test_a_decorated_coroutine_function_is_measured_until_it_returns() -> None:
    @memtally.measure()
    async def load(size: int) -> bytes:
        await asyncio.sleep(0)
        return bytes(size)

    assert inspect.iscoroutinefunction(load)
    kept = asyncio.run(load(50_000))
    assert load.measured is not None
    assert load.measured.kept >= 50_033
    del kept


def test_generator_functions_and_what_is_no_function_are_refused() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator function numbers"):
        memtally.measure()(numbers)
    with pytest.raises(TypeError, match="decorates functions, not int"):
        memtally.measure()(3)  # type: ignore[arg-type]


def test_exit_stacks_take_it() -> None:
    with contextlib.ExitStack() as stack:
        m = stack.enter_context(memtally.measure())
        kept = bytes(5000)
    assert m.kept >= 5033
    del kept


def test_many_measurements_leave_nothing_of_the_tracer() -> None:
    def loop(n: int) -> None:
        for _ in range(n):
            with memtally.measure():
                held = [bytes(700) for _ in range(10)]
            del held

    loop(200)
    before = memtally.get_tracemalloc_memory()
    loop(3000)
    assert memtally.get_tracemalloc_memory() <= before + (1 << 16)
