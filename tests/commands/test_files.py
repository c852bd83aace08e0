"""Snapshots read and results written for a command: one line where that fails, and never a part of a file."""

import os
import stat

import pytest

import memtally
from memtally.commands import files

TRACES = [(0, 100, (("a.py", 1), ("main.py", 2)), 2), (0, 50, (("b.py", 3),), 1)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    memtally.Snapshot(TRACES, 25).dump("good.snap")
    return tmp_path


def leaving(capsys, do, *words):
    """The one line and the exit status with which DO leaves."""
    with pytest.raises(SystemExit) as left:
        do(*words)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err, left.value.code


@pytest.mark.parametrize("load", [files.load, files.load_views])
def test_every_bad_file_is_one_line_and_status_1(folder, capsys, load):
    good = (folder / "good.snap").read_bytes()
    (folder / "empty").write_bytes(b"")
    (folder / "foreign").write_text("not a snapshot\n")
    (folder / "two\nlines").write_text("nor this")
    for name, reason in {
        "empty": "this is not a memtally snapshot file (at byte 0)",
        "foreign": "this is not a memtally snapshot file (at byte 0)",
        "absent": "no such file or directory",
        ".": "is a directory",
        "two\\nlines": "this is not a memtally snapshot file (at byte 0)",
    }.items():
        said = leaving(capsys, load, name.replace("\\n", "\n"))
        assert said == (f"memtally: cannot read {name}: {reason}\n", 1)
    for length in range(1, len(good)):
        (folder / "part").write_bytes(good[:length])
        line, status = leaving(capsys, load, "part")
        assert line.startswith("memtally: cannot read part: ")
        assert status == 1


@pytest.mark.parametrize("load", [files.load, files.load_views])
def test_damage_anywhere_in_a_file_is_found_at_once(folder, capsys, load):
    good = (folder / "good.snap").read_bytes()
    for at in [*range(16), *range(24, len(good))]:  # 16 to 19 are reserved, and 20 to 23 their checksum
        (folder / "bad").write_bytes(good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        assert leaving(capsys, load, "bad")[1] == 1


def test_a_view_that_a_file_has_not_is_one_line_and_status_1(folder, capsys):
    line, status = leaving(capsys, files.load, "good.snap", "peak")
    assert line == "memtally: cannot read good.snap: this snapshot has no view 'peak'; it has 'live'\n"
    assert status == 1


def test_a_file_gives_the_views_that_it_has_its_own_first(folder):
    memtally.start()
    kept = [bytes(100)]
    snapshot = memtally.take_snapshot()
    memtally.stop()
    del kept
    snapshot.view("peak").dump("peak.snap")
    assert list(files.load_views("peak.snap")) == ["peak", "live", "total"]
    assert files.load("peak.snap").view_name == "peak"
    assert files.load("peak.snap", "total").view_name == "total"
    assert list(files.load_views("good.snap")) == ["live"]


def test_a_result_appears_when_it_is_complete(folder):
    with files.written("out") as file:
        file.write(b"half")
        file.flush()
        assert not os.path.exists("out")
        file.write(b" and half")
    assert (folder / "out").read_bytes() == b"half and half"
    assert sorted(os.listdir()) == ["good.snap", "out"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError, SystemExit])
def test_what_was_there_stays_where_the_writing_ends_early(folder, end):
    (folder / "out").write_text("before")

    def write():
        with files.written("out") as file:
            file.write(b"half")
            raise end

    with pytest.raises(end):
        write()
    assert (folder / "out").read_text() == "before"
    assert sorted(os.listdir()) == ["good.snap", "out"]


def test_a_file_that_is_replaced_keeps_its_mode_and_its_links(folder):
    (folder / "out").write_text("before")
    os.chmod("out", 0o600)
    os.symlink("out", "link")
    with files.written("link") as file:
        file.write(b"after")
    assert os.readlink("link") == "out"
    assert (folder / "out").read_text() == "after"
    assert stat.S_IMODE(os.stat("out").st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent/out", "no such file or directory"),
        (".", "is a directory"),
        ("good.snap/out", "not a directory"),
        ("n" * 300, "file name too long"),
        ("/dev/full", "no space left on device"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_line_and_status_1(folder, capsys, name, reason):
    def write():
        with files.written(name) as file:
            file.write(b"something")

    assert leaving(capsys, write) == (f"memtally: cannot write {name}: {reason}\n", 1)
    assert os.listdir() == ["good.snap"]
