"""Files of every version stay readable; damage of every byte is found; a second reader agrees."""

import io
import json
import pathlib
import random
import struct
import sys
import zlib

import pytest

import memtally

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from second_reader import read

FOLDER = pathlib.Path(__file__).parent.parent / "golden"
GOLDEN = sorted(FOLDER.glob("*.memtally"))
VIEWS = ("live", "peak", "total")


def plain(value):
    """As JSON gives it back."""
    return json.loads(json.dumps(value))


def seen(data):
    """What memtally reads of a file, in the words of the second reader; ValueError where it refuses."""
    first = memtally.Snapshot.load(io.BytesIO(data))
    views = {}
    for name in (first.view_name, *VIEWS):
        try:
            snapshot = first.view(name)
        except ValueError as error:
            if "this snapshot has no view" in str(error):
                continue
            raise
        rows = []
        for trace in snapshot.traces:
            frames = [(f.filename, f.function or "", f.lineno) for f in reversed(list(trace.traceback))]
            rows.append((trace.domain, trace.size, trace.traceback.total_nframe or 0, frames))
        views[name] = rows
    return views


def expected(data):
    """The same by the second reader: a row of a live view is as many traces."""
    _, views = read(data)
    return {
        name: [
            (row.domain, row.size, row.depth, [tuple(site) for site in row.frames])
            for row in rows
            for _ in range(row.count if name == "live" else 1)
        ]
        for name, (_, rows) in views.items()
    }


def verdict(reader, data):
    """What a reader makes of a file, or that it refuses."""
    try:
        return reader(data)
    except ValueError:
        return "refused"


def test_there_are_golden_files():
    assert {path.stem for path in GOLDEN} >= {"1.0-views", "1.0-raw"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_files_of_every_version_read_as_they_always_did(path):
    data = path.read_bytes()
    metadata, views = json.loads(path.with_suffix(".json").read_text(encoding="ascii"))
    assert plain(read(data)) == [metadata, views]
    assert seen(data) == expected(data)
    snapshot = memtally.Snapshot.load(path)
    assert snapshot.view_name == "live"
    if path.stem == "1.0-views":
        assert (snapshot.note, snapshot.traceback_limit) == ("golden", 2)
        assert snapshot.metadata["arguments"] == ("--colour", "grün")
        assert (snapshot.metadata["frames"], snapshot.metadata["lost_traces"]) == (2, 0)
        assert [s.size for s in snapshot.view("peak").statistics("function")] == [5057]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_truncation_is_refused_when_the_file_is_opened(path):
    data = path.read_bytes()
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"not a snapshot: .*\(at byte \d+\)"):
            memtally.Snapshot.load(io.BytesIO(data[:length]))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_changed_byte_is_found(path):
    data = bytearray(path.read_bytes())
    for at in range(len(data)):
        for change in (0x01, 0x80, 0xFF):
            data[at] ^= change
            with pytest.raises(ValueError, match=r"not a snapshot: .*\(at byte \d+\)"):
                seen(bytes(data))
            assert verdict(read, bytes(data)) == "refused"
            data[at] ^= change


def sealed(data):
    """The file with all checksums right, as far as the directory can be found."""
    data = bytearray(data)
    data[20:24] = struct.pack("<I", zlib.crc32(data[:20]))
    (start,) = struct.unpack_from("<Q", data, len(data) - 24)
    tail = len(data) - 24
    if start <= tail:
        for at in range(start, tail - 31, 32):
            offset, length = struct.unpack_from("<QQ", data, at + 8)
            if offset + length <= len(data):
                struct.pack_into("<I", data, at + 4, zlib.crc32(data[offset : offset + length]))
        struct.pack_into("<I", data, tail + 12, zlib.crc32(data[start : tail + 12]))
    return bytes(data)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_both_readers_agree_on_files_that_lie(path):
    """Bytes are changed, and the checksums with them: both readers accept the same, as the same."""
    good = path.read_bytes()
    (start,) = struct.unpack_from("<Q", good, len(good) - 24)
    chance = random.Random(5)
    refused = accepted = 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 2)):
            # mostly in the sections: what is wrong in the directory is soon found
            at = chance.randrange(24, start) if chance.random() < 0.9 else chance.randrange(len(data))
            data[at] = chance.choice((data[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
        lie = sealed(data)
        theirs = verdict(read, lie)
        if theirs != "refused" and sum(row.count for row in theirs[1].get("live", (0, []))[1]) > 10_000:
            continue  # a great count is right, and takes long to write out
        mine = verdict(seen, lie)
        assert (mine == "refused") == (theirs == "refused"), (mine, theirs)
        assert mine == verdict(expected, lie)
        refused += mine == "refused"
        accepted += mine != "refused"
    assert refused > 300
    assert accepted > 100


def random_raw(chance):
    """Traces as the constructor takes them."""
    names = ["a.py", "b.py", "é\udcff.py", "", "<unknown>", "x" * 200]
    places = [(chance.choice(names), chance.choice((0, 1, 7, 2**32 - 1))) for _ in range(6)]
    tracebacks = [tuple(chance.choices(places, k=chance.randint(1, 6))) for _ in range(8)]
    return [
        (
            chance.choice((0, 0, 1, 2**32 - 1)),
            chance.choice((0, 1, 16, 2**40)),
            chance.choice(tracebacks),
            chance.choice((None, 1, 6, 2**32 - 1)),
        )
        for _ in range(chance.randint(0, 30))
    ]


def test_both_readers_agree_on_random_snapshots():
    chance = random.Random(6)
    for _ in range(500):
        raw = random_raw(chance)
        stream = io.BytesIO()
        memtally.Snapshot(raw, 6).dump(stream)
        data = stream.getvalue()
        assert seen(data) == expected(data)
        wanted = [
            (d, size, depth or 0, [(f, "", line) for f, line in frames]) for d, size, frames, depth in raw
        ]
        assert expected(data)["live"] == wanted


def test_both_readers_agree_on_what_was_traced(tracing):
    kept = [[bytearray(100 + i % 7) for i in range(200)], {i: str(i) for i in range(500)}]
    snapshot = tracing.take_snapshot()
    for view in VIEWS:
        stream = io.BytesIO()
        snapshot.view(view).dump(stream)
        data = stream.getvalue()
        metadata, views = read(data)
        assert next(iter(views)) == view
        assert seen(data) == expected(data)
        assert int(metadata["traced_bytes"]) == sum(row.size * row.count for row in views["live"][1])
        assert int(metadata["peak_bytes"]) == sum(row.size for row in views["peak"][1])
        assert tuple(metadata["arguments"].split("\0")[:-1]) == snapshot.metadata["arguments"]
    assert kept


def test_a_file_of_a_newer_major_version_is_refused_by_name():
    data = bytearray(GOLDEN[0].read_bytes())
    data[8:12] = struct.pack("<HH", 2, 3)
    with pytest.raises(ValueError, match=r"format version 2\.3; this memtally reads version 1 \(at byte 8\)"):
        memtally.Snapshot.load(io.BytesIO(sealed(data)))
    data[8:16] = struct.pack("<HHI", 1, 0, 1 << 9)
    with pytest.raises(
        ValueError, match=r"takes feature 9, which this memtally does not know \(at byte 12\)"
    ):
        memtally.Snapshot.load(io.BytesIO(sealed(data)))
    data[8:16] = struct.pack("<HHI", 1, 5, 0)
    assert len(memtally.Snapshot.load(io.BytesIO(sealed(data))).traces) == 4
