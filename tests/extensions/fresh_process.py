"""Runs a piece of Python in a fresh process, for tests of what starts, stops, forks, crashes or hangs.

A hang is a failure: after `timeout` seconds the process prints where every thread is and ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
PRELUDE = """\
import faulthandler, sys
faulthandler.enable()
faulthandler.dump_traceback_later({timeout}, exit=True)
sys.path.insert(0, {here!r})
"""


def run(
    code: str, *options: str, timeout: int = 60, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `code` with the interpreter's `options`; returns what it did, whatever that was."""
    source = PRELUDE.format(timeout=timeout, here=HERE) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, *options, "-c", source],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout + 20,
        env={**os.environ, **(env or {})},
    )


def check(
    code: str, *options: str, timeout: int = 60, env: dict[str, str] | None = None, stderr: str = ""
) -> str:
    """Run `code`, which must end with exit code 0 and print `stderr`, no more, there; returns stdout."""
    done = run(code, *options, timeout=timeout, env=env)
    said = f"exit code {done.returncode}\nstdout: {done.stdout[-3000:]}\nstderr: {done.stderr[-6000:]}"
    assert done.returncode == 0, said
    assert done.stderr == stderr, said
    return done.stdout
