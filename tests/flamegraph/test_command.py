"""`memtally flamegraph`, and writing: whole or not at all, with one line for what cannot be done."""

from __future__ import annotations

import os
import pathlib
import signal
import stat
import struct
import subprocess
import sys
import time

import pytest

import memtally


def flamegraph(folder: pathlib.Path, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "memtally", "flamegraph", *map(str, words)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


@pytest.fixture
def place(folder: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """An empty folder but for old.snap and new.snap."""
    for name in ("old.snap", "new.snap"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    return tmp_path


def names(place: pathlib.Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def test_the_page_is_written_beside_the_snapshot_and_named(place: pathlib.Path) -> None:
    done = flamegraph(place, "old.snap")
    assert (done.returncode, done.stdout, done.stderr) == (0, "old.flamegraph.html\n", "")
    assert names(place) == {"old.snap", "new.snap", "old.flamegraph.html"}
    flamegraph(place, "new.snap", "--diff", "old.snap", "-o", "out.html", "--no-source")
    assert (place / "out.html").read_bytes().startswith(b"<!doctype html>")


def test_the_help_teaches_with_an_example(place: pathlib.Path) -> None:
    done = flamegraph(place, "--help")
    assert done.returncode == 0
    assert "memtally flamegraph b.snap --diff a.snap" in done.stdout
    assert "exit status:" in done.stdout


def bad_files(place: pathlib.Path) -> dict[str, str]:
    """Names of files that are no snapshot, and what is said of them."""
    whole = (place / "old.snap").read_bytes()
    (place / "cut").write_bytes(whole[: len(whole) // 2])
    (place / "bent").write_bytes(whole[:-2000] + bytes([whole[-2000] ^ 255]) + whole[-1999:])
    (place / "empty").write_bytes(b"")
    (place / "foreign").write_bytes(b"\x7fELF" + bytes(500))
    return {"cut": "", "bent": "", "empty": "", "foreign": "", "missing": "no such file", ".": "directory"}


def test_a_bad_file_is_one_line_and_leaves_nothing(place: pathlib.Path) -> None:
    bad = bad_files(place)
    before = names(place)
    for name, words in bad.items():
        for arguments in ([name], ["old.snap", "--diff", name]):
            done = flamegraph(place, *arguments, "-o", "out.html")
            assert done.returncode == 1, name
            assert done.stderr.startswith(f"memtally: cannot read {name}: "), done.stderr
            assert words in done.stderr
            assert done.stderr.count("\n") == 1
            assert names(place) == before


def damage(path: pathlib.Path, view: int) -> None:
    """Change a byte of the rows of a view: live, peak, total."""
    data = bytearray(path.read_bytes())
    start, entries = struct.unpack_from("<QI", data, len(data) - 24)
    for at in range(start, start + 32 * entries, 32):
        kind, _, _, offset = struct.unpack_from("<HHIQ", data, at)
        if kind == 16 + view:
            data[offset + 5] ^= 64
    path.write_bytes(data)


def test_the_file_with_the_damaged_view_is_the_one_that_is_named(place: pathlib.Path) -> None:
    before = names(place)
    for name in ("new.snap", "old.snap"):
        whole = (place / name).read_bytes()
        for view in range(3):
            damage(place / name, view)
            done = flamegraph(place, "new.snap", "--diff", "old.snap", "-o", "out.html")
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith(f"memtally: cannot read {name}: rows are damaged (checksum)")
            assert done.stderr.count("\n") == 1
            assert names(place) == before
            (place / name).write_bytes(whole)


def test_an_output_that_cannot_be_written_is_one_line(place: pathlib.Path) -> None:
    before = names(place)
    for name in ("none/out.html", "."):
        done = flamegraph(place, "old.snap", "-o", name)
        assert done.returncode == 1
        assert done.stderr.startswith(f"memtally: cannot write {name}: ")
        assert done.stderr.count("\n") == 1
    assert names(place) == before


def test_the_snapshot_itself_is_never_overwritten(place: pathlib.Path) -> None:
    before = (place / "old.snap").read_bytes()
    for arguments in (["old.snap", "-o", "./old.snap"], ["new.snap", "--diff", "old.snap", "-o", "old.snap"]):
        done = flamegraph(place, *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert (place / "old.snap").read_bytes() == before


def test_a_wrong_command_line_is_one_line(place: pathlib.Path) -> None:
    for words in ([], ["old.snap", "--no-such-option"]):
        done = flamegraph(place, *words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_open_hands_the_page_to_the_browser(place: pathlib.Path) -> None:
    (place / "browser").write_text('#!/bin/sh\necho "$1" > opened\n')
    (place / "browser").chmod(0o755)
    done = flamegraph(place, "old.snap", "--open", BROWSER=str(place / "browser"))
    assert done.returncode == 0
    end = time.monotonic() + 10
    while not (place / "opened").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert (place / "opened").read_text() == (place / "old.flamegraph.html").as_uri() + "\n"


def test_what_is_there_is_replaced_with_its_mode(place: pathlib.Path) -> None:
    out = place / "out.html"
    out.write_text("before")
    out.chmod(0o600)
    memtally.Snapshot.load(place / "old.snap").flamegraph(out)
    assert out.read_bytes().startswith(b"<!doctype html>")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_write_that_fails_leaves_what_was_there(
    place: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "out.html").write_text("before")
    before = names(place) | {"out.html"}
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def fail(_: int, error: BaseException = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(type(error)):
                memtally.Snapshot.load(place / "old.snap").flamegraph(place / "out.html")
        assert names(place) == before
        assert (place / "out.html").read_text() == "before"


def test_a_device_is_written_to(place: pathlib.Path) -> None:
    done = flamegraph(place, "old.snap", "-o", "/dev/stdout")
    assert done.returncode == 0
    assert done.stdout.startswith("<!doctype html>")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.slow
def test_ctrl_c_at_any_moment_leaves_no_part_of_a_page(place: pathlib.Path) -> None:
    command = [sys.executable, "-m", "memtally", "flamegraph", "old.snap", "-o", "out.html"]
    for step in range(25):
        process = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.03 * step)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert names(place) - {"out.html"} == {"old.snap", "new.snap"}
        if (place / "out.html").exists():
            assert (place / "out.html").read_bytes().endswith(b"</html>\n")
