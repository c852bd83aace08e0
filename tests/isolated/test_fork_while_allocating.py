"""os.fork() while other threads allocate: no deadlock, and the child traces on from where the parent was."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.skipif(bool(can_build()), reason=can_build()),
]
WAIT = """
import os, signal, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: fork with threads around is what is tested
def in_child(body):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(20)
            body()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid
def wait_for(pid, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert status == 0, f"the child ended with status {status} (14: it hung)"
            return
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the child hung")
"""
BACKGROUND = """
import threading, random
import memtally as mt
from extension_builder import load
native = load("native_threads")
stopping = False
def allocate(seed):
    source, held = random.Random(seed), []
    while not stopping:
        held.append([bytes(source.randrange(3000)), {seed: held[-1:]}])
        if len(held) > 300:
            del held[::2]
threads = [threading.Thread(target=allocate, args=(n,), daemon=True) for n in range(2)]
def begin():
    for thread in threads: thread.start()
    native.start_churn(3)
def finish():
    global stopping
    stopping = True
    for thread in threads: thread.join()
    native.stop_churn()
"""


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    build("native_threads")


def forks(body: str, count: int = 15, before: str = "", each: str = "pass") -> None:
    indented = "\n".join("    " + line for line in body.splitlines())
    check(
        f"""{WAIT}{BACKGROUND}
def body():
{indented}
    assert True
mt.start(5)
{before}
begin()
for n in range({count}):
    {each}
    wait_for(in_child(body))
finish()
""",
        timeout=120,
    )


@pytest.mark.slow
def test_very_many_forks() -> None:
    forks(
        "kept = [[x] for x in range(300)]\nassert mt.get_object_traceback(kept[-1]) is not None", count=1500
    )


def test_the_child_keeps_the_parents_traces_and_adds_its_own() -> None:
    forks(
        """\
assert mt.is_tracing()
assert mt.get_traceback_limit() == 5
assert mt.get_object_traceback(marker)[-1].lineno == place
mine = bytes(765_432)
assert [row[1] for row in mt._get_traces() if row[1] > 600_000] .count(765_465) == 1
assert mt.get_object_traceback(mine) is not None
""",
        before="marker = bytes(654_321); place = sys._getframe().f_lineno",
    )


def test_the_child_may_do_everything() -> None:
    forks(
        """\
kept = [[x] for x in range(2000)]
snapshot = mt.take_snapshot()
assert len(snapshot.traces) > 2000
assert snapshot.statistics("lineno")
mt.reset_peak()
mt.clear_traces()
assert mt.get_object_traceback(kept) is None
mt.stop()
mt.start(2)
extra = [threading.Thread(target=lambda: kept.append([1] * 100)) for _ in range(3)]
for thread in extra: thread.start()
for thread in extra: thread.join()
assert mt.get_object_traceback(kept[-1]) is not None
native.free_raw(native.foreign_alloc(10, 100))
""",
        count=10,
    )


def test_the_child_may_fork_again() -> None:
    forks(
        """\
def inner():
    kept = [[x] for x in range(500)]
    assert mt.get_object_traceback(kept[-1]) is not None
wait_for(in_child(inner), 15)
kept = {x: [x] for x in range(500)}
assert mt.take_snapshot().traces
""",
        count=8,
    )


def test_forks_between_stop_and_start() -> None:
    forks(
        "kept = [[x] for x in range(300)]\nmt.start()\nmt.stop()\nkept = [[x] for x in range(300)]",
        count=30,
        each="mt.stop() if n % 2 else mt.start(n % 9 + 1)",
    )


def test_a_fork_from_another_thread() -> None:
    check(
        f"""{WAIT}{BACKGROUND}
mt.start(3)
begin()
def body():
    kept = [[x] for x in range(1000)]
    assert mt.get_object_traceback(kept[-1]) is not None
    assert mt.take_snapshot().traces
def fork_some():
    for _ in range(15):
        wait_for(in_child(body))
forkers = [threading.Thread(target=fork_some) for _ in range(2)]
for thread in forkers: thread.start()
for thread in forkers: thread.join()
finish()
""",
        timeout=120,
    )


def test_the_parents_traces_do_not_change() -> None:
    check(f"""{WAIT}
import memtally as mt
mt.start(3)
def body():
    mt.clear_traces()
    kept = [[x] for x in range(5000)]
kept = [bytes(90_000 + n) for n in range(50)]
def known():
    return sorted(row for row in mt._get_traces() if row[1] > 80_000)
before = known()
assert len(before) == 50
for _ in range(10):
    wait_for(in_child(body))
assert known() == before
""")


def test_multiprocessing_pools() -> None:
    check("""if True:
    import multiprocessing, warnings
    import memtally as mt
    warnings.simplefilter("ignore", DeprecationWarning)
    def work(n):
        made = [[x] for x in range(n)]
        return mt.is_tracing() and mt.get_object_traceback(made) is not None
    mt.start(3)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert all(pool.map(work, range(100, 160)))
    """)
