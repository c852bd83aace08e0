"""CPython's own test_tracemalloc against memtally: each of its tests is one test here.

ADAPTATIONS.md beside this file lists what is adapted, and why. The suite runs once, in a process of its own.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import pytest

RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_suite.py")
EXPECTED = {(3, 11): 48, (3, 12): 48, (3, 13): 48, (3, 14): 51, (3, 15): 51}
HAS_SUITE = importlib.util.find_spec("test") is not None and importlib.util.find_spec("test.test_tracemalloc")
NO_SUITE = "this Python comes without its test suite (Debian: libpython3-testsuite)"


def names() -> list[str]:
    if not HAS_SUITE:
        return []
    done = subprocess.run([sys.executable, RUNNER, "--list"], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.split()


@functools.cache
def results(*options: str) -> dict[str, Any]:
    """What became of each test by name; a test the process died in says so."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "results")
        environment = {
            name: value for name, value in os.environ.items() if name not in ("MEMTALLY", "PYTHONTRACEMALLOC")
        }
        done = subprocess.run(
            [sys.executable, RUNNER, *options, path],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=600,
            env=environment,
        )
        output = done.stdout.decode("utf-8", "replace")
        found: dict[str, Any] = {"exit code": done.returncode, "output": output}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for record in map(json.loads, file):
                    if "began" in record:
                        record = {
                            "outcome": "failed",
                            "detail": f"the process ended here ({done.returncode})\n{output}",
                            "test": record["test"],
                        }
                    found[record["test"]] = record
        return found


def check(name: str, found: dict[str, Any]) -> None:
    assert name in found, f"did not run; exit code {found['exit code']}\n{found['output']}"
    if found[name]["outcome"] == "skipped":
        pytest.skip(found[name]["detail"])
    assert found[name]["outcome"] == "passed", found[name]["detail"]


NAMES = names()


@pytest.mark.skipif(not HAS_SUITE, reason=NO_SUITE)
def test_the_number_of_tests_is_what_this_version_has() -> None:
    expected = EXPECTED.get(sys.version_info[:2])
    assert expected is not None, "say in EXPECTED how many tests this version has"
    ran = [name for name in results() if name not in ("exit code", "output")]
    assert len(NAMES) == expected
    assert sorted(ran) == sorted(NAMES)
    assert results()["exit code"] == 0, results()["output"]


@pytest.mark.parametrize("name", NAMES)
def test_cpython(name: str) -> None:
    check(name, results())


@pytest.mark.skipif(not HAS_SUITE, reason=NO_SUITE)
@pytest.mark.slow
def test_the_runner_passes_with_the_standard_tracer() -> None:
    for name in NAMES:
        check(name, results("--standard"))
