"""The tests in Python, run by pytest; the counts come from its report file, not from its words."""

import collections.abc
import os
import pathlib
import shlex
import tempfile
import xml.etree.ElementTree as ElementTree

import environment
from steps import Counts, say


def run(words: collections.abc.Sequence[str] = ()) -> Counts:
    """Runs pytest over WORDS and ARGS (over tests/ where both are empty), its output shown as it comes."""
    slow = os.environ.get("SLOW", "") not in ("", "0")
    with tempfile.TemporaryDirectory() as folder:  # of its own: several may run in this checkout at once
        report = pathlib.Path(folder) / "pytest.xml"
        command = [environment.tool("pytest"), "-q", f"--junitxml={report}"]
        if not slow:
            command += ["-m", "not slow"]
        code = environment.run([*command, *words, *shlex.split(os.environ.get("ARGS", ""))])
        counts = read(report) if report.exists() else Counts()
    if not counts.failed and (code != 0 or not counts.passed + counts.skipped):
        say(f"pytest: FAILED with exit code {code}")
        counts.failed += 1
    if not slow:
        say("Tests marked slow are left out; SLOW=1 runs them too.")
    return counts


def read(report: os.PathLike[str]) -> Counts:
    """The counts in a report of pytest."""
    counts = Counts()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        counts += Counts(tests - skipped - failed, failed, skipped)
    return counts
