"""The tests that look at every block, again under each allocator that CPython can be told to use."""

import collections.abc
import os
import sys

import python_tests
from steps import Counts, say

MODES = {
    "debug": {"PYTHONMALLOC": "debug"},
    "malloc": {"PYTHONMALLOC": "malloc"},
    "pymalloc_debug": {"PYTHONMALLOC": "pymalloc_debug"},
    "mimalloc": {"PYTHONMALLOC": "mimalloc"},
    "development mode": {"PYTHONDEVMODE": "1"},
}
SINCE = {"mimalloc": (3, 13)}

FILES = (
    "tests/api/test_module.py",
    "tests/api/test_measure.py",
    "tests/cpython",
    "tests/isolated/test_fatal_memory_errors.py",
    "tests/isolated/test_lifecycle_exit.py",
    "tests/oracle/test_oracle.py",
)
PROGRAMS = ("free_lists", "raw_domain", "realloc_heavy", "threads")
"""Of the oracle's programs: those that ask most of an allocator."""


def modes() -> collections.abc.Iterator[tuple[str, dict[str, str]]]:
    """Name and environment of each that this CPython knows."""
    for name, variables in MODES.items():
        if sys.version_info >= SINCE.get(name, (3,)):
            yield name, variables


def run() -> Counts:
    """Runs the tests under each allocator in turn; ARGS (`tests`: all of them) takes the place of FILES."""
    chosen = ["-k", f"not test_oracle or {' or '.join(PROGRAMS)}", *FILES]
    words = chosen if not os.environ.get("ARGS") else []
    counts = Counts()
    for name, variables in modes():
        say(f"allocator: {name}")
        os.environ.update(variables)
        try:
            counts += python_tests.run(words)
        finally:
            for variable in variables:
                del os.environ[variable]
    return counts
