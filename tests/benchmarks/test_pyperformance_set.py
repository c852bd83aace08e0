"""What is read out of pyperf's files, and that the set is what it says."""

import pyperformance_set
import pytest


def test_a_value_is_the_time_of_all_its_loops():
    run = {"values": [0.003, 0.002]}
    assert pyperformance_set.seconds_per_value(
        {"metadata": {"loops": 5}, "benchmarks": [{"runs": [run]}]}
    ) == pytest.approx(0.010)
    assert pyperformance_set.seconds_per_value(
        {"benchmarks": [{"metadata": {"inner_loops": 20}, "runs": [run | {"metadata": {"loops": 5}}]}]}
    ) == pytest.approx(0.200)


def test_the_quick_set_is_part_of_the_whole():
    assert set(pyperformance_set.QUICK) < set(pyperformance_set.BENCHMARKS)
    assert len(pyperformance_set.BENCHMARKS) >= 34
