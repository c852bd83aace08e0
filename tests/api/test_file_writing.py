"""Snapshot.dump: all or nothing under a name, part by part to a stream, and what OSError says."""

import errno
import io
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import memtally

LARGE = [(0, i, ((f"{i:0200}.py", i),), 1) for i in range(5000)]


def test_a_device_that_is_full_says_how_far_it_came():
    with pytest.raises(OSError, match="No space left on device, after 0 bytes of the snapshot") as caught:
        memtally.Snapshot(LARGE, 1).dump("/dev/full")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")


def killed_while_writing(path):
    """A process that has written 100,000 bytes of a snapshot when the system kills it; its exit status."""
    code = f"""if True:
        import memtally, resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        memtally.Snapshot([(0, i, ((f"{{i:0200}}.py", i),), 1) for i in range(5000)], 1).dump({str(path)!r})
    """
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_a_signal_that_kills_leaves_nothing_under_the_name(tmp_path):
    path = tmp_path / "file"
    assert killed_while_writing(path) == -signal.SIGXFSZ
    assert not path.exists()


def test_a_signal_that_kills_leaves_the_old_file_as_it_was(tmp_path):
    path = tmp_path / "file"
    memtally.Snapshot(LARGE[:10], 1).dump(path)
    before = path.read_bytes()
    assert killed_while_writing(path) == -signal.SIGXFSZ
    assert path.read_bytes() == before
    memtally.Snapshot(LARGE[:20], 1).dump(path)
    assert len(memtally.Snapshot.load(path).traces) == 20


def test_a_signals_handler_may_end_the_wait_for_a_reader(tmp_path):
    """A pipe that is full and that nobody reads: without an answer to the signal this would wait for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def end(*_):
        raise TimeoutError("enough")

    handler = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(TimeoutError, match="enough"):
            memtally.Snapshot(LARGE, 1).dump(pipe)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        os.close(reader)


def test_a_signal_whose_handler_returns_changes_nothing(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    seen = []
    handler = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))

    def read():
        with open(pipe, "rb") as file:
            time.sleep(0.3)
            data.append(file.read())

    data: list[bytes] = []
    reader = threading.Thread(target=read)
    reader.start()
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.05)
    try:
        memtally.Snapshot(LARGE, 1).dump(pipe)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        reader.join()
    assert seen
    assert len(memtally.Snapshot.load(io.BytesIO(data[0])).traces) == 5000


# --- streams ------------------------------------------------------------------------------------------------


class Picky:
    """Takes a few bytes at a time, and says so."""

    def __init__(self, most, fail_at=None):
        self.most, self.fail_at, self.data = most, fail_at, b""

    def write(self, data):
        assert type(data) is bytes
        assert data
        if self.fail_at is not None and len(self.data) >= self.fail_at:
            raise OSError(errno.EPIPE, "nobody listens")
        self.data += data[: self.most]
        return min(self.most, len(data))


def test_streams_get_the_bytes_that_a_file_gets(tmp_path):
    snapshot = memtally.Snapshot(LARGE, 1)
    snapshot.dump(tmp_path / "file")
    expected = (tmp_path / "file").read_bytes()
    whole = io.BytesIO()
    assert snapshot.dump(whole) is None
    assert whole.getvalue() == expected
    picky = Picky(1000)
    snapshot.dump(picky)
    assert picky.data == expected
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb", buffering=0) as stream:
        thread = threading.Thread(target=lambda: (snapshot.dump(stream), stream.close()))
        thread.start()
        assert source.read() == expected
        thread.join()


def test_a_write_that_says_nothing_took_everything():
    class Silent:
        data = b""

        def write(self, data):
            self.data += data

    silent, whole = Silent(), io.BytesIO()
    memtally.Snapshot(LARGE, 1).dump(silent)
    memtally.Snapshot(LARGE, 1).dump(whole)
    assert silent.data == whole.getvalue()


def test_what_write_raises_ends_the_dump():
    picky = Picky(100_000, fail_at=100_000)
    with pytest.raises(BrokenPipeError, match="nobody listens"):
        memtally.Snapshot(LARGE, 1).dump(picky)
    assert len(picky.data) < 200_000
    with pytest.raises(TypeError):
        memtally.Snapshot(LARGE, 1).dump(io.StringIO())
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(ValueError, match="closed file"):
        memtally.Snapshot(LARGE, 1).dump(closed)


@pytest.mark.parametrize("answer", [0, -1, 10**6, 2**70])
def test_a_write_that_cannot_be_believed_is_an_error(answer):
    class Liar:
        def write(self, data):
            return answer

    with pytest.raises((OSError, OverflowError)):
        memtally.Snapshot(LARGE, 1).dump(Liar())


def test_other_threads_run_while_a_stream_is_written():
    started, go_on = threading.Event(), threading.Event()

    class Waiting:
        def write(self, data):
            started.set()
            assert go_on.wait(10)

    snapshot = memtally.Snapshot(LARGE, 1)
    writer = threading.Thread(target=snapshot.dump, args=(Waiting(),))
    writer.start()
    assert started.wait(10)
    assert len(snapshot.statistics("lineno")) == 5000
    go_on.set()
    writer.join()


def test_memory_does_not_grow_with_the_number_of_blocks(tmp_path):
    """2 million rows of one call path are 64 MB of columns; writing them takes less than one."""
    snapshot = memtally.Snapshot([(0, i, (("a.py", 1),), 1) for i in range(2_000_000)], 1)
    snapshot.dump(tmp_path / "file")
    held = memtally.Snapshot.load(tmp_path / "file")
    assert len(held.traces) == 2_000_000
    peak = highest_while(lambda: held.dump(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == (tmp_path / "file").read_bytes()
    assert peak < 4_000_000


def highest_while(work):
    """Bytes of resident memory that the process gained at most while it did some work."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the high-water mark begins anew
    before = status("VmRSS")
    work()
    return status("VmHWM") - before


def status(name):
    with open("/proc/self/status") as file:
        (line,) = [line for line in file if line.startswith(name)]
    return int(line.split()[1]) * 1024
