"""A whole traced program while the tracer's requests for memory fail: the Nth one, or all from the Nth on.

The program goes on and gets its result, what could not be traced is counted, whatever cannot be had at all
raises MemoryError, and nothing crashes. Each N runs in a child of its own, forked from a process in which
nothing has failed.
"""

from __future__ import annotations

import json
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

pytestmark = [
    pytest.mark.skipif(bool(can_build()), reason=can_build()),
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="LD_PRELOAD stands in front of Linux's mmap"
    ),
]

DRIVER = """
import ctypes, json, os, signal, threading
import memtally

# Its thread would not be in a forked child, which would wait for it.
faulthandler.cancel_dump_traceback_later()

library = ctypes.CDLL(None)
library.failing_memory_arm.argtypes = [ctypes.c_long, ctypes.c_int]
library.failing_memory_calls.restype = ctypes.c_long
arm, calls = library.failing_memory_arm, library.failing_memory_calls

def recurse(depth, kept):
    kept.append([depth])
    return recurse(depth - 1, kept) if depth else len(kept)

def numbers(end):
    for number in range(end):
        yield [number], bytes(number)

def made_code(count):
    total = 0
    for number in range(count):
        names = {}
        exec(f"def f{number}(x):\\n" + "\\n" * (number % 7) + f"    return [x, {number}]", names)
        total += sum(names[f"f{number}"](number))
    return total

def in_threads(count):
    results = []
    def run(number):
        results.append(recurse(20 + number, []))
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(results)

def resized(count):
    array = bytearray()
    for number in range(count):
        array += bytes(number % 100)
    return len(array)

def work():
    kept = []
    large = [bytearray(600 + number) for number in range(4000)]
    small = {number: (number, [number]) for number in range(30000)}
    generators = [numbers(50) for _ in range(20)]
    while generators:
        generators = [generator for generator in generators if next(generator, None) is not None]
    return [recurse(800, kept), made_code(300), in_threads(8), resized(3000), len(large), len(small)]

def attempt(events, name, function, *arguments):
    try:
        return function(*arguments)
    except MemoryError:
        events.append(name)
        return None

def questions(events):
    for view in ("live", "peak", "total"):
        snapshot = attempt(events, "take_snapshot", memtally.take_snapshot, view)
        if snapshot is not None:
            for key in ("filename", "lineno", "traceback"):
                attempt(events, "statistics", snapshot.statistics, key)
            attempt(events, "compare_to", snapshot.compare_to, snapshot, "lineno")
            attempt(events, "filter_traces", snapshot.filter_traces, [memtally.Filter(False, "<string>")])
            attempt(events, "traces", len, snapshot.traces)

def child(nth, lasting, frames, ahead):
    events = []
    if ahead:
        memtally.start(frames)
    arm(nth, lasting)
    attempt(events, "start", memtally.start, frames)
    started = memtally.is_tracing()
    result = work()
    lost = memtally.capabilities()["lost_traces"]
    if memtally.is_tracing():
        questions(events)
    attempt(events, "clear_traces", memtally.clear_traces)
    cleared = memtally.is_tracing()
    result += work()
    lost_then = memtally.capabilities()["lost_traces"]
    made = calls()
    arm(0, 0)
    current, peak = memtally.get_traced_memory()
    memtally.start(frames)  # does nothing, or starts at last
    traced = bytearray(12345)
    found = memtally.get_object_traceback(traced) is not None
    questions(events)
    memtally.stop()
    own = memtally.get_tracemalloc_memory()
    return dict(events=events, started=started, result=result, lost=lost, lost_then=lost_then, calls=made,
                cleared=cleared, current=current, peak=peak, found=found, own=own)

def forked(*arguments):
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        signal.alarm(60)
        os.close(read)
        os.write(write, json.dumps(child(*arguments)).encode())
        os.close(write)
        sys.stdout.flush()
        os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        said = file.read()
    status = os.waitpid(process, 0)[1]
    return json.loads(said) if status == 0 else {"status": status, "arguments": arguments}
"""

SWEEP = (
    DRIVER
    + """
lasting, frames, ahead, every = json.loads(os.environ["OUT_OF_MEMORY"])
outcomes, nth, step = [forked(10**9, False, frames, ahead)], 1, 1
while True:
    outcome = forked(nth, lasting, frames, ahead)
    outcome["nth"] = nth
    outcomes.append(outcome)
    if "status" in outcome or outcome["calls"] < nth:
        break
    nth, step = nth + step, step if every else step + 2 + nth // 3
print(json.dumps(outcomes))
"""
)


