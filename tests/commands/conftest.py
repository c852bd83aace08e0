"""Runs programs under plain python and under `memtally run`, in fresh processes, to lay them side by side."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import typing
from collections.abc import Sequence

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # for commanding

import commanding

RUN = (sys.executable, "-m", "memtally", "run")
PLAIN = (sys.executable,)
REPORT = re.compile(r"\n?^memtally: (?:.*\n)*?(?=^Exception ignored |\Z)", re.MULTILINE)
"""memtally's own words in stderr: what comes before, and what python says at the end, is not."""

UNSTEADY = re.compile(r"0x[0-9a-f]+|(?<=started )\d+")


@dataclasses.dataclass
class Outcome:
    """What one process left: all of it as bytes decoded without loss."""

    stdout: str
    stderr: str
    status: int

    @property
    def program_stderr(self) -> str:
        """stderr without memtally's report."""
        return REPORT.sub("", self.stderr, count=1)

    @property
    def report(self) -> str:
        """memtally's part of stderr, "" where it said nothing."""
        match = REPORT.search(self.stderr)
        return match[0].lstrip("\n") if match else ""

    def as_python_sees_it(self) -> tuple[str, str, int]:
        """What must be the same under python, whatever the addresses and thread ids of this process."""
        return UNSTEADY.sub("*", self.stdout), UNSTEADY.sub("*", self.program_stderr), self.status


class Workshop:
    """A folder with programs, and ways to run them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def write(self, name: str, source: str) -> pathlib.Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    def snapshots(self) -> list[str]:
        """The names of the snapshots that lie here without having been named."""
        return sorted(path.name for path in self.folder.iterdir() if path.suffix == ".memtally")

    def execute(
        self,
        command: Sequence[object],
        *,
        stdin: str = "",
        environment: dict[str, str] | None = None,
        redirect: str = "",
    ) -> Outcome:
        """Run COMMAND here; REDIRECT is a shell's redirection, for streams a pipe cannot stand for."""
        words = [str(word) for word in command]
        if redirect:
            words = ["/bin/sh", "-c", f'"$@" {redirect}', "sh", *words]
        done = subprocess.run(
            words,
            cwd=self.folder,
            input=os.fsencode(stdin),
            capture_output=True,
            env={**os.environ, **(environment or {})},
            timeout=60,
        )
        return Outcome(os.fsdecode(done.stdout), os.fsdecode(done.stderr), done.returncode)

    def python(self, *words: object, **how: object) -> Outcome:
        return self.execute([*PLAIN, *words], **how)  # type: ignore[arg-type]

    def run(self, *words: object, **how: object) -> Outcome:
        return self.execute([*RUN, *words], **how)  # type: ignore[arg-type]

    def side_by_side(self, *words: object, **how: object) -> Outcome:
        """Run WORDS both ways; they must agree on all but memtally's report. Returns memtally's run."""
        plain = self.python(*words, **how)
        ours = self.run(*words, **how)
        assert ours.as_python_sees_it() == plain.as_python_sees_it()
        return ours


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No switch of the surroundings reaches the processes under test."""
    for name in (
        "MEMTALLY",
        "MEMTALLY_RUN",
        "PYTHONPATH",
        "NO_COLOR",
        "COLUMNS",
        "PYTHONWARNINGS",
        "PYTHONSAFEPATH",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True, scope="session")
def control_c_is_heard() -> None:
    """Children find SIGINT as a terminal's programs do, also where tests run in the background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def workshop(tmp_path: pathlib.Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def desk(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: typing.Any
) -> commanding.Desk:
    """A folder of its own, which is the current one, with a snapshot called good.snap."""
    monkeypatch.chdir(tmp_path)
    desk = commanding.Desk(tmp_path, capsysbinary)
    desk.save("good.snap", commanding.lines(a1=100, b2=50))
    return desk
