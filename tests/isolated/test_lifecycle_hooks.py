"""Starting, stopping and stacking: every order with the standard tracer, and nothing disturbed by a hook."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
import itertools

from extension_builder import build, can_build
from fresh_process import check

needs_extension = pytest.mark.skipif(bool(can_build()), reason=can_build())
NATIVE = "import memtally as mt\nfrom extension_builder import load\nnative = load('native_threads')\n"
# Every order of starting and stopping both: S and s for the standard tracer, M and m for memtally.
ORDERS = sorted(
    {
        "".join(order)
        for order in itertools.permutations("SsMm")
        if order.index("S") < order.index("s") and order.index("M") < order.index("m")
    }
)
PAIRS = ["".join(pair) for pair in itertools.product(ORDERS, ORDERS)]
STACKING = """
import tracemalloc as std, _tracemalloc, warnings
import memtally as mt
on = {'s': False, 'm': False}
chain = before_std = ''  # who hooks the allocators, from the lowest
kept = []
def check(step):
    for size in (5_000_001, 517, 40):  # no other block is as large as the first
        first = bytes(size)
        grown = bytearray(size)
        grown.extend(bytes(size))
        del grown
        for name, rows, ask in (('s', _tracemalloc._get_traces, std.get_object_traceback),
                                ('m', mt._get_traces, mt.get_object_traceback)):
            found = ask(first)
            assert (found is not None) == on[name], (step, name, size, found)
            if on[name]:
                assert found[0].lineno == LINE, (step, name, found)
            if size > 200_000:
                assert [row[1] for row in rows() if row[1] >= size] == [size + 33] * on[name], (step, name)
        del first
    assert std.is_tracing() == on['s'] and mt.is_tracing() == on['m'], step
LINE = check.__code__.co_firstlineno + 2
def run(order):
    global chain, before_std
    for n, step in enumerate(order):
        # The standard tracer's stop() puts back the allocators that it found when it started. If memtally was
        # started above it, that takes memtally's hooks away, until the next snapshot finds out and says so.
        if step == 'S':
            before_std, chain = chain, chain + 's'
        elif step == 's':
            chain = before_std
        elif step == 'M' and 'm' not in chain:
            chain += 'm'
        elif step == 'm':
            chain = chain.removesuffix('m')
        {'S': std.start, 's': std.stop, 'M': mt.start, 'm': mt.stop}[step]()
        on[step.lower()] = step.isupper()
        if on['m'] and 'm' not in chain:
            gaps = mt.capabilities()['gaps']
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter('always')
                mt.take_snapshot()
            assert [w.category for w in caught] == [RuntimeWarning], (step, caught)
            assert mt.capabilities()['gaps'] == gaps + 1
            chain += 'm'
        check((order, n, step))
"""


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    if not can_build():
        build("native_threads")


@pytest.mark.parametrize("order", ORDERS)
def test_both_tracers_in_every_order(order: str) -> None:
    check(f"{STACKING}\nfor _ in range(3): run({order!r})")


def test_both_tracers_in_every_pair_of_orders() -> None:
    """One process after another order: what one order leaves behind must not disturb the next."""
    check(f"{STACKING}\nfor order in {PAIRS!r}:\n    run(order)", timeout=120)


# What comes after the start of the interpreter, where its switches started the tracers that `begun` names.
SWITCHED = [
    *(("s", order) for order in ("sMm", "Msm", "Mms", "MsSm", "MsmS", "MmsS", "sMSms", "sMSsm")),
    *(("sm", order) for order in ("sm", "ms", "smSM", "msSM", "sSmM", "mMsS", "smMS", "msMS")),
]


@pytest.mark.parametrize(("begun", "order"), SWITCHED)
def test_both_tracers_in_every_order_where_switches_started_them(begun: str, order: str) -> None:
    switches = {"s": ["-X", "tracemalloc"], "m": ["-X", "memtally"]}
    check(
        f"""{STACKING}
