"""Snapshots of the standard module: its pickles are read without unpickling; conversions round-trip."""

import builtins
import copyreg
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc

import pytest

import memtally

RAW = [
    (0, 100, (("a.py", 1), ("main.py", 7)), 2),
    (0, 100, (("a.py", 1), ("main.py", 7)), 2),
    (3, 2**40, (("é\udc80.py", 2**31),), None),
    (0, 5, (("b.py", 0),), 1),
]
ODD = [(0, -5, (("a.py", 2**40),), 0), (1, 2**70, (("b.py", 1),), None)]
OLD = [(0, 5, (("b.py", 0),)), (1, 7, (("b.py", 0),))]  # before 3.9


@pytest.fixture
def path(tmp_path):
    return tmp_path / "snapshot"


def load(path, data):
    path.write_bytes(data)
    return memtally.Snapshot.load(path)


def texts(snapshot, key):
    return [repr(statistic) for statistic in snapshot.statistics(key)]


# --- what the standard module writes ---


@pytest.mark.parametrize("raw", [RAW, ODD, RAW + ODD, []], ids=["plain", "odd", "mixed", "empty"])
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_dumped_snapshot_is_loaded(path, raw, kind):
    standard = tracemalloc.Snapshot(kind(raw), 25)
    standard.dump(str(path))
    own = memtally.Snapshot.load(path)
    assert own.traceback_limit == 25
    assert list(own.traces._traces) == raw
    for key in ("filename", "lineno", "traceback"):
        assert texts(own, key) == texts(standard, key)


def test_traces_without_frames_are_loaded(path):
    raw = [(0, 5, (), None)]
    assert load(path, pickle.dumps(tracemalloc.Snapshot(raw, 25))).traces._traces == raw


def test_a_snapshot_from_before_3_9_is_loaded(path):
    own = load(path, pickle.dumps(tracemalloc.Snapshot(OLD, 25), 4))
    assert own.traces._traces == [(*trace, None) for trace in OLD]