def sweep(lasting: bool, frames: int, ahead: bool, every: bool) -> list[dict]:
    """What came of the program without a failure, and with the Nth request failing.

    N = 1, 2, ... (or some of these), until there are no N requests.
    """
    env = {
        "LD_PRELOAD": build("failing_memory"),
        "OUT_OF_MEMORY": json.dumps([lasting, frames, ahead, every]),
    }
    # A joined thread may take the system a moment to end; forking then, CPython warns of several threads.
    quietly = ("-W", "ignore::DeprecationWarning")
    outcomes = json.loads(check(SWEEP, *quietly, env=env, timeout=1500 if every else 200))
    for outcome in outcomes:
        assert "status" not in outcome, f"the program crashed: {outcome}"
        assert outcome["result"] == outcomes[0]["result"]
        assert 0 <= outcome["current"] <= outcome["peak"]
        assert outcome["found"], "once there is memory, blocks are traced"
        assert outcome["own"] == 0, "stop() gives everything back"
    return outcomes


def check_outcomes(outcomes: list[dict], lasting: bool, ahead: bool) -> None:
    """The first had no failure, nor had the last; all between had at least one."""
    for outcome in (outcomes[0], outcomes[-1]):
        assert outcome["events"] == []
        assert outcome["lost_then"] == 0
        assert outcome["started"]
        assert outcome["cleared"]
    for outcome in outcomes[1:-1]:
        assert outcome["started"] == ("start" not in outcome["events"])
        assert set(outcome["events"]) <= {
            "start",
            "clear_traces",
            "take_snapshot",
            "statistics",
            "compare_to",
            "filter_traces",
            "traces",
        }
        if ahead:
            assert outcome["started"]
        if lasting and outcome["nth"] == 1:
            assert "take_snapshot" in outcome["events"] if ahead else "start" in outcome["events"]
            assert outcome["lost"] > 0 if ahead else outcome["lost"] == 0
        if "clear_traces" in outcome["events"]:
            assert not outcome["cleared"], (
                "no memory for empty tables: tracing has ended, and is_tracing() tells"
            )
    assert len(outcomes) > 8


CASES = pytest.mark.parametrize(
    ("lasting", "frames", "ahead"),
    [(False, 1, False), (False, 25, True), (True, 25, False), (True, 1, True)],
    ids=["one failure", "one failure after the start", "no more memory", "no more memory after the start"],
)


@CASES
def test_a_program_goes_on_when_some_requests_fail(lasting: bool, frames: int, ahead: bool) -> None:
    check_outcomes(sweep(lasting, frames, ahead, every=False), lasting, ahead)


@pytest.mark.slow
@pytest.mark.timeout(1600)
@CASES
def test_a_program_goes_on_whichever_request_fails(lasting: bool, frames: int, ahead: bool) -> None:
    check_outcomes(sweep(lasting, frames, ahead, every=True), lasting, ahead)


def test_start_raises_memory_error_when_its_tables_cannot_be_had() -> None:
    code = (
        DRIVER
        + """
arm(1, True)
try:
    memtally.start()
except MemoryError as error:
    print("MemoryError", memtally.is_tracing())
    print(memtally.get_traced_memory(), memtally.get_tracemalloc_memory())
arm(0, False)
memtally.start(7)
print(memtally.is_tracing(), memtally.get_traceback_limit(), memtally.capabilities()["lost_traces"])
"""
    )
    said = check(code, env={"LD_PRELOAD": build("failing_memory")})
    assert said == "MemoryError False\n(0, 0) 0\nTrue 7 0\n"


def test_lost_traces_are_counted_from_each_start_anew() -> None:
    code = (
        DRIVER
        + """
memtally.start()
arm(1, True)
work()
lost = memtally.capabilities()["lost_traces"]
arm(0, False)
kept = [bytearray(100) for _ in range(10)]
memtally.stop()
memtally.start()
print(lost > 1000, memtally.capabilities()["lost_traces"])
"""
    )
    assert check(code, env={"LD_PRELOAD": build("failing_memory")}) == "True 0\n"