chain = {begun!r}
on.update(dict.fromkeys(chain, True))
run({order!r})
kept.extend([n] for n in range(1000))""",
        *[word for name in begun for word in switches[name]],
    )


@pytest.mark.parametrize("order", ["SM", "MS", "SMs", "MSm", "SMm", "MSs"])
def test_the_process_may_end_in_every_state(order: str) -> None:
    check(f"{STACKING}\nrun({order!r})\nkept.extend([n] for n in range(1000))")


@needs_extension
@pytest.mark.parametrize("frames", [1, 25])
def test_hooks_keep_errno_and_the_error_indicator(frames: int) -> None:
    check(
        NATIVE
        + f"""if True:
    for on in (False, True):
        if on: mt.start({frames})
        for with_error in (False, True):
            assert native.undisturbed(with_error) is None, (on, native.undisturbed(with_error))
    def deep(n):
        return deep(n - 1) if n else [native.undisturbed(False), native.undisturbed(True)]
    for depth in (1, 30, 300, 7, 300):
        assert deep(depth) == [None, None], depth
        exec(compile("\\n" * depth + "assert native.undisturbed(True) is None", str(depth), "exec"))
    """
    )


@needs_extension
def test_a_resize_that_fails_leaves_the_old_trace() -> None:
    check(
        NATIVE
        + """if True:
    mt.start(3)
    def of(size):
        return [row for row in mt._get_traces() if row[1] == size]
    for domain in range(3):
        size = 60_000 + domain
        before = mt.get_traced_memory()[0]
        block = native.failing_resize(domain, size)
        line = sys._getframe().f_lineno - 1
        rows = of(size)
        assert len(rows) == 1 and rows[0][2][0] == ("<string>", line), rows
        native.free_in(domain, block)
        assert of(size) == []
    """
    )


def test_starting_and_stopping_again_and_again_leaks_nothing() -> None:
    check(
        """if True:
    import memtally as mt
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    def round(n):
        for _ in range(n):
            mt.start(10)
            kept = [[x] for x in range(2000)]
            mt.take_snapshot()
            del kept
            mt.stop()
    round(30)
    before, memory = resident(), mt.get_tracemalloc_memory()
    round(200)
    assert resident() - before < 8 << 20, (before, resident())
    assert mt.get_tracemalloc_memory() <= memory + (1 << 20), (memory, mt.get_tracemalloc_memory())
    """
        if sys.platform == "linux"
        else "pass",
        timeout=120,
    )


def test_blocks_from_before_the_start_are_not_ours() -> None:
    check("""if True:
    import memtally as mt
    early = [bytes(100_000 + n) for n in range(10)]
    resized = bytearray(100_500)
    mt.start(2)
    assert mt.get_object_traceback(early) is None
    early.clear()
    assert mt.get_traced_memory()[0] < 50_000
    resized.extend(bytes(400_000))
    assert [row[2][0][1] for row in mt._get_traces() if row[1] > 400_000] == [sys._getframe().f_lineno - 1]
    """)


def test_started_in_one_thread_and_stopped_in_another() -> None:
    check("""if True:
    import threading
    import memtally as mt
    def in_thread(call):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    for _ in range(10):
        in_thread(lambda: mt.start(4))
        kept = bytes(5000)
        assert mt.get_object_traceback(kept) is not None
        in_thread(mt.clear_traces)
        assert mt.get_object_traceback(kept) is None
        in_thread(mt.stop)
        assert not mt.is_tracing()
    """)


def test_the_module_may_be_imported_anew() -> None:
    check("""if True:
    import importlib
    import memtally as mt
    mt.start(3)
    kept = bytes(5000)
    for _ in range(3):
        for name in [name for name in sys.modules if name.startswith("memtally")]:
            del sys.modules[name]
        import memtally as again
        assert again.is_tracing()
        assert again.get_object_traceback(kept) is not None
    importlib.reload(again)
    assert again.is_tracing() and again.take_snapshot().traces
    again.stop()
    assert not mt.is_tracing()
    """)


def test_a_gone_allocator_hook_of_another_is_put_up_with() -> None:
    pytest.importorskip("_testcapi", reason="this Python comes without _testcapi")
    check("""if True:
    import _testcapi
    import memtally as mt
    mt.start(3)
    for start in range(0, 40):
        _testcapi.set_nomemory(start, start + 3)
        try:
            kept = [[start], {start: [start]}, str(start) * 100]
        except MemoryError:
            kept = None
        finally:
            _testcapi.remove_mem_hooks()
    kept = bytes(5000)
    assert mt.get_object_traceback(kept) is not None
    _testcapi.set_nomemory(1_000_000)
    mt.stop()
    _testcapi.remove_mem_hooks()
    assert not mt.is_tracing()
    mt.start(2)
    kept = bytes(6000)
    assert mt.get_object_traceback(kept)[0].lineno == sys._getframe().f_lineno - 1
    """)
