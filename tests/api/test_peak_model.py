"""The three views against a model that keeps the whole log of a random program's allocations.

The programs allocate, shrink and free bytes and bytearrays of known sizes from several functions and
threads, and call reset_peak() and clear_traces() in between. What they allocate is told from everything
else (the driver, the interpreter) by the file name that their code was compiled with. So *live* and *total*
must be exact. The peak is one of all traced memory, the driver's small blocks included: where sizes are
multiples of UNIT, far more than the driver ever holds, the peak's moment is known but for states that lie
within NOISE of the highest; the view must show one of them. Where they are small, it must show some state
since the last reset.
"""

import gc
import queue
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import memtally

PROGRAM = "program_of_the_peak_model.py"
SOURCE = """
def bytes_here(size):
    return bytes(size)
def bytes_there(size):
    return bytes(size)
def array_here(size):
    return bytearray(size)
def array_there(size):
    return bytearray(size)
def shrink_here(array, part):
    del array[part]
def shrink_there(array, part):
    del array[part]
"""
FUNCTIONS: dict[str, Any] = {}
exec(compile(SOURCE, PROGRAM, "exec"), FUNCTIONS)
MAKERS = ["bytes_here", "bytes_there", "array_here", "array_there"]
SHRINKERS = ["shrink_here", "shrink_there"]
UNIT, NOISE = 64 * 1024, 24 * 1024
SLOTS, THREADS = 8, 3
ARRAY = sys.getsizeof(bytearray())  # the object alone, its buffer apart

Tally = tuple[int, int]  # bytes, blocks
State = dict[int, Tally]  # by line


def line_of(name: str) -> int:
    """The line on which a function of the program allocates."""
    return FUNCTIONS[name].__code__.co_firstlineno + 1


def blocks_of(value: bytes | bytearray) -> list[int]:
    """The sizes of the blocks that a value is made of."""
    if isinstance(value, bytes):
        return [sys.getsizeof(value)]
    return [ARRAY, sys.getsizeof(value) - ARRAY]


@dataclass
class Model:
    """The live blocks, what was allocated in all, and every state since the last reset."""

    live: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # slot -> (line, size) of its blocks
    total: Counter[int] = field(default_factory=Counter)
    total_blocks: Counter[int] = field(default_factory=Counter)
    states: list[State] = field(default_factory=lambda: [{}])

    def state(self) -> State:
        found: State = {}
        for blocks in self.live.values():
            for line, size in blocks:
                bytes_, count = found.get(line, (0, 0))
                found[line] = (bytes_ + size, count + 1)
        return found

    def add(self, slot: int, line: int, sizes: list[int]) -> None:
        self.live.setdefault(slot, []).extend((line, size) for size in sizes)
        self.total[line] += sum(sizes)
        self.total_blocks[line] += len(sizes)
        self.states.append(self.state())

    def end(self, slot: int, last: int | None = None) -> None:
        """The slot's blocks end, or its last ones."""
        blocks = self.live.get(slot, [])
        del blocks[len(blocks) - last if last is not None else 0 :]
        self.states.append(self.state())

    def reset_peak(self) -> None:
        self.states = [self.state()]

    def clear(self) -> None:
        self.live.clear()
        self.total.clear()
        self.total_blocks.clear()
        self.states = [{}]


def bytes_in(state: State) -> int:
    return sum(size for size, _ in state.values())


def seen(view: memtally.Snapshot) -> State:
    """What a snapshot says of the program's own lines."""
    mine = view.filter_traces([memtally.Filter(True, PROGRAM)])
    return {stat.traceback[0].lineno: (stat.size, stat.count) for stat in mine.statistics("lineno")}


Calls = queue.SimpleQueue[tuple[Callable[[], None], queue.SimpleQueue[BaseException | None]] | None]