def test_a_snapshot_of_a_running_program_is_loaded(path):
    code = (
        "import sys, tracemalloc; tracemalloc.start(10); keep = [str(i) * 5 for i in range(3000)];"
        "import json, decimal; snapshot = tracemalloc.take_snapshot(); snapshot.dump(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    standard, own = tracemalloc.Snapshot.load(path), memtally.Snapshot.load(path)
    assert len(own.traces) == len(standard.traces) > 3000
    for key in ("filename", "lineno", "traceback"):
        assert texts(own, key) == texts(standard, key)
    assert own.traces._traces == standard.traces._traces


def test_every_protocol_of_the_standard_module_is_read(path):
    snapshot = tracemalloc.Snapshot(RAW, 3)
    for protocol in (4, 5):
        assert len(load(path, pickle.dumps(snapshot, protocol)).traces) == len(RAW)
    for protocol in (0, 1, 2, 3):
        with pytest.raises(ValueError, match="snapshot"):
            load(path, pickle.dumps(snapshot, protocol))


def test_numbers_and_strings_on_a_snapshot_are_kept(path):
    standard = tracemalloc.Snapshot(RAW, 3)
    standard.label, standard.run, standard.load_average, standard.none = "night", -(2**80), 0.25, None
    own = load(path, pickle.dumps(standard))
    assert (own.label, own.run, own.load_average, own.none) == ("night", -(2**80), 0.25, None)


@pytest.mark.parametrize(
    "name", ["statistics", "dump", "__class__", "__dict__", "__reduce__", "__setstate__"]
)
def test_methods_are_not_replaced(path, name):
    standard = tracemalloc.Snapshot(RAW, 3)
    standard.__dict__[name] = 1
    with pytest.raises(ValueError, match="attribute"):
        load(path, pickle.dumps(standard))


def test_truncated_pickles_are_refused(path):
    data = pickle.dumps(tracemalloc.Snapshot(RAW, 3), 5)
    for length in range(1, len(data)):
        with pytest.raises(ValueError, match=r"byte|snapshot"):
            load(path, data[:length])


def test_changed_bytes_give_a_snapshot_or_an_error(path):
    data = pickle.dumps(tracemalloc.Snapshot(RAW + ODD, 3), 5)
    for at in range(1, len(data)):
        for value in (0, data[at] ^ 1, data[at] ^ 128, 255):
            try:
                snapshot = load(path, data[:at] + bytes([value]) + data[at + 1 :])
            except ValueError:
                continue
            for trace in snapshot.traces:
                assert isinstance(trace.size, int)


# --- exploits ---


class Exploit:
    """What its reduce says is what a careless unpickler does."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


ran = []


def proof(*_arguments):
    ran.append(1)


def wrapped(payload):
    """The payload as the traces, as a trace, in a frame, as the limit and as an attribute of a snapshot."""
    for raw in (payload, [payload], [(0, 1, payload, None)], [(0, 1, ((payload, 1),), None)]):
        yield tracemalloc.Snapshot(raw, 1)
    yield tracemalloc.Snapshot(RAW, payload)
    snapshot = tracemalloc.Snapshot(RAW, 1)
    snapshot.note = payload
    yield snapshot


PAYLOADS = {
    "os.system": Exploit(os.system, ("echo broken; exit 7",)),
    "eval": Exploit(builtins.eval, ("__import__('os').abort()",)),
    "exec": Exploit(builtins.exec, ("raise SystemExit(9)",)),
    "getattr chain": Exploit(
        getattr, (Exploit(getattr, (os, "path")) if False else os.path.join, "__globals__")
    ),
    "subprocess": Exploit(subprocess.Popen, (["/bin/false"],)),
    "reduce with items": Exploit(list, (), None, iter([Exploit(os.system, ("false",))])),
    "state setter": Exploit(list, (), {"x": 1}, None, None, proof),
    "newobj_ex": Exploit(copyreg.__newobj_ex__, (dict, ([],), {"a": 1})),
    "import": Exploit(__import__, ("antigravity",)),
    "proof": Exploit(proof, ()),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", PAYLOADS)
def test_exploits_are_refused(path, name, protocol):
    payload = PAYLOADS[name]
    try:
        alone = pickle.dumps(payload, protocol)
    except pickle.PicklingError:
        pytest.skip(f"protocol {protocol} cannot say it")
    for data in (alone, *(pickle.dumps(snapshot, protocol) for snapshot in wrapped(payload))):
        with pytest.raises(ValueError, match="snapshot"):
            load(path, data)
    assert ran == []


def framed(*operations):
    return b"\x80\x04" + b"".join(operations) + b"."


def text(string):
    data = string.encode()
    return b"\x8c" + bytes([len(data)]) + data


SNAPSHOT = text("tracemalloc") + text("Snapshot") + b"\x93"
TRACES = text("tracemalloc") + text("_Traces") + b"\x93"
WRITTEN = {
    "global": b"cos\nsystem\n(S'false'\ntR",
    "inst": b"(S'false'\nios\nsystem\n",
    "obj": b"(cos\nsystem\nS'false'\no",
    "stack global": text("os") + text("system") + b"\x93" + text("false") + b"\x85R",
    "reduce of the class": SNAPSHOT + b")R",
    "nested names": text("tracemalloc") + text("Snapshot.__init__.__globals__") + b"\x93",
    "pickle in tracemalloc": text("tracemalloc") + text("pickle") + b"\x93",
    "linecache in tracemalloc": text("tracemalloc") + text("linecache.os.system") + b"\x93",
    "persistent id": b"Pexploit\n",
    "binary persistent id": text("exploit") + b"Q",
    "extension code": b"\x82\x07",
    "wide extension code": b"\x84\x07\x00\x00\x00",
    "the traces as a class": text("tracemalloc") + TRACES + b")\x81" + b"\x93",
    "the traces as a module": TRACES + b")\x81" + text("Snapshot") + b"\x93",
    "newobj_ex": SNAPSHOT + b")}\x92",
    "newobj with arguments": SNAPSHOT + b"]K\x01\x86\x81",
    "newobj of a string": text("tracemalloc") + b")\x81",
    "state of the class": SNAPSHOT + b"}" + text("traces") + b"]s" + b"b",
    "slots of the class": SNAPSHOT + b"N}" + text("load") + b"K\x01s\x86b",
    "two snapshots": SNAPSHOT + b")\x81" + SNAPSHOT + b")\x81",
    "state twice": SNAPSHOT + b")\x81}b}b",
    "an empty snapshot": SNAPSHOT + b")\x81",
    "a snapshot as its own traces": SNAPSHOT + b")\x81\x94}" + text("traces") + b"h\x00sb",
    "the class as traces": SNAPSHOT
    + b")\x81}("
    + text("traces")
    + TRACES
    + text("traceback_limit")
    + b"K\x01ub",
    "no stack": b"\x86",
    "no mark": b"K\x01t",
    "mark at the end": b"(",
    "append to a number": b"K\x01K\x02a",
    "set in a list": b"]" + text("x") + b"K\x01s",
    "key without value": b"}(" + text("x") + b"u",
    "number as a key": b"}K\x01K\x01s",
    "unhashable key": b"}]K\x01s",
    "bad text": b"\x8c\x01\xff",
    "huge memo": b"K\x01r\xff\xff\xff\xff",
    "memo index": b"h\x07",
    "wide memo index": b"j\xff\xff\xff\xff",
    "memo of nothing": b"\x94",
    "memo of a mark": b"(\x94",
    "huge frame": b"\x95" + struct.pack("<Q", 2**63),
    "huge string": b"X\xff\xff\xff\xff",
    "huger string": b"\x8d" + struct.pack("<Q", 2**62),
    "huge bytes": b"\x8e" + struct.pack("<Q", 2**62),
    "huge bytearray": b"\x96" + struct.pack("<Q", 2**62),
    "huge long": b"\x8b\xff\xff\xff\x7f",
    "decimal long": b"L" + b"9" * 100_000 + b"L\n",
    "buffer": b"\x97",
    "set": b"\x8f",
    "dup": b"]2a",
    "pop": b"K\x01K\x010",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_written_operations_are_refused(path, name):
    with pytest.raises(ValueError, match="snapshot"):
        load(path, framed(WRITTEN[name]))


def test_an_extension_code_that_is_registered_and_in_the_cache_is_refused(path):
    copyreg.add_extension("os", "system", 240)
    try:
        assert pickle.loads(b"\x80\x02\x82\xf0.") is os.system
        with pytest.raises(ValueError, match="operation 0x82"):
            load(path, framed(b"\x82\xf0"))
    finally:
        copyreg.remove_extension("os", "system", 240)
        copyreg.clear_extension_cache()


def snapshot_with(raw, attributes=b""):
    traces = TRACES + b")\x81}" + text("_traces") + raw + b"sb"
    return framed(
        SNAPSHOT
        + b")\x81}("
        + text("traces")
        + traces
        + text("traceback_limit")
        + b"K\x01"
        + attributes
        + b"ub"
    )


def test_what_was_written_by_hand_is_read_where_it_is_right(path):
    trace = b"(K\x00K\x07" + text("a.py") + b"K\x02\x86\x85Nt"
    assert load(path, snapshot_with(b"](" + trace + b"e")).traces._traces == [(0, 7, (("a.py", 2),), None)]


@pytest.mark.parametrize(
    "raw",
    [
        b"K\x01",
        b"}",
        b"](K\x01e",
        b"])a",
        b"](K\x00K\x01\x86e",
        b"](K\x00K\x01]\x87e",
        b"](K\x00K\x01K\x01\x85\x87e",
        b"](K\x00K\x01" + text("a.py") + b"K\x01\x86\x87e",
        b"](K\x00K\x01K\x01K\x01\x86\x85\x87e",
        b"](K\x00\x88" + text("a.py") + b"K\x01\x86\x85\x87e",
        b"]\x94h\x00a",
        b"](" + SNAPSHOT + b"e",
    ],
)
def test_what_are_no_traces_is_refused(path, raw):
    with pytest.raises(ValueError, match=r"trace|list"):
        load(path, snapshot_with(raw))


def test_an_attribute_that_contains_itself_is_refused_at_once(path):
    bomb = b"]\x94" + b"(" + b"h\x00" * 100 + b"e"
    with pytest.raises(ValueError, match="attribute"):
        load(path, snapshot_with(b"]", text("x") + bomb))


def test_deep_nesting_is_refused(path):
    with pytest.raises(ValueError, match="attribute"):
        load(path, snapshot_with(b"]", text("x") + b"N" + b"\x85" * 300_000))


def test_a_class_name_that_doubles_and_doubles_is_refused_at_once(path):
    doubled = b"]\x94" + b"".join(bytes((0x68, n, 0x68, n, 0x86, 0x94)) for n in range(60))
    with pytest.raises(ValueError, match="no string"):
        load(path, framed(text("tracemalloc") + doubled + b"\x93"))


def test_what_a_small_file_asks_for_is_bounded(path):
    code = (
        "import sys, resource, memtally\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        "try: memtally.Snapshot.load(sys.argv[1])\n"
        "except ValueError as error: print('refused', error)\n"
    )
    for operations in (b"X\xf0\xff\xff\x7f", b"\x95" + b"\xff" * 8, b"(" * 1_000_000, b"]" * 1_000_000):
        path.write_bytes(framed(operations))
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("refused"), done


# --- conversions ---


@pytest.mark.parametrize("raw", [RAW, ODD, []], ids=["plain", "odd", "empty"])
def test_to_and_from_the_standard_module_gives_the_same(raw):
    standard = tracemalloc.Snapshot(raw, 25)
    own = memtally.Snapshot.from_tracemalloc(standard)
    assert isinstance(own, memtally.Snapshot)
    again = own.to_tracemalloc()
    assert type(again) is tracemalloc.Snapshot
    assert again.traceback_limit == 25
    assert again.traces._traces == raw
    for key in ("filename", "lineno", "traceback"):
        assert texts(own, key) == texts(standard, key) == texts(again, key)
    assert memtally.Snapshot.from_tracemalloc(again).traces == own.traces


def test_what_the_tracer_took_goes_to_the_standard_module_and_its_pickles_and_back(path):
    memtally.start(5)
    keep = [bytes(1000 + i % 7) for i in range(500)]
    snapshot = memtally.take_snapshot()
    memtally.stop()
    standard = snapshot.to_tracemalloc()
    assert len(standard.traces) == len(snapshot.traces) > len(keep)
    for key in ("filename", "lineno", "traceback"):
        assert texts(standard, key) == texts(snapshot, key)
    assert [str(s) for s in standard.statistics("lineno", True)] == [
        str(s) for s in snapshot.statistics("lineno", True)
    ]
    standard.dump(str(path))
    back = memtally.Snapshot.load(path)
    assert back.traces == snapshot.traces
    assert memtally.Snapshot.from_tracemalloc(standard).traces == snapshot.traces
    assert not any(s.size_diff for s in back.compare_to(snapshot, "traceback"))


@pytest.mark.parametrize("wrong", [None, 1, [], "snapshot", memtally.Snapshot([], 1)])
def test_from_tracemalloc_takes_nothing_else(wrong):
    with pytest.raises(TypeError, match=r"tracemalloc.Snapshot"):
        memtally.Snapshot.from_tracemalloc(wrong)
