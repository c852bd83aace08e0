"""The interpreter ends while tracing: with blocks, threads and finalizers alive, with every allocator."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
START = "import memtally as mt\nmt.start(25)\nkept = [[n, {n: [n]}] for n in range(3000)]\n"
ENDINGS = {
    "with live blocks": "",
    "after clear_traces": "mt.clear_traces()",
    "after stop": "mt.stop()",
    "after many starts": "for _ in range(20): mt.stop(); mt.start(3)",
    "with a snapshot alive": "snapshot = mt.take_snapshot(); traces = snapshot.traces[5]",
    "with a snapshot in a cycle": "s = mt.take_snapshot(); s.me = s; held = s.statistics('traceback'); del s",
    "with __del__ that allocates": """
class Late:
    def __del__(self):
        self.held = [[n] for n in range(500)]
        kept.append(self.held) if kept is not None else None
late = [Late() for _ in range(20)]
late[0].cycle = late
""",
    "with __del__ that asks the tracer": """
class Late:
    def __del__(self, mt=mt):
        made = [1, 2]
        mt.is_tracing() and mt.get_object_traceback(made)
        mt.get_traced_memory()
late = Late()
late.me = late
sys.late = Late()
""",
    "with atexit functions": """
import atexit
atexit.register(lambda: kept.extend([n] for n in range(1000)))
atexit.register(lambda: mt.take_snapshot().statistics('lineno'))
""",
    "with stop in atexit": "import atexit\natexit.register(mt.stop)",
    "with start in atexit": "import atexit\nmt.stop()\natexit.register(mt.start, 5)",
    "with start in a __del__ at the end": """
class Late:
    def __del__(self, mt=mt): mt.stop(); mt.start(3); self.held = [[1]]
sys.late = Late()
""",
    "with a suspended generator": """
def numbers():
    try:
        yield [1]
    finally:
        kept.append([2]) if kept is not None else None
generator = numbers(); next(generator)
""",
    "with daemon threads": """
import threading, time
def forever():
    held = []
    while True:
        held.append([bytes(100)] * 3)
        if len(held) > 1000: held.clear()
for _ in range(3): threading.Thread(target=forever, daemon=True).start()
time.sleep(0.05)
""",
    "with threads still to be joined": """
import threading, time
def work():
    time.sleep(0.1)
    for n in range(2000): kept.append([n])
for _ in range(3): threading.Thread(target=work).start()
""",
    "with foreign threads allocating": """
from extension_builder import load
native = load('native_threads')
native.start_churn(3)
""",
    "with foreign blocks left": """
from extension_builder import load
native = load('native_threads')
blocks = native.foreign_alloc(100, 1000) + native.detached_alloc(100, 1000)
""",
    "with the standard tracer on top": "import tracemalloc\ntracemalloc.start(3)\nmore = [[n] for n in [1]]",
    "with the standard tracer below": """
import tracemalloc
mt.stop(); tracemalloc.start(3); mt.start(3)
more = [[n] for n in range(500)]
""",
    "by os._exit": "import os\nos._exit(0)",
    "by sys.exit in depth": "def deep(n):\n    if n: deep(n - 1)\n    sys.exit(0)\ndeep(50)",
    "with the module gone": "for n in list(sys.modules):\n    if 'memtally' in n: del sys.modules[n]\ndel mt",
    "with a reference cycle of code": """
space = {}
exec('def f(): return [f]', space)
space['f'].me = space['f'](); space['code'] = space['f'].__code__
""",
}
ALLOCATORS = ["default", "malloc", "debug", "malloc_debug"] + (
    ["mimalloc", "mimalloc_debug"] if sys.version_info >= (3, 13) else []
)


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    build("native_threads")


def skip_what_cpython_does_not_survive(name: str, allocator: str) -> None:
    """Without memtally, 39 of 40 such processes die: while it ends, CPython changes the RAW allocator."""
    if name == "with foreign threads allocating" and "debug" in allocator:
        pytest.skip("CPython itself dies when threads allocate at its end with a debug allocator")


@pytest.mark.parametrize("name", ENDINGS)
def test_exit(name: str) -> None:
    allocator = "debug" if sys.flags.dev_mode else os.environ.get("PYTHONMALLOC", "")
    skip_what_cpython_does_not_survive(name, allocator)
    check(START + ENDINGS[name])


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_exit_with_allocator(allocator: str) -> None:
    everything = (
        START
        + ENDINGS["with __del__ that allocates"]
        + ENDINGS["with foreign blocks left"]
        + """
data = [bytes(n) for n in range(1200)]
assert all(mt.get_object_traceback(item) is not None for item in data[2:])
sizes = {n for domain, n, *_ in mt._get_traces()}
assert {33 + n for n in range(2, 1200)} <= sizes
del data
"""
    )
    check(everything, env={"PYTHONMALLOC": allocator})


@pytest.mark.slow
@pytest.mark.parametrize("allocator", ALLOCATORS)
@pytest.mark.parametrize("name", ENDINGS)
def test_every_exit_with_every_allocator(name: str, allocator: str) -> None:
    skip_what_cpython_does_not_survive(name, allocator)
    check(START + ENDINGS[name], env={"PYTHONMALLOC": allocator})


def test_exit_in_development_mode() -> None:
    check(START + ENDINGS["with __del__ that allocates"], "-X", "dev")


def test_an_uncaught_exception_keeps_its_exit_code() -> None:
    from fresh_process import run

    done = run(START + "raise ValueError('on purpose')")
    assert done.returncode == 1
    assert "ValueError: on purpose" in done.stderr