class Workers:
    """Threads that run one call at a time, each when it is asked to."""

    def __init__(self) -> None:
        self.calls: list[Calls] = []
        self.threads = []
        for _ in range(THREADS - 1):
            calls: Calls = queue.SimpleQueue()
            thread = threading.Thread(target=self.run, args=(calls,))
            thread.start()
            self.calls.append(calls)
            self.threads.append(thread)

    def run(self, calls: Calls) -> None:
        while (call := calls.get()) is not None:
            function, done = call
            try:
                function()
                done.put(None)
            except BaseException as error:  # handed over to the thread that waits
                done.put(error)

    def call(self, thread: int, function: Callable[[], None]) -> None:
        """Runs a function in a thread, 0 being this one, and waits for it."""
        if thread == 0:
            function()
            return
        done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self.calls[thread - 1].put((function, done))
        error = done.get()
        if error is not None:
            raise error

    def end(self) -> None:
        for calls in self.calls:
            calls.put(None)
        for thread in self.threads:
            thread.join()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.end()


class Program:
    """A random program under way: its values, and the model that follows it."""

    def __init__(self) -> None:
        self.values: dict[int, bytes | bytearray] = {}
        self.model = Model()

    def make(self, slot: int, name: str, size: int) -> None:
        self.drop(slot)
        value = FUNCTIONS[name](size)
        self.values[slot] = value
        self.model.add(slot, line_of(name), blocks_of(value))

    def drop(self, slot: int) -> None:
        if self.values.pop(slot, None) is not None:
            self.model.end(slot)
            self.model.live.pop(slot, None)

    def shrink(self, slot: int, name: str) -> None:
        """The array's buffer becomes a quarter: a new block, traced even if the old one was not."""
        value = self.values.get(slot)
        if not isinstance(value, bytearray) or len(value) < 64:
            return
        part = slice(len(value) // 4, None)
        FUNCTIONS[name](value, part)
        self.model.end(slot, last=1)
        self.model.add(slot, line_of(name), [sys.getsizeof(value) - ARRAY])

    def clear(self) -> None:
        memtally.clear_traces()
        self.model.clear()

    def reset_peak(self) -> None:
        memtally.reset_peak()
        self.model.reset_peak()


def steps(sizes: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Programs: lists of (thread, method, arguments)."""
    slots = st.integers(0, SLOTS - 1)
    make = st.tuples(st.just("make"), slots, st.sampled_from(MAKERS), sizes)
    drop = st.tuples(st.just("drop"), slots)
    shrink = st.tuples(st.just("shrink"), slots, st.sampled_from(SHRINKERS))
    rare = st.sampled_from([("reset_peak",), ("clear",), ("reset_peak",)])
    step = st.one_of(make, make, make, drop, drop, shrink, rare)
    return st.lists(st.tuples(st.integers(0, THREADS - 1), step), min_size=1, max_size=40)


@contextmanager
def tracing(frames: int) -> Iterator[None]:
    """Traces; nothing but what the model knows of is allocated on the program's lines.

    No collection, which runs on whatever line it likes, comes in between, and the tuple of one argument that
    bytes() and bytearray() are called with comes from the free list of the interpreter, which a collection
    empties.
    """
    gc.collect()
    gc.disable()
    reserve = [(number,) for number in range(1000)]
    del reserve
    memtally.start(frames)
    try:
        yield
    finally:
        memtally.stop()
        gc.enable()


def run(program: Program, workers: Workers, plan: list[tuple[Any, ...]]) -> None:
    for thread, (method, *arguments) in plan:
        workers.call(thread, lambda method=method, arguments=arguments: getattr(program, method)(*arguments))


def check_live_and_total(model: Model) -> None:
    assert seen(memtally.take_snapshot()) == model.state()
    total = {line: (model.total[line], model.total_blocks[line]) for line in model.total}
    assert seen(memtally.take_snapshot(view="total")) == total


def check_peak_adds_up() -> None:
    """All that the view shows is what get_traced_memory() reports (asking may itself make a new peak)."""
    before = memtally.get_traced_memory()[1]
    view = memtally.take_snapshot(view="peak")
    after = memtally.get_traced_memory()[1]
    assert before <= sum(trace.size for trace in view.traces) <= after


# Not explained: hypothesis would trace the program, which gives it frame objects.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
RUNS = settings(max_examples=60, deadline=None, phases=PHASES)
LONG_RUNS = settings(RUNS, max_examples=500)


def check_large(workers: Workers, plan: list[tuple[Any, ...]], frames: int) -> None:
    program = Program()
    with tracing(frames):
        start = memtally.get_traced_memory()[0]
        run(program, workers, plan)
        current, peak = memtally.get_traced_memory()
        model = program.model
        at_peak = seen(memtally.take_snapshot(view="peak"))
        check_live_and_total(model)
        check_peak_adds_up()
        most = max(map(bytes_in, model.states))
        candidates = [state for state in model.states if bytes_in(state) >= most - NOISE]
        assert at_peak in candidates
        assert abs(peak - start - most) < NOISE
        assert abs(current - start - bytes_in(model.state())) < NOISE


def check_small(workers: Workers, plan: list[tuple[Any, ...]], frames: int) -> None:
    program = Program()
    with tracing(frames):
        run(program, workers, plan)
        at_peak = seen(memtally.take_snapshot(view="peak"))
        assert at_peak in program.model.states
        check_peak_adds_up()
        check_live_and_total(program.model)


LARGE = steps(st.integers(1, 16).map(lambda count: count * UNIT))
SMALL = steps(st.one_of(st.integers(2, 600), st.integers(2, 20000)))
FRAMES = st.sampled_from([1, 1, 3, 25])


@RUNS
@given(plan=LARGE, frames=FRAMES)
def test_views_of_large_blocks_are_what_the_log_says(workers: Workers, plan: list, frames: int) -> None:
    check_large(workers, plan, frames)


@RUNS
@given(plan=SMALL, frames=FRAMES)
def test_views_of_small_blocks_are_what_the_log_says(workers: Workers, plan: list, frames: int) -> None:
    check_small(workers, plan, frames)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@LONG_RUNS
@given(plan=LARGE, frames=FRAMES)
def test_views_of_large_blocks_of_many_programs(workers: Workers, plan: list, frames: int) -> None:
    check_large(workers, plan, frames)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@LONG_RUNS
@given(plan=SMALL, frames=FRAMES)
def test_views_of_small_blocks_of_many_programs(workers: Workers, plan: list, frames: int) -> None:
    check_small(workers, plan, frames)


@settings(RUNS, max_examples=20)
@given(plans=st.lists(SMALL, min_size=2, max_size=4), frames=FRAMES)
def test_threads_at_once_lose_nothing(plans: list, frames: int) -> None:
    """What is live and what was allocated in all do not depend on the order of the threads' events."""
    programs = [Program() for _ in plans]
    together = Model()

    def body(program: Program, plan: list[tuple[Any, ...]]) -> None:
        for _, (method, *arguments) in plan:
            if method not in ("clear", "reset_peak"):
                getattr(program, method)(*arguments)

    threads = [threading.Thread(target=body, args=pair) for pair in zip(programs, plans)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with tracing(frames):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for number, program in enumerate(programs):
                together.total.update(program.model.total)
                together.total_blocks.update(program.model.total_blocks)
                together.live.update({(number, slot): blocks for slot, blocks in program.model.live.items()})
            check_live_and_total(together)
            check_peak_adds_up()
    finally:
        sys.setswitchinterval(interval)


def test_the_peak_view_keeps_what_has_been_freed_since() -> None:
    with tracing(1):
        held = FUNCTIONS["bytes_here"](100 * UNIT)
        other = FUNCTIONS["array_there"](10 * UNIT)
        del held
        held = FUNCTIONS["bytes_there"](50 * UNIT)
        view = seen(memtally.take_snapshot(view="peak"))
        assert view.keys() == {line_of("bytes_here"), line_of("array_there")}
        memtally.reset_peak()
        view = seen(memtally.take_snapshot(view="peak"))
        assert view.keys() == {line_of("bytes_there"), line_of("array_there")}
        assert view == seen(memtally.take_snapshot())
        del held, other
        assert seen(memtally.take_snapshot(view="peak")) == view
        assert seen(memtally.take_snapshot()) == {}
