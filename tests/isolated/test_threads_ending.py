"""Threads that end while traced, natively and in Python: their blocks stay, what was kept for them goes."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from allocators import NOT_PYMALLOC, NOT_TOLD
from extension_builder import build, can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
NATIVE = "import memtally as mt\nfrom extension_builder import load\nnative = load('native_threads')\n"


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    build("native_threads")


def test_blocks_outlive_their_thread_with_their_traceback() -> None:
    check("""if True:
    import threading, memtally as mt
    kept = []
    def make(n):
        kept.append(bytes(50_000 + n))
    mt.start(4)
    for n in range(300):
        thread = threading.Thread(target=make, args=(n,))
        thread.start()
        thread.join()
    del thread
    line = make.__code__.co_firstlineno + 1
    for n, data in enumerate(kept):
        frames = mt.get_object_traceback(data)
        assert (frames[-1].filename, frames[-1].lineno) == ("<string>", line), (n, frames)
        assert frames[0].filename.endswith("threading.py"), frames
    kept.clear()
    del data
    assert not [row for row in mt._get_traces() if 50_000 <= row[1] < 60_000]
    """)


@pytest.mark.skipif(NOT_PYMALLOC, reason=NOT_TOLD)
def test_threads_that_come_and_go_leave_nothing_of_the_tracer() -> None:
    check("""if True:
    import threading, memtally as mt
    def deep(n):
        return deep(n - 1) if n else [n]
    def round():
        for _ in range(100):
            threads = [threading.Thread(target=deep, args=(50,)) for _ in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
    mt.start(25)
    round()
    before = mt.get_tracemalloc_memory()
    for _ in range(6):
        round()
    after = mt.get_tracemalloc_memory()
    assert after < before * 1.5 + (1 << 20), (before, after)
    """)


def test_a_thread_may_allocate_while_its_storage_is_torn_down() -> None:
    check(
        NATIVE
        + """if True:
    native.late_threads(3)
    mt.start(3)
    native.late_threads(200)
    mt.stop()
    native.late_threads(3)
    mt.start()
    native.late_threads(200)
    assert not [row for row in mt._get_traces() if row[2][0][0] == "<unknown>"]
    """
    )


def test_foreign_threads_attach_call_and_detach_again_and_again() -> None:
    check(
        NATIVE
        + """if True:
    kept = []
    def call():
        kept.append([bytes(7000 + len(kept))])
        return sorted([3, 1, 2], key=lambda v: [v])
    mt.start(3)
    for _ in range(30):
        assert native.call_in_foreign_thread(call, 10)
    assert len(kept) == 300
    for n, [data] in enumerate(kept):
        frames = mt.get_object_traceback(data)
        assert len(frames) == 1 and frames[0].lineno == call.__code__.co_firstlineno + 1, frames
    sizes = [row[1] for row in mt._get_traces() if 7000 <= row[1] - 33 < 7300]
    assert len(sizes) == 300
    """
    )


def test_generators_and_frames_survive_the_thread_that_began_them() -> None:
    check("""if True:
    import threading, memtally as mt
    def numbers():
        for n in range(1000):
            yield [bytes(30_000 + n)]
    mt.start(3)
    generator, kept = numbers(), []
    def resume(depth=0):
        return resume(depth - 1) if depth else kept.append(next(generator))
    for n in range(60):
        thread = threading.Thread(target=resume, args=(n % 7,))
        thread.start()
        thread.join()
        resume(n % 5)
    for n, [data] in enumerate(kept):
        frames = mt.get_object_traceback(data)
        assert frames[-1].lineno == numbers.__code__.co_firstlineno + 2, frames
        assert frames[-2].lineno == resume.__code__.co_firstlineno + 1, frames
    """)


def test_other_threads_go_on_when_tracing_stops_and_starts_again() -> None:
    check("""if True:
    import threading, memtally as mt
    go, done = threading.Semaphore(0), threading.Semaphore(0)
    kept = []
    def work(depth):
        if depth:
            return work(depth - 1)
        for n in range(30):
            go.acquire()
            kept.append(bytes(40_000 + n))
            done.release()
    thread = threading.Thread(target=work, args=(20,))
    thread.start()
    for n in range(30):
        frames = n % 25 + 1
        if n % 3 == 0:
            mt.stop()
            mt.start(frames)
        elif n % 3 == 1:
            mt.clear_traces()
        go.release()
        done.acquire()
        traceback = mt.get_object_traceback(kept[-1])
        assert len(traceback) == mt.get_traceback_limit() or len(traceback) > 20, traceback
        assert traceback[-1].lineno == work.__code__.co_firstlineno + 5, traceback
        assert traceback[-2].lineno == work.__code__.co_firstlineno + 2 if len(traceback) > 1 else True
    thread.join()
    """)
