"""Sub-interpreters with a shared and with their own GIL, made and destroyed while the main one allocates."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

del build, can_build
INTERPRETERS = """
import sys, threading, time
import memtally as mt
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    def make(own_gil):
        return interpreters.create("isolated" if own_gil else "legacy")
else:
    import _xxsubinterpreters as interpreters
    def make(own_gil):
        return interpreters.create(isolated=own_gil)
def run(which, code):
    error = interpreters.run_string(which, code)
    assert error is None, error
CODE = '''
import json, re
def deep(n):
    return deep(n - 1) if n else [[n], {n: str(n) * 50}, 1.5 * n]
class Kind:
    def __init__(self, n): self.held = [n]
held = [[deep(n % 30), Kind(n)] for n in range(300)]
def numbers():
    for n in range(100):
        yield [n]
held.append(list(numbers()))
held.append(json.loads("[1, [2.5, {}]]"))
code = compile("[[x] for x in range(20)]", "made in a sub-interpreter", "eval")
held += eval(code)
'''
stopping = False
def allocate():
    held = []
    def deep(n):
        return deep(n - 1) if n else [[n], {n: [n]}, 1.5 * n]
    while not stopping:
        held.append(deep(len(held) % 20))
        if len(held) % 50 == 0:
            time.sleep(0.0005)  # up to 3.12 other interpreters cannot ask for a shared GIL
        if len(held) > 1000:
            del held[::2]
def beside(loop):
    global stopping
    thread = threading.Thread(target=allocate)
    thread.start()
    try:
        loop()
    finally:
        stopping = True
        thread.join()
"""
GILS = [
    pytest.param(False, id="shared GIL"),
    pytest.param(
        True,
        id="own GIL",
        marks=pytest.mark.skipif(
            sys.version_info < (3, 12), reason="interpreters have their own GIL from 3.12 on"
        ),
    ),
]


@pytest.mark.parametrize("own_gil", GILS)
def test_made_and_destroyed_in_a_loop_while_the_main_one_allocates(own_gil: bool) -> None:
    check(
        f"""{INTERPRETERS}
def loop():
    for n in range(10):
        which = make({own_gil})
        run(which, CODE)
        interpreters.destroy(which)
mt.start(5)
beside(loop)
snapshot = mt.take_snapshot()
assert snapshot.statistics("lineno")
for trace in snapshot.traces:
    str(trace)
""",
        timeout=120,
    )


@pytest.mark.parametrize("own_gil", GILS)
def test_several_run_at_once(own_gil: bool) -> None:
    check(
        f"""{INTERPRETERS}
errors = []
def one():
    try:
        for n in range(3):
            which = make({own_gil})
            run(which, CODE * 2)
            interpreters.destroy(which)
    except BaseException as error:
        errors.append(error)
def loop():
    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
mt.start(25)
beside(loop)
assert not errors, errors
""",
        timeout=120,
    )


@pytest.mark.parametrize("own_gil", GILS)
def test_tracing_stops_and_starts_while_one_runs(own_gil: bool) -> None:
    check(
        f"""{INTERPRETERS}
ended = False
def one():
    global ended
    for n in range(8):
        which = make({own_gil})
        run(which, CODE * 2)
        interpreters.destroy(which)
    ended = True
def loop():
    n = 0
    while not ended:
        n += 1
        mt.start(n % 25 + 1)
        mt.take_snapshot()
        mt.clear_traces()
        mt.stop()
        time.sleep(0.0005)  # an interpreter that shares the GIL may ask for it in vain for seconds
runner = threading.Thread(target=one)
runner.start()
beside(loop)
runner.join()
""",
        timeout=120,
    )


@pytest.mark.parametrize("own_gil", GILS)
def test_blocks_of_a_living_one_are_traced_and_go_with_it(own_gil: bool) -> None:
    check(f"""{INTERPRETERS}
def held():
    return [row for row in mt._get_traces() if row[2][0][0] == "inside.py"]
mt.start(3)
which = make({own_gil})
run(which, '''
exec(compile("kept = [bytes(70000 + n) for n in range(40)]", "inside.py", "exec"))
''')
big = [row for row in held() if row[1] >= 70_000]
assert len(big) == 40, len(big)
assert big[0][2][0] == ("inside.py", 1), big[0]
run(which, "del kept")
assert not [row for row in held() if row[1] >= 70_000]
run(which, '''
exec(compile("kept = [bytes(70000 + n) for n in range(40)]", "inside.py", "exec"))
''')
interpreters.destroy(which)
assert not [row for row in held() if row[1] >= 70_000]
mine = bytes(5000)
assert mt.get_object_traceback(mine)[-1].filename == "<string>"
""")


@pytest.mark.parametrize("own_gil", GILS)
def test_importing_memtally_inside_works_or_is_refused(own_gil: bool) -> None:
    check(f"""{INTERPRETERS}
mt.start(3)
for n in range(5):
    which = make({own_gil})
    run(which, '''
try:
    import memtally
except ImportError:
    pass
else:
    memtally.is_tracing()
    memtally.get_traced_memory()
kept = [[n] for n in range(1000)]
''')
    interpreters.destroy(which)
    assert mt.is_tracing()
    mine = bytes(5000)
    assert mt.get_object_traceback(mine) is not None
""")


@pytest.mark.parametrize("own_gil", GILS)
def test_the_process_may_end_with_one_alive(own_gil: bool) -> None:
    check(
        f"""{INTERPRETERS}
mt.start(3)
which = make({own_gil})
run(which, CODE)
"""
        if sys.version_info < (3, 13)
        else f"""{INTERPRETERS}
mt.start(3)
which = make({own_gil})
run(which, CODE)
import atexit
atexit.register(interpreters.destroy, which)
"""
    )
