"""Random programs leave the same traces with memtally as with the standard tracer."""

from __future__ import annotations

import os
import sys
import tempfile

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed: random programs are drawn with it")
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from random_programs import programs
from running import run_oracle

FEW = settings(
    max_examples=10, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
MANY = settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
FRAMES = st.sampled_from(["1", "2", "4", "25", "65535"])
ORDERS = st.sampled_from(["std", "memtally"])


def check(source: str, frames: str, first: str) -> None:
    note(source)
    note(f"frames={frames} first={first}")
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "drawn.py")
        with open(script, "w", encoding="utf-8") as file:
            file.write(source)
        run = run_oracle(script, "--frames", frames, "--first", first)
    assert run.code == 0, run.output


@FEW
@given(programs(), FRAMES, ORDERS)
def test_random_programs_leave_the_same_traces(source: str, frames: str, first: str) -> None:
    check(source, frames, first)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@MANY
@given(programs(), FRAMES, ORDERS)
def test_many_random_programs_leave_the_same_traces(source: str, frames: str, first: str) -> None:
    check(source, frames, first)
