"""CPython's own report of a broken heap comes out while memtally traces, as it does without."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from fresh_process import run

pytest.importorskip("_testcapi", reason="this Python comes without _testcapi")
MISTAKES = {
    "pymem_buffer_overflow": "bad trailing pad byte",
    "pymem_api_misuse": "bad ID: Allocated using API 'm', verified using API 'r'",
    "pymem_malloc_without_gil": "Python memory allocator called without holding the GIL",
    "pyobject_malloc_without_gil": "Python memory allocator called without holding the GIL",
}
UNSTEADY = re.compile(r"0x[0-9a-f]+|serial=?\d*|Block.*serial.*|(?<=call number )\d+|\d+(?= bytes requested)")


def report(mistake: str, begin: str, allocator: str) -> str:
    """What the process says as it dies, without what is never the same twice, and without the stack in C,
    which CPython adds from 3.14 on, and in which memtally has its place."""
    done = run(f"{begin}\nimport _testcapi\n_testcapi.{mistake}()", env={"PYTHONMALLOC": allocator})
    assert done.returncode == -signal.SIGABRT, (done.returncode, done.stderr)
    return UNSTEADY.sub("*", re.sub(r"(?s)Current thread's C stack trace.*?\n\n", "", done.stderr))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_fatal_memory_error_prints_cpythons_own_report(mistake: str) -> None:
    plain = report(mistake, "import memtally", "debug")
    assert MISTAKES[mistake] in plain
    assert report(mistake, "import memtally; memtally.start(25)", "debug") == plain


@pytest.mark.parametrize("allocator", ["malloc_debug", "pymalloc_debug"])
def test_a_buffer_overflow_is_reported_with_every_allocator(allocator: str) -> None:
    plain = report("pymem_buffer_overflow", "import memtally", allocator)
    assert report("pymem_buffer_overflow", "import memtally; memtally.start(25)", allocator) == plain


def test_with_the_standard_tracer_on_the_report_names_the_line() -> None:
    both = "import memtally, tracemalloc; memtally.start(25); tracemalloc.start(25)"
    assert "Memory block allocated at (most recent call first):" in report(
        "pymem_buffer_overflow", both, "debug"
    )


def test_development_mode_traces_and_reports_too() -> None:
    code = "import memtally; memtally.start(5); import _testcapi; _testcapi.pymem_buffer_overflow()"
    done = run(code, "-X", "dev", env={"PYTHONMALLOC": ""})
    assert "bad trailing pad byte" in done.stderr
