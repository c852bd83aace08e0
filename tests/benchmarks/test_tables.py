"""What `make bench` makes of its measurements."""

import argparse
import math
import pathlib

import compare
import measuring
import pytest
import tables
import tracers

SECONDS = {
    "off": {"a": 1.0, "b": 2.0},
    "memtally:1": {"a": 1.1, "b": 2.2},
    "std:1": {"a": 2.0, "b": 16.0},
}
MEMORY = {
    "off": {"a": 100, "b": 100},
    "memtally:1": {"a": 110, "b": 100},
    "std:1": {"a": 200, "b": 100},
}


def test_ratios_are_to_the_first_tracer_and_means_are_geometric():
    found = tables.summary("off", SECONDS, MEMORY)
    assert found["std:1"] == pytest.approx({"time": 4.0, "worst": 8.0, "rss": 2**0.5, "worst rss": 2.0})
    assert found["off"]["time"] == 1.0


def test_the_share_is_of_what_the_standard_tracer_adds():
    assert tables.shares_of_standard({"off": 1.0, "memtally:1": 1.1, "std:1": 3.0}) == pytest.approx(
        {"memtally:1": 0.05}
    )
    # The standard tracer is measured with 25 frames at most, so all frames are compared with these.
    assert list(tables.shares_of_standard({"memtally:65535": 1.1, "std:25": 11.0})) == ["memtally:65535"]


def test_what_failed_under_a_tracer_is_left_out_of_its_mean_alone():
    seconds = SECONDS | {"memray": {"a": 3.0}}
    found = tables.summary("off", seconds, MEMORY | {"memray": {"a": 100}})
    assert found["memray"]["time"] == pytest.approx(3)
    assert "| b " in tables.suite_table(seconds, MEMORY | {"memray": {}})
    assert math.isnan(tables.geomean({}))


def test_the_table_has_a_row_for_each_workload_and_lines_up():
    lines = tables.suite_table(SECONDS, MEMORY).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split() == ["|", "a", "|", "1.000", "s", "|", "1.10x", "|", "2.00x", "|"]


def test_peers_take_part_in_the_first_rounds_only():
    args = argparse.Namespace(tracers=["off", "memtally:1", "std:1", "memray:py"], rounds=3, peer_rounds=1)
    assert compare.plan(args) == [args.tracers, ["off", "memtally:1"], ["off", "memtally:1"]]


def test_the_tracer_that_others_are_compared_with_takes_part_in_every_round():
    args = argparse.Namespace(tracers=["std:1", "memtally:1"], rounds=2, peer_rounds=1)
    assert compare.plan(args) == [args.tracers, args.tracers]


def test_the_best_of_the_rounds_counts_and_failures_are_told(capsys):
    times = iter([3.0, 2.0])

    def measure(name, tracer):
        if tracer == "memray":
            raise RuntimeError("does not start")
        return next(times), 10

    suite = compare.Suite("Some", ["a"], measure)
    result = compare.run_suite(suite, [["off", "memray"], ["off", "memray"]])
    assert result["seconds"] == {"off": {"a": 2.0}, "memray": {}}
    assert result["failures"] == {"a under memray": "does not start"}
    assert "failed under memray" in capsys.readouterr().err


def test_a_workload_runs_in_a_process_of_its_own(tmp_path):
    file = tmp_path / "few.py"
    folder = pathlib.Path(measuring.__file__).parent
    file.write_text(
        f"import sys\nsys.path.insert(0, {str(folder)!r})\nimport measuring\n"
        "def made():\n    return lambda: [str(i) for i in range(1000)]\n"
        "WORKLOADS = {'made': made}\n"
        "if __name__ == '__main__':\n    measuring.main(WORKLOADS)\n"
    )
    for tracer in ("off", "std:25", "memtally:25"):
        seconds, peak = compare.workload_measure(file, 1)("made", tracer)
        assert 0 < seconds < 60
        assert 5_000 < peak < 500_000
    with pytest.raises(RuntimeError, match="KeyError"):
        compare.workload_measure(file, 1)("absent", "off")


@pytest.mark.parametrize("spec", ["std:x", "memray:all", "tracemalloc", "off:1"])
def test_a_tracer_that_does_not_exist_is_refused(spec):
    with pytest.raises(ValueError, match="no tracer"):
        tracers.parse(spec)


def test_each_tracer_has_a_command_that_starts_it():
    assert tracers.command("off", "py", "r") == ["py"]
    assert tracers.command("std:25", "py", "r") == ["py", "-X", "tracemalloc=25"]
    assert tracers.command("memtally:1", "py", "r") == ["py", "-X", "memtally=1"]
    assert tracers.command("memray:py", "py", "r")[-3:] == ["--trace-python-allocators", "-o", "r"]
