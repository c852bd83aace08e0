"""Runs the interpreter's own test.test_tracemalloc against memtally, in a process of its own.

    python tests/cpython/run_suite.py --list        the names of all tests, one a line
    python tests/cpython/run_suite.py RESULTS       run them; JSON lines per test are added to RESULTS

ADAPTATIONS.md lists everything that is adapted, with its reason; nothing else is changed or left out.
A line {"test": …, "began": true} comes before each test, so that a crash names its test.
With --standard the standard tracer stays in place: the check of the runner itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import traceback
import unittest
from typing import Any

SWITCHES = {"PYTHONTRACEMALLOC": "MEMTALLY"}
MESSAGES = ((b"-X memtally=NFRAME:", b"-X tracemalloc=NFRAME:"), (b"MEMTALLY:", b"PYTHONTRACEMALLOC:"))


def all_tests(suite: Any) -> list[unittest.TestCase]:
    """The single tests of a suite, in its order."""
    if isinstance(suite, unittest.TestCase):
        return [suite]
    return [test for part in suite for test in all_tests(part)]


def load() -> tuple[Any, list[unittest.TestCase]]:
    """The test module and its tests."""
    import test.test_tracemalloc as module

    return module, all_tests(unittest.defaultTestLoader.loadTestsFromModule(module))


def name_of(test: unittest.TestCase) -> str:
    return f"{type(test).__name__}.{test._testMethodName}"


def adapt_argument(argument: str) -> str:
    if argument == "tracemalloc" or argument.startswith("tracemalloc="):
        return "memtally" + argument.removeprefix("tracemalloc")
    return re.sub(r"\bimport tracemalloc(?=[;\n])", "import memtally as tracemalloc", argument)


def adapt_child(run: Any) -> Any:
    """Wrap assert_python_ok and assert_python_failure: memtally's switches in, the standard names out."""

    def adapted(*arguments: str, **environment: str) -> Any:
        result = run(
            *map(adapt_argument, arguments),
            **{SWITCHES.get(name, name): value for name, value in environment.items()},
        )
        errors = result.err
        for ours, standard in MESSAGES:
            errors = errors.replace(ours, standard)
        return result._replace(err=errors)

    return adapted


def take_the_place(module_name: str = "memtally") -> None:
    sys.modules["tracemalloc"] = __import__(module_name)


class Recorder(unittest.TextTestResult):
    """Writes what became of each test as it ends; the worst of a test and its subtests counts."""

    out: Any = None  # the open file of results

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.outcome = ("passed", "")

    def write(self, **record: Any) -> None:
        self.out.write(json.dumps(record) + "\n")
        self.out.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.outcome = ("passed", "")
        self.write(test=name_of(test), began=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.write(test=name_of(test), outcome=self.outcome[0], detail=self.outcome[1])

    def fail(self, error: Any) -> None:
        self.outcome = ("failed", "".join(traceback.format_exception(*error)))

    def addError(self, test: Any, error: Any) -> None:
        super().addError(test, error)
        self.fail(error)

    addFailure = addError

    def addSubTest(self, test: Any, subtest: Any, error: Any) -> None:
        if error is not None:
            self.fail(error)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        if self.outcome[0] == "passed":
            self.outcome = ("skipped", reason)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run CPython's test_tracemalloc against memtally.")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--standard", action="store_true", help="leave the standard tracer in its place")
    parser.add_argument("results", nargs="?")
    options = parser.parse_args()
    if options.list:
        print("\n".join(name_of(test) for test in load()[1]))
        return 0
    if not options.standard:
        take_the_place()
    module = load()[0]
    if not options.standard:
        module.assert_python_ok = adapt_child(module.assert_python_ok)
        module.assert_python_failure = adapt_child(module.assert_python_failure)
    with open(options.results, "a", encoding="utf-8") as out, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Recorder.out = out
        # As `python -m unittest` does: some tests count on the stack being that deep.
        runner = unittest.TextTestRunner(resultclass=Recorder)
        unittest.main(module, argv=["run_suite"], testRunner=runner, exit=False)
        os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
