"""Snapshot.load: only what is asked for is read; what is wrong is told where it is met; streams."""

import gc
import io
import json
import os
import socket
import struct
import threading
import zlib

import pytest

import memtally

RAW = [(0, 10 + i, ((f"file{i}.py", i), ("b.py", 4)), 3) for i in range(10)]


def allocate(size):
    return bytearray(size)


def sections(data):
    """(kind, offset, length) of each section in a file, by docs/file-format."""
    start, count = struct.unpack("<QI", data[-24:-12])
    entries = [struct.unpack_from("<HHIQQQ", data, start + 32 * i) for i in range(count)]
    return {kind: (offset, length) for kind, _, _, offset, length, _ in entries}


def read_bytes():
    """Bytes that this process has read with read() and pread()."""
    with open("/proc/self/io") as file:
        return int(file.readline().split()[1])


@pytest.fixture
def path(tracing, tmp_path):
    """A file of three views."""
    kept = [allocate(1000 + i) for i in range(50)]
    tracing.take_snapshot().dump(tmp_path / "file")
    assert kept
    return tmp_path / "file"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file of some 30 MB, most of it rows."""
    path = tmp_path_factory.mktemp("large") / "file"
    frames = [((f"module{i}.py", i),) for i in range(1000)]
    step = 2**40 // 1_000_003  # sizes without order
    memtally.Snapshot([(0, i * step % 2**40, frames[i % 1000], 1) for i in range(3_000_000)], 1).dump(path)
    assert path.stat().st_size > 20_000_000
    return path


def test_loading_a_large_file_reads_its_frame_alone(large):
    before = read_bytes()
    snapshot = memtally.Snapshot.load(large)
    assert (snapshot.view_name, snapshot.traceback_limit, snapshot.metadata) == ("live", 1, {})
    assert read_bytes() - before < 10_000
    assert len(snapshot.traces) == 3_000_000
    size = large.stat().st_size
    assert size * 0.9 < read_bytes() - before < size * 1.1
    before = read_bytes()
    assert len(snapshot.traces) == 3_000_000
    assert read_bytes() - before < 10_000


def test_a_large_file_stays_open_for_as_long_as_it_is_needed(large):
    def files():
        return len(os.listdir("/proc/self/fd"))

    before = files()
    snapshot = memtally.Snapshot.load(large)
    assert files() == before + 1
    assert snapshot.traces[0].size == 0
    assert files() == before
    snapshot = memtally.Snapshot.load(large)
    del snapshot
    gc.collect()
    assert files() == before


def test_a_file_that_was_cut_while_it_was_held_is_an_error_and_no_crash(large, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(large.read_bytes())
    snapshot = memtally.Snapshot.load(copy)
    os.truncate(copy, 5_000_000)
    with pytest.raises(ValueError, match=r"copy'\): the file has become shorter \(at byte \d+\)"):
        snapshot.statistics("lineno")


def test_many_small_files_need_no_open_file_each(path):
    before = len(os.listdir("/proc/self/fd"))
    snapshots = [memtally.Snapshot.load(path) for _ in range(2000)]
    assert len(os.listdir("/proc/self/fd")) == before
    path.unlink()
    assert len({len(snapshot.traces) for snapshot in snapshots[::100]}) == 1


@pytest.mark.parametrize(("kind", "view"), [(16, "live"), (17, "peak"), (18, "total")])
def test_damage_in_one_view_leaves_the_others_alone(path, kind, view):
    data = bytearray(path.read_bytes())
    offset, length = sections(data)[kind]
    data[offset + length // 2] ^= 1
    path.write_bytes(data)
    snapshot = memtally.Snapshot.load(path)
    for other in {"live", "peak", "total"} - {view}:
        assert len(snapshot.view(other).traces) > 0
    message = rf"not a snapshot file: .*file'\): rows are damaged \(checksum\) \(at byte {offset}\)"
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            len(snapshot.view(view).traces)


def test_damage_is_told_by_whatever_needs_the_damaged_part(path):
    data = bytearray(path.read_bytes())
    offset, length = sections(data)[4]  # nodes
    data[offset + length // 2] ^= 1
    path.write_bytes(data)
    good = memtally.Snapshot(RAW, 2)
    asked = [
        lambda s: s.statistics("lineno"),
        lambda s: s.compare_to(good, "lineno"),
        lambda s: good.compare_to(s, "lineno"),
        lambda s: s.filter_traces([memtally.DomainFilter(True, 0)]),
        lambda s: s.dump(path.with_name("other")),
        lambda s: s.view("total"),
        lambda s: len(s.traces),
        lambda s: s.traces[0],
        lambda s: iter(s.traces),
        lambda s: s.traces == good.traces,
        lambda s: good.traces[0] in s.traces,
        lambda s: s.traces._traces,
        lambda s: s.traces._columns,
        lambda s: s.traces.__reduce__(),
    ]
    for ask in asked:
        snapshot = memtally.Snapshot.load(path)
        with pytest.raises(ValueError, match=rf"nodes are damaged \(checksum\) \(at byte {offset}\)"):
            ask(snapshot)
    assert not path.with_name("other").exists()


def test_threads_may_ask_for_the_same_views_at_once(path):
    expected = [len(memtally.Snapshot.load(path).view(view).traces) for view in ("live", "peak", "total")]
    for _ in range(50):
        snapshot = memtally.Snapshot.load(path)
        start = threading.Barrier(6)
        found = []

        def ask(i, snapshot=snapshot, start=start, found=found):
            start.wait()
            found.append((i % 3, len(snapshot.view(("live", "peak", "total")[i % 3]).traces)))

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == sorted((i % 3, expected[i % 3]) for i in range(6))


class Trickle(io.RawIOBase):
    """A stream that cannot seek and gives what it likes."""

    def __init__(self, data):
        self.data = data
        self.asked = 0

    def readable(self):
        return True

    def read(self, size=-1):
        self.asked += 1
        part, self.data = self.data[:7], self.data[7:]
        return part


def test_streams_are_read_to_their_end(path):
    data = path.read_bytes()
    expected = memtally.Snapshot.load(path)
    left, right = socket.socketpair()
    with left, right, right.makefile("rb") as stream:
        sender = threading.Thread(target=lambda: (left.sendall(data), left.close()))
        sender.start()
        assert memtally.Snapshot.load(stream).traces == expected.traces
        sender.join()
    for stream in (io.BytesIO(data), Trickle(data), io.FileIO(path), io.BufferedReader(io.FileIO(path))):
        with stream:
            back = memtally.Snapshot.load(stream)
        assert back.view("total").traces == expected.view("total").traces
        assert back.metadata == expected.metadata


def test_a_stream_that_begins_as_something_else_is_not_read_on():
    stream = Trickle(b"\0" * 10**9)
    with pytest.raises(
        ValueError, match=r"not a snapshot: this is not a memtally snapshot file \(at byte 0\)"
    ):
        memtally.Snapshot.load(stream)
    assert stream.asked == 1


def test_a_device_without_end_is_not_read_on():
    with pytest.raises(ValueError, match="this is not a memtally snapshot file"):
        memtally.Snapshot.load("/dev/zero")


def test_a_pipe_by_its_name_is_read_to_its_end(path, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    data = path.read_bytes()
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data))
    writer.start()
    assert len(memtally.Snapshot.load(tmp_path / "pipe").traces) >= 50
    writer.join()


def test_streams_that_misbehave_raise_what_they_raise():
    class Broken:
        def __init__(self, answer):
            self.answer = answer

        def read(self, size):
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    for answer, error in (
        (None, TypeError),
        ("text", TypeError),
        (OSError("gone"), OSError),
        (b"", ValueError),
    ):
        with pytest.raises(error):
            memtally.Snapshot.load(Broken(answer))
    with pytest.raises(ValueError, match="not a snapshot: "):
        memtally.Snapshot.load(io.BytesIO(b"\x89MTS"))


def test_a_subclass_loads_snapshots_of_its_own_class(tmp_path):
    class Named(memtally.Snapshot):
        def __init__(self, *args):
            raise AssertionError("nobody calls this")

        def biggest(self):
            return max(trace.size for trace in self.traces)

    snapshot = memtally.Snapshot(RAW, 2)
    snapshot.note = "kept"
    snapshot.dump(tmp_path / "file")
    back = Named.load(tmp_path / "file")
    assert type(back) is Named
    assert (back.biggest(), back.note) == (19, "kept")
    back.dump(tmp_path / "file")
    assert type(memtally.Snapshot.load(tmp_path / "file")) is memtally.Snapshot


# --- metadata that lie --------------------------------------------------------------------------------------


def with_metadata(pairs):
    """A file with these metadata, its checksums right."""
    stream = io.BytesIO()
    memtally.Snapshot(RAW, 2).dump(stream)
    data = stream.getvalue()
    start, count = struct.unpack("<QI", data[-24:-12])

    def text(value):
        length, out = len(value), b""
        while length >= 0x80:
            out, length = out + bytes([length & 0x7F | 0x80]), length >> 7
        return out + bytes([length]) + value

    body = b"".join(text(key) + text(value) for key, value in pairs)
    out, entries = bytearray(data[:24]), b""
    for i in range(count):
        kind, flags, _, offset, length, items = struct.unpack_from("<HHIQQQ", data, start + 32 * i)
        part = body if kind == 1 else data[offset : offset + length]
        items = len(pairs) if kind == 1 else items
        entries += struct.pack("<HHIQQQ", kind, flags, zlib.crc32(part), len(out), len(part), items)
        out += part
    tail = struct.pack("<QI", len(out), count)
    return bytes(out) + entries + tail + struct.pack("<I", zlib.crc32(entries + tail)) + data[-8:]


def test_metadata_of_others_are_kept_as_texts():
    data = with_metadata(
        [(b"site", "Zürich".encode()), (b"frames", b"18446744073709551615"), (b"arguments", b"")]
    )
    back = memtally.Snapshot.load(io.BytesIO(data))
    assert back.metadata == {"site": "Zürich", "frames": 2**64 - 1, "arguments": ()}
    again = io.BytesIO()
    back.dump(again, leave_out=["site"])
    assert memtally.Snapshot.load(io.BytesIO(again.getvalue())).metadata == {
        "frames": 2**64 - 1,
        "arguments": (),
    }


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (b"frames", b"", "the value of frames is no number of 64 bits"),
        (b"frames", b"-1", "the value of frames is no number of 64 bits"),
        (b"lost_traces", b"18446744073709551616", "the value of lost_traces is no number of 64 bits"),
        (b"peak_bytes", b"9" * 10_000, "the value of peak_bytes is no number of 64 bits"),
        (b"traced_bytes", b"1 ", "the value of traced_bytes is no number of 64 bits"),
        (b"arguments", b"a\0b", "the value of arguments is no list of texts"),
    ],
)
def test_metadata_that_cannot_be_right_are_refused(key, value, message):
    data = with_metadata([(b"a", b"b"), (key, value)])
    place = data.index(key) + len(key) + (1 if len(value) < 128 else 2)
    with pytest.raises(ValueError, match=rf"metadata: {message} \(at byte {place}\)"):
        memtally.Snapshot.load(io.BytesIO(data))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"5",
        b"[]",
        b"{",
        b'{"a": }',
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 100_000,
        b"{\0}\0",
    ],
)
def test_attributes_that_are_no_json_object_are_refused(value):
    with pytest.raises(ValueError, match=r"must be a JSON object|is not UTF-8"):
        memtally.Snapshot.load(io.BytesIO(with_metadata([(b"attributes", value)])))


@pytest.mark.parametrize(
    "name",
    ["traces", "statistics", "__class__", "__dict__", "__doc__", "dump", "view", "metadata", "__reduce__"],
)
def test_attributes_in_a_file_replace_nothing_of_the_class(name):
    value = json.dumps({name: {"a": 1}, "own": 5}).encode()
    snapshot = memtally.Snapshot.load(io.BytesIO(with_metadata([(b"attributes", value)])))
    assert type(snapshot) is memtally.Snapshot
    assert set(vars(snapshot)) == {"traces", "traceback_limit", "own"}
    assert len(snapshot.traces) == 10
    assert snapshot.statistics("lineno")
