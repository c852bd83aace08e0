"""stop(), start() and everything else in a loop while other threads allocate."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
SCRIPT = """if True:
    import gc, random, threading, time
    import memtally as mt
    from extension_builder import load
    native = load('native_threads')
    stopping = False
    errors = []
    def allocate(seed):
        source = random.Random(seed)
        held = []
        def deep(n):
            return deep(n - 1) if n else [bytes(source.randrange(2000)), {seed: [seed]}, 1.5 * seed]
        try:
            while not stopping:
                held.append(deep(source.randrange(20)))
                if len(held) > 500:
                    del held[::2]
                held.append([*range(source.randrange(100))])
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=allocate, args=(n,)) for n in range(3)]
    for thread in threads: thread.start()
    native.start_churn(3)
    end = time.monotonic() + SECONDS
    rounds = 0
    try:
        while time.monotonic() < end or rounds <= 5:
            BODY
            rounds += 1
    finally:
        stopping = True
    for thread in threads: thread.join()
    native.stop_churn()
    assert not errors, errors
    mt.stop()
    mt.start(5)
    marker = bytes(123_456)
    assert [row[1] for row in mt._get_traces() if row[1] >= 123_456] == [123_456 + 33]
    del marker
    assert not [row[1] for row in mt._get_traces() if row[1] >= 123_456]
    mt.stop()
    assert mt.get_traced_memory() == (0, 0)
"""
LOOPS = {
    "stop and start": ["mt.start(rounds % 30 + 1)", "time.sleep(0.001 * (rounds % 4))", "mt.stop()"],
    "stop and start at once": ["mt.start()", "mt.stop()"],
    "clear": ["mt.start()", "mt.clear_traces()", "mt.reset_peak()", "mt.get_traced_memory()"],
    "snapshots": [
        "mt.start(25)",
        "snapshot = mt.take_snapshot()",
        "rows = snapshot.statistics('lineno')[:3]",
        "mt.get_tracemalloc_memory()",
        "mt.stop() if rounds % 5 == 0 else None",
    ],
    "queries": [
        "mt.start(3)",
        "thing = bytes(5000)",
        "assert mt.get_object_traceback(thing) is not None",
        "mt.clear_traces()",
        "assert mt.get_object_traceback(thing) is None",
        "mt.stop()",
        "assert not mt.is_tracing()",
    ],
    "views": [
        "mt.start(4)",
        "time.sleep(0.002)",
        "mt.reset_peak()",
        "[mt.take_snapshot(view=view) for view in ('live', 'peak', 'total')]",
        "mt.stop()",
    ],
    "collections": ["mt.start(2)", "gc.collect()", "mt.stop()", "gc.collect()"],
}


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    build("native_threads")


@pytest.mark.parametrize("name", LOOPS)
def test_loop_while_threads_allocate(name: str) -> None:
    check(SCRIPT.replace("BODY", "\n            ".join(LOOPS[name])).replace("SECONDS", "1.0"))


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOPS)
def test_long_loop_while_threads_allocate(name: str) -> None:
    check(SCRIPT.replace("BODY", "\n            ".join(LOOPS[name])).replace("SECONDS", "15"), timeout=120)


def test_several_threads_start_and_stop_at_once() -> None:
    check("""if True:
    import threading, time
    import memtally as mt
    end = time.monotonic() + 1.5
    errors = []
    def toggle(n):
        try:
            while time.monotonic() < end:
                mt.start(n + 1)
                mt.get_object_traceback([[x] for x in range(50)])
                try:
                    mt.take_snapshot().statistics("filename")
                except RuntimeError:
                    pass  # another thread stopped it just before
                mt.stop()
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=toggle, args=(n,)) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert not errors, errors
    """)
