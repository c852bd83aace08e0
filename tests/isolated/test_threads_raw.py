"""RAW allocations without the GIL: from foreign and detached threads, freed and resized elsewhere."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
NATIVE = "import memtally as mt\nfrom extension_builder import load\nnative = load('native_threads')\n"


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    build("native_threads")


def test_blocks_of_a_foreign_thread_are_of_an_unknown_place() -> None:
    check(
        NATIVE
        + """if True:
    mt.start(5)
    blocks = native.foreign_alloc(10, 4321)
    rows = [row for row in mt._get_traces() if row[1] == 4321]
    assert rows == [(0, 4321, (("<unknown>", 0),), 1)] * 10, rows
    native.free_raw(blocks, True)
    assert not [row for row in mt._get_traces() if row[1] == 4321]
    """
    )


def test_blocks_of_a_detached_thread_have_its_python_lines() -> None:
    check(
        NATIVE
        + """if True:
    import threading, tracemalloc
    code = compile('''
    def outer():
        return inner()
    def inner():
        return native.detached_alloc(
            3, 7654)
    '''.replace("\\n    ", "\\n"), "lines.py", "exec")
    exec(code)
    for in_thread in (False, True):
        mt.start(2)
        kept = []
        if in_thread:
            thread = threading.Thread(target=lambda: kept.extend(outer()))
            thread.start()
            thread.join()
        else:
            kept = outer()
        rows = [row for row in mt._get_traces() if row[1] == 7654]
        assert len(rows) == 3
        for domain, size, frames, total in rows:
            assert frames == (("lines.py", 5), ("lines.py", 3)), frames
            assert total >= 3
        native.free_raw(kept)
        mt.stop()
    """
    )


def test_a_block_allocated_here_may_be_resized_and_freed_elsewhere() -> None:
    check(
        NATIVE
        + """if True:
    mt.start()
    def of(*sizes):
        return sorted(row[1] for row in mt._get_traces() if row[1] in sizes)
    foreign = native.foreign_alloc(4, 1111)
    moved = [native.resize_raw(block, 22222) for block in foreign[:2]]
    assert of(1111, 22222) == [1111, 1111, 22222, 22222]
    frames = [row[2][0][0] for row in mt._get_traces() if row[1] == 22222]
    assert frames == ["<string>"] * 2, frames
    own = native.detached_alloc(2, 3333)
    native.free_raw(own + moved, True)
    native.free_raw(foreign[2:])
    assert of(1111, 22222, 3333) == []
    """
    )


def test_counts_return_to_where_they_were_after_a_churn_of_foreign_threads() -> None:
    check(
        NATIVE
        + """if True:
    import gc, time
    mt.start(3)
    def fill():
        return [[n, {n: [n]}] for n in range(3000)]
    for _ in range(3):
        native.start_churn(4)
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            kept = fill()
            mt.get_traced_memory()
            snapshot = mt.take_snapshot()
        del snapshot, kept
        assert native.stop_churn() > 0
    gc.collect()
    unknown = [row for row in mt._get_traces() if row[2][0][0] == "<unknown>"]
    assert unknown == [], unknown
    before = mt.get_traced_memory()[0]
    total = sum(row[1] for row in mt._get_traces())
    after = mt.get_traced_memory()[0]
    assert abs(total - before) < 100_000, (before, total, after)
    """
    )


def test_no_block_of_many_threads_is_lost_or_counted_twice() -> None:
    check(
        NATIVE
        + """if True:
    import threading
    mt.start()
    blocks, lock = [], threading.Lock()
    def work(n):
        for _ in range(20):
            got = native.detached_alloc(50, 10_000 + n) + native.foreign_alloc(20, 20_000 + n)
            native.free_raw(got[::2])
            with lock:
                blocks.extend(got[1::2])
    native.start_churn(2)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    native.stop_churn()
    sizes = {}
    for domain, size, frames, total in mt._get_traces():
        if 10_000 <= size < 10_006 or 20_000 <= size < 20_006:
            sizes[size] = sizes.get(size, 0) + 1
    wanted = ((10_000, 25), (20_000, 10))
    assert sizes == {base + n: 20 * half for base, half in wanted for n in range(6)}, sizes
    native.free_raw(blocks, True)
    assert not [row for row in mt._get_traces() if row[1] in sizes]
    """
    )


def test_cpythons_own_allocator_checks_pass_while_traced() -> None:
    pytest.importorskip("_testcapi", reason="this Python comes without _testcapi")
    out = check("""if True:
    import _testcapi, memtally as mt
    mt.start(25)
    for name in ("test_pymem_alloc0", "test_pymem_setrawallocators", "test_pymem_setallocators",
                 "test_pyobject_setallocators", "test_pyobject_new"):
        run = getattr(_testcapi, name, None)
        if run is not None:
            run()
            print(name)
    seen = []
    if hasattr(_testcapi, "call_in_temporary_c_thread"):
        _testcapi.call_in_temporary_c_thread(lambda: seen.append(bytes(5000)))
    _testcapi._test_thread_state(lambda: seen.append(bytes(6000)))
    assert all(mt.get_object_traceback(data) is not None for data in seen), seen
    assert mt.get_object_traceback(bytes(7000)) is not None
    """)
    assert "test_pymem_setrawallocators" in out
