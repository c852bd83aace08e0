"""numpy's arrays, which numpy reports by itself: as the standard tracer has them, with that one off."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
DOMAIN = 389047
HAS_NUMPY = importlib.util.find_spec("numpy") is not None
pytestmark = pytest.mark.skipif(
    not HAS_NUMPY, reason="numpy is not installed here (tools/requirements-test.txt)"
)


def run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=200,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def reported(tracer: str, when: str, safe: str = "0") -> list[Any]:
    program = os.path.join(HERE, "numpy_program.py")
    return list(json.loads(run(program, tracer, when, MEMTALLY_SAFE=safe)))


@pytest.mark.parametrize("when", ["early", "late"])
def test_every_step_of_a_program_leaves_what_the_standard_tracer_reports(when):
    ours, standard = reported("memtally", when), reported("tracemalloc", when)
    for (step, found), (_, expected) in zip(ours, standard, strict=True):
        assert found == expected, step
    assert any(domain == DOMAIN for _, found in ours for domain, _, _ in found)
    assert ours[-1] == ["nothing", []]


def test_it_makes_no_difference_whether_numpy_was_there_first():
    assert reported("memtally", "early") == reported("memtally", "late")


def sizes(step: str) -> list[int]:
    return [size for name, found in reported("memtally", "late") if name == step for _, size, _ in found]


def test_an_array_is_one_block_of_numpys_domain():
    assert sizes("make").count(800_000) == 1


def test_a_view_keeps_the_block_of_its_array():
    assert 800_000 in sizes("drop_with_views")
    assert 800_000 not in sizes("drop_views")


def test_a_resized_array_has_its_last_size():
    assert 5600 in sizes("resize")
    assert not {80_000, 40_000} & set(sizes("resize"))


def test_what_another_thread_frees_is_gone():
    assert sizes("free_in_thread") == sizes("drop_views")


def test_safe_mode_sees_no_domain_but_pythons():
    assert {domain for _, found in reported("memtally", "late", safe="1") for domain, _, _ in found} <= {0}


FILTERED = f"""
import memtally
memtally.start()
import numpy
array = numpy.zeros(123_456, dtype="u1")
snapshot = memtally.take_snapshot()
only = snapshot.filter_traces([memtally.DomainFilter(True, {DOMAIN})])
assert 123_456 in [trace.size for trace in only.traces]
assert {{trace.domain for trace in only.traces}} == {{{DOMAIN}}} == {{numpy.lib.tracemalloc_domain}}
rest = snapshot.filter_traces([memtally.DomainFilter(False, {DOMAIN})])
assert len(rest.traces) + len(only.traces) == len(snapshot.traces)
here = snapshot.filter_traces([memtally.Filter(True, "<string>", domain={DOMAIN})])
assert [(trace.size, trace.traceback[0].lineno) for trace in here.traces] == [(123_456, 5)]
assert memtally.take_snapshot(view="peak").statistics("domain")
"""


def test_filters_know_numpys_domain():
    run("-c", FILTERED)


def test_tracing_from_the_first_line_sees_numpy():
    code = (
        "import numpy, memtally; array = numpy.ones(99_999); "
        f"only = memtally.take_snapshot().filter_traces([memtally.DomainFilter(True, {DOMAIN})]); "
        "print(max(trace.size for trace in only.traces))"
    )
    assert run("-X", "memtally", "-c", code) == "799992\n"
