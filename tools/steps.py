"""Running commands quietly: a line for whatever takes over a second, and the output only where it failed."""

import collections.abc
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
QUIET_SECONDS = 1.0
TAIL_LINES = 60
LONGEST_LINE = 400
PROGRESS = re.compile(r"\s*\[\d+/\d+\] ")


class Missing(Exception):
    """Something that is not ours to make is not there. Says in one line what, and how to get it."""


class Failed(Exception):
    """A step ended with an error that has been shown already."""


@dataclasses.dataclass
class Counts:
    """How many checks passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __iadd__(self, other: "Counts") -> "Counts":
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def close(self) -> int:
        """Prints the closing line; the exit code that goes with it. Having run nothing is no success."""
        print(self, flush=True)
        return 1 if self.failed or not self.passed else 0


def say(text: str) -> None:
    """Prints a line at once, also where the output goes to a file."""
    print(text, flush=True)


Command = collections.abc.Sequence[str | pathlib.Path]


def step(
    label: str,
    command: Command,
    *,
    log: str,
    env: dict[str, str] | None = None,
    cwd: str | pathlib.Path = ROOT,
) -> None:
    """Runs a command, its output going to build/logs/LOG.log; raises Failed with the end of that shown."""
    code = quietly(label, command, log=log, env=env, cwd=cwd)
    if code != 0:
        show_failure(label, code, log)
        raise Failed(label)


def quietly(
    label: str,
    command: Command,
    *,
    log: str,
    env: dict[str, str] | None = None,
    cwd: str | pathlib.Path = ROOT,
) -> int:
    """As `step`, but gives the exit code back and shows nothing of the output."""
    LOGS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with open(log_path(log), "wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            try:
                return process.wait(QUIET_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"  {label} ...", end="", flush=True)
                code = process.wait()
                print(f" {time.monotonic() - began:.1f} s", flush=True)
                return code
        except BaseException:
            process.terminate()
            raise


def log_path(log: str) -> pathlib.Path:
    """Where the output of a step is kept."""
    return LOGS / f"{log}.log"


def show_failure(label: str, code: int, log: str) -> None:
    """Shows the end of a step's output, less progress and long commands, and where the whole of it is."""
    path = log_path(log)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line for line in lines if len(line) < LONGEST_LINE and not PROGRESS.match(line)]
    print("\n".join(told[-TAIL_LINES:]), file=sys.stderr)
    place = path.relative_to(ROOT)
    print(f"{label}: failed with exit code {code}; all of it is in {place}", file=sys.stderr, flush=True)
