"""Under CPython's JIT the lines are those that the standard tracer has: no worse, and no better.

Compiled code writes down where it is only now and then, so both name a line that was passed shortly before.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from running import PROGRAMS, options_of, run_oracle

HAS_JIT = hasattr(sys, "_jit") and sys._jit.is_available()
pytestmark = pytest.mark.skipif(not HAS_JIT, reason="no JIT in this interpreter")
JIT = {"PYTHON_JIT": "1"}
NAMES = (
    "hot_loops",
    "generators_throw",
    "coroutines_throw",
    "closures",
    "classes",
    "frame_reuse",
    "exceptions",
)
STALE = """
import {0} as tracer
def work(n):
    kept = []
    for i in range(n):
        number = i + 0.5
        kept.append(number)
        text = "x" * 5
        both = text + text
        kept.append(both)
    return kept
work(5000)
tracer.start()
kept = work(5000)
lines = {{}}
for frames in map(tracer.get_object_traceback, kept[1::2]):
    lines[frames[0].lineno] = lines.get(frames[0].lineno, 0) + 1
print(lines)
"""


def lines(tracer: str, jit: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", STALE.format(tracer)],
        env={**os.environ, "PYTHON_JIT": jit},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout


def capability(jit: str) -> str:
    code = "import memtally; print(memtally.capabilities()['exact_lines'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHON_JIT": jit},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("first", ["std", "memtally"])
@pytest.mark.parametrize("frames", [1, 25, 65535])
def test_hot_loops_leave_the_same_traces(frames: int, first: str) -> None:
    script = os.path.join(PROGRAMS, "hot_loops.py")
    run = run_oracle(script, "--frames", str(frames), "--first", first, env=JIT)
    assert run.code == 0, run.output


@pytest.mark.parametrize("name", NAMES)
def test_programs_leave_the_same_traces(name: str) -> None:
    script = os.path.join(PROGRAMS, name + ".py")
    run = run_oracle(script, *options_of(script), "--frames", "25", env=JIT)
    assert run.code == 0, run.output


def test_each_tracer_alone_names_the_same_lines() -> None:
    assert lines("memtally", "0") == lines("tracemalloc", "0") == "{9: 5000}\n"
    assert lines("memtally", "1") == lines("tracemalloc", "1")


def test_the_capabilities_say_so() -> None:
    assert (capability("0"), capability("1")) == ("True", "False")
