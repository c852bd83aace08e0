"""The oracle finds what it is there to find: stand-ins with one seeded fault each, and one without any."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from running import PROGRAMS, STANDINS, Run, run_oracle

PROGRAM = os.path.join(STANDINS, "program.py")


def run_standin(name: str, *options: str, fault: str = "", script: str = PROGRAM) -> Run:
    # The standard tracer's own snapshot takes tuples from the free lists: --collect empties them before.
    return run_oracle(
        script, "--collect", "--tracer", os.path.join(STANDINS, name), *options, env={"ORACLE_FAULT": fault}
    )


@pytest.mark.parametrize("first", ["std", "memtally"])
@pytest.mark.parametrize("frames", ["1", "4", "25", "65535"])
def test_the_standard_tracer_agrees_with_itself(frames: str, first: str) -> None:
    run = run_standin("faithful.py", "--frames", frames, "--first", first)
    assert run.code == 0, run.output
    assert "agrees" in run.output


@pytest.mark.parametrize("name", ["free_lists", "exceptions", "generators_depths"])
def test_the_standard_tracer_agrees_with_itself_on_programs(name: str) -> None:
    run = run_standin("faithful.py", "--frames", "25", script=os.path.join(PROGRAMS, name + ".py"))
    assert run.code == 0, run.output


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("line", "frame 0 differs"),
        ("file", "frame 0 differs"),
        ("deep-line", "frame 3 differs"),
        ("short", "4 frames against 3"),
        ("total", "total_nframe 9 against 10"),
        ("missing", "only the standard tracer has: 1 blocks"),
        ("twice", "only ours has: 1 blocks"),
        ("size", "54329 bytes"),
        ("domain", "domain 1"),
        ("object", "get_object_traceback differs for 1 objects"),
        ("count", "get_traced_memory()[0] differs"),
        ("peak", "get_traced_memory()[1] differs"),
    ],
)
def test_a_seeded_fault_is_found(fault: str, said: str) -> None:
    run = run_standin("faults.py", "--frames", "4", fault=fault)
    assert run.code == 1, run.output
    assert said in run.output


def test_no_fault_no_difference() -> None:
    run = run_standin("faults.py", "--frames", "4", fault="none")
    assert run.code == 0, run.output


def test_inexact_free_lists_allow_a_traceback_and_nothing_else(tmp_path: object) -> None:
    for fault, code in (("free-listed line", 0), ("free-listed missing", 1), ("line", 1)):
        run = run_standin("faults.py", "--frames", "4", "--inexact-free-lists", fault=fault)
        assert run.code == code, run.output
        assert ("allowed: " in run.output) == (code == 0)


def test_a_failing_script_is_not_agreement(tmp_path: object) -> None:
    script = os.path.join(str(tmp_path), "fails.py")
    with open(script, "w", encoding="utf-8") as file:
        file.write("raise RuntimeError('on purpose')\n")
    run = run_standin("faithful.py", script=script)
    assert run.code == 2
    assert "on purpose" in run.output


def test_a_missing_tracer_is_not_agreement() -> None:
    run = run_oracle(PROGRAM, "--tracer", "no_such_tracer")
    assert run.code == 2
    assert "cannot import no_such_tracer" in run.output
