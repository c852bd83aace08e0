"""Every command on files that are no snapshots, or cannot be read or written: one line, nothing left."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from commanding import COMMANDS_ON_FILES, lines

import memtally

MEMTALLY = (sys.executable, "-m", "memtally")


@pytest.fixture(params=COMMANDS_ON_FILES)
def words(request):
    """A function that gives a command's words for a file."""
    command = request.param
    return lambda name: [command, *(word.format(name) for word in COMMANDS_ON_FILES[command])]


def assert_one_line(printed, status=1):
    assert printed.out == ""
    assert printed.err.startswith("memtally: ")
    assert printed.err.count("\n") == 1
    assert printed.status == status


def test_a_bad_file_is_one_line_and_status_1_and_nothing_is_written(desk, words):
    good = (desk.folder / "good.snap").read_bytes()
    bad = {
        "empty": b"",
        "foreign": b"PK\3\4 something else",
        "pickle": b"\x80\x04K\x01.",
        "half": good[: len(good) // 2],
        "longer": good + b"x",
        "damaged": good[:60] + bytes([good[60] ^ 1]) + good[61:],
    }
    for name, content in bad.items():
        (desk.folder / name).write_bytes(content)
    before = sorted(os.listdir())
    for name in (*bad, "absent", ".", "good.snap/below", "/dev/null"):
        printed = desk.run(*words(name))
        assert_one_line(printed)
        assert name in printed.err
    assert sorted(os.listdir()) == before


def test_a_file_that_may_not_be_read_is_one_line_and_status_1(desk, words):
    desk.run(*words("good.snap"))  # imports what it needs while it may
    before = sorted(os.listdir())
    os.chmod(desk.folder, 0o755)
    os.chmod(desk.save("secret.snap", lines(a1=1)), 0)
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)  # root may read everything
    try:
        printed = desk.run(*words("secret.snap"))
    finally:
        os.seteuid(own)
    assert_one_line(printed)
    assert printed.err == "memtally: cannot read secret.snap: permission denied\n"
    assert sorted(os.listdir()) == [*before, "secret.snap"]


def test_a_view_that_is_not_there_is_one_line_and_status_1(desk):
    for command in ("top", "tree"):
        printed = desk.run(command, "good.snap", "--view", "peak")
        assert_one_line(printed)
        assert "no view 'peak'; it has 'live'" in printed.err


@pytest.mark.parametrize("place", ["absent/out", ".", "good.snap/out", "/dev/full"])
def test_a_result_that_cannot_be_written_is_one_line_and_status_1(desk, place):
    for format in ("json", "pprof", "tracemalloc"):
        assert_one_line(desk.run("convert", "good.snap", "--to", format, "-o", place))
    assert os.listdir() == ["good.snap"]


def test_a_full_stdout_is_one_line_and_status_1(desk, words):
    words = [word for word in words("good.snap") if word not in ("-o", "out")]
    with open("/dev/full", "w") as full:
        done = subprocess.run([*MEMTALLY, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.stderr == "memtally: cannot write the output: no space left on device\n"
    assert done.returncode == 1


def test_a_closed_pipe_is_no_error(desk, words):
    for more in ([], ["--help"]):
        words_now = [word for word in words("good.snap") if word not in ("-o", "out")] + more
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*MEMTALLY, *words_now], stdout=writer, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        assert (done.stderr, done.returncode) == ("", 0)


def test_a_closed_stdout_is_no_error(desk, words):
    command = 'exec "$@" >&-'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *MEMTALLY, *words("good.snap")], capture_output=True, text=True
    )
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A snapshot that takes a moment to convert."""
    path = tmp_path_factory.mktemp("large") / "large.snap"
    frames = [(f"file{i % 50}.py", i) for i in range(500)]
    traces = [(0, i % 300, (frames[i % 499], *frames[i % 7 : i % 7 + 12]), 13) for i in range(150_000)]
    memtally.Snapshot(traces, 25).dump(path)
    return path


def test_ctrl_c_at_any_moment_leaves_nothing_but_one_line(tmp_path, large):
    (tmp_path / "out").write_text("before")
    command = [*MEMTALLY, "convert", str(large), "--to", "csv", "-o", "out"]
    start = time.monotonic()
    assert subprocess.run([*command[:-1], "first"], cwd=tmp_path, check=False).returncode == 0
    whole = time.monotonic() - start
    expected = (tmp_path / "first").read_bytes()
    (tmp_path / "first").unlink()
    interrupted = 0
    for part in range(12):
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        time.sleep(whole * (part + 2) / 14)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        if process.returncode == 130:
            interrupted += 1
            assert said == "memtally: interrupted\n"
        elif process.returncode == 0:
            whole *= 0.7  # the first run was slower than this one, or had less of the machine
        assert os.listdir(tmp_path) == ["out"]
        assert (tmp_path / "out").read_bytes() in (b"before", expected)
    assert interrupted > 0
