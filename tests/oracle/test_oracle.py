"""Every program of `programs/` leaves the same traces with memtally as with the standard tracer.

By default each program runs once, with frames and starting order taken in turn so that every combination
is met; `-m slow` runs all programs with all of them.
"""

from __future__ import annotations

import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from running import PROGRAMS, options_of, run_oracle

FRAMES = (1, 4, 25, 65535)
ORDERS = ("std", "memtally")
NAMES = sorted(name.removesuffix(".py") for name in os.listdir(PROGRAMS) if name.endswith(".py"))
MATRIX = list(itertools.product(FRAMES, ORDERS))
# The standard tracer takes seconds for these with many frames: the fast subset runs them with one.
HEAVY = {
    "asyncio_tasks",
    "imports",
    "import_machinery",
    "logging_unittest",
    "native_threads",
    "numeric_types",
    "numpy_arrays",
}
HEAVY |= {"parsing", "raw_domain", "realloc_heavy", "recursion", "subprocesses", "threads", "tracing_hooks"}


def fast_setting(index: int, name: str) -> tuple[str, int, str]:
    frames, order = MATRIX[(index * 3) % len(MATRIX)]
    return name, 1 if name in HEAVY else frames, order


FAST = [fast_setting(index, name) for index, name in enumerate(NAMES)]
SLOW = [(name, *pair) for name in NAMES for pair in MATRIX if (name, *pair) not in FAST]


def check(name: str, frames: int, first: str) -> None:
    script = os.path.join(PROGRAMS, name + ".py")
    run = run_oracle(script, *options_of(script), "--frames", str(frames), "--first", first)
    assert run.code == 0, run.output


@pytest.mark.parametrize(("name", "frames", "first"), FAST)
def test_program_leaves_the_same_traces(name: str, frames: int, first: str) -> None:
    check(name, frames, first)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "frames", "first"), SLOW)
def test_program_leaves_the_same_traces_in_every_setting(name: str, frames: int, first: str) -> None:
    check(name, frames, first)


# What leans on marks and on the import tables most; the others are in the slow set. Before
# 3.13, free-listed blocks keep their first traceback when safe: then the oracle allows that, and counts it.
SAFE = {"exec_code", "frame_reuse", "free_lists", "generators_depths", "generators_throw"}
# What extensions report is seen through import tables only: not when safe.
PATCHED = {"foreign_domains", "numpy_arrays"}


def check_safe(name: str, frames: int, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMTALLY_SAFE", "1")
    check(name, frames, first)


@pytest.mark.parametrize(("name", "frames", "first"), [row for row in FAST if row[0] in SAFE])
def test_safe_mode_leaves_the_same_traces(
    name: str, frames: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_safe(name, frames, first, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "frames", "first"), [row for row in FAST if row[0] not in SAFE | PATCHED])
def test_safe_mode_leaves_the_same_traces_of_every_program(
    name: str, frames: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_safe(name, frames, first, monkeypatch)


def test_the_safe_names_are_programs() -> None:
    assert set(NAMES) >= SAFE | PATCHED
