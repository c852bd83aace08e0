"""Runs the oracle in a fresh process: what its tests share. Imported by the tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.join(HERE, "oracle.py")
PROGRAMS = os.path.join(HERE, "programs")
STANDINS = os.path.join(HERE, "standins")
TIMEOUT = 300


@dataclass
class Run:
    """One run of the oracle: its exit code and everything it printed."""

    code: int
    output: str


def run_oracle(script: str, *options: str, env: dict[str, str] | None = None) -> Run:
    """Run `script` under the oracle; code 0 is agreement, 1 a difference, 2 a run that failed."""
    done = subprocess.run(
        [sys.executable, ORACLE, *options, script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
        env={**os.environ, **(env or {})},
        check=False,
    )
    return Run(done.returncode, done.stdout.decode("utf-8", "replace"))


def options_of(script: str) -> list[str]:
    """Options a program asks for itself, in a first line such as `# oracle: --no-peak`."""
    with open(script, encoding="utf-8") as file:
        first = file.readline()
    return first.removeprefix("# oracle:").split() if first.startswith("# oracle:") else []
