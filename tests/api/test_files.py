"""Snapshot.dump and Snapshot.load: what is kept, what is refused, what is left behind on failure."""

import os
import pathlib
import pickle
import resource
import stat
import sys

import pytest

import memtally

RAW = [
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (1, 2**63 - 100, (("\udcff.py", 2**32 - 1), ("", 0))[:1], 65_535),
    (2**32 - 1, 0, (("<unknown>", 0),), None),
]


def test_what_was_dumped_is_loaded(tmp_path):
    snapshot = memtally.Snapshot(RAW, 7)
    assert snapshot.dump(tmp_path / "file") is None
    back = memtally.Snapshot.load(tmp_path / "file")
    assert type(back) is memtally.Snapshot
    assert back.traces._traces == RAW
    assert back.traceback_limit == 7
    assert back.statistics("traceback") == snapshot.statistics("traceback")


@pytest.mark.parametrize("kind", [str, os.fsencode, pathlib.Path])
def test_any_kind_of_path_will_do(tmp_path, kind):
    path = kind(str(tmp_path / "file"))
    memtally.Snapshot(RAW, 7).dump(filename=path)
    assert len(memtally.Snapshot.load(filename=path).traces) == 4


def test_attributes_of_ones_own_are_kept(tmp_path):
    values = {
        "note": "new \udc80",
        "number": 2**70,
        "share": 0.1,
        "nothing": None,
        "yes": True,
        "all": [1, {"a": []}],
    }
    snapshot = memtally.Snapshot(RAW, 7)
    vars(snapshot).update(values)
    snapshot.dump(tmp_path / "file")
    back = vars(memtally.Snapshot.load(tmp_path / "file"))
    del back["traces"]
    assert back == {"traceback_limit": 7, **values}


@pytest.mark.parametrize("value", [object(), (1, 2), {1: 2}, b"bytes", {"a": {1}}, len, OSError()])
def test_attributes_that_are_no_plain_data_are_refused(tmp_path, value):
    snapshot = memtally.Snapshot(RAW, 7)
    snapshot.note = value
    with pytest.raises(TypeError, match="'note'"):
        snapshot.dump(tmp_path / "file")
    assert os.listdir(tmp_path) == []


def test_a_cyclic_attribute_is_refused(tmp_path):
    snapshot = memtally.Snapshot(RAW, 7)
    snapshot.note = []
    snapshot.note.append(snapshot.note)
    with pytest.raises(TypeError, match="'note'"):
        snapshot.dump(tmp_path / "file")


@pytest.mark.parametrize("raw", [[(0, -1, (("a", 1),), 1)], [(0, 1, (), 0)], [5], 5])
def test_traces_that_no_block_can_have_are_refused(tmp_path, raw):
    with pytest.raises(ValueError, match="cannot be written"):
        memtally.Snapshot(raw, 1).dump(tmp_path / "file")
    assert os.listdir(tmp_path) == []


def test_nothing_is_left_beside_the_file(tmp_path):
    for _ in range(3):
        memtally.Snapshot(RAW, 7).dump(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


def test_the_mode_of_a_new_file_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        memtally.Snapshot(RAW, 7).dump(tmp_path / "file")
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(tmp_path / "file").st_mode) == 0o640


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "file").write_text("old")
    memtally.Snapshot(RAW, 7).dump(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert len(memtally.Snapshot.load(tmp_path / "file").traces) == 4


def test_a_device_is_written_in_place():
    memtally.Snapshot(RAW, 7).dump(os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize(
    ("place", "error"),
    [("missing/file", FileNotFoundError), ("", IsADirectoryError), ("plain/file", NotADirectoryError)],
)
def test_errors_of_the_system_name_the_path(tmp_path, place, error):
    (tmp_path / "plain").write_text("")
    path = str(tmp_path / place)
    with pytest.raises(error) as caught:
        memtally.Snapshot(RAW, 7).dump(path)
    assert caught.value.filename == path
    with pytest.raises(error) as caught:
        memtally.Snapshot.load(path)
    assert caught.value.filename == path


def test_a_disk_that_is_full_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    memtally.Snapshot(RAW, 7).dump(path)
    before = path.read_bytes()
    large = memtally.Snapshot([(0, i, ((f"{i:0200}.py", i),), 1) for i in range(5000)], 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            large.dump(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.filename == path
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("argument", [None, 5.5, [], object()])
def test_what_is_no_path_raises_type_error(argument):
    with pytest.raises(TypeError):
        memtally.Snapshot(RAW, 7).dump(argument)
    with pytest.raises(TypeError):
        memtally.Snapshot.load(argument)


@pytest.mark.parametrize("path", ["a\0b"])
def test_a_path_with_a_null_raises_value_error(path):
    with pytest.raises(ValueError, match="null"):
        memtally.Snapshot.load(path)


def test_a_file_that_is_none_raises_value_error_and_says_where(tmp_path):
    path = tmp_path / "file"
    pickled = pickle.dumps(memtally.Snapshot(RAW, 7))
    for content in (b"", b"\0", b"not a snapshot", pickled, b"\xff" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"not a snapshot file: .*at byte \d+"):
            memtally.Snapshot.load(path)


def test_every_truncation_and_every_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "file"
    snapshot = memtally.Snapshot(RAW, 7)
    snapshot.note = "x"
    snapshot.dump(path)
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(ValueError, match="not a snapshot file"):
            memtally.Snapshot.load(path)
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        with pytest.raises(ValueError, match="not a snapshot file"):
            len(memtally.Snapshot.load(path).traces)


def test_a_pickle_with_broken_columns_raises_value_error():
    traces = pickle.loads(pickle.dumps(memtally.Snapshot(RAW, 7))).traces
    with pytest.raises(ValueError, match=r"not a snapshot: .*at byte"):
        traces._columns = b"broken"
    with pytest.raises(TypeError):
        traces._columns = "text"
    assert traces._traces == RAW


def test_audit_hooks_see_files_opened(tmp_path):
    seen = []
    active = True

    def hook(event, arguments):
        if active and event == "open":
            seen.append(arguments[:2])

    sys.addaudithook(hook)
    path = str(tmp_path / "file")
    memtally.Snapshot(RAW, 7).dump(path)
    memtally.Snapshot.load(path)
    active = False
    assert seen == [(path, "wb"), (path, "rb")]
