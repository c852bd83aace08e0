"""`memtally convert`: each format opened by what it is for, and compared with the snapshot it came from."""

import collections
import csv
import gzip
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tracemalloc

import pytest
from commanding import trace

import memtally

fastjsonschema = pytest.importorskip("fastjsonschema", reason="fastjsonschema checks speedscope's schema")

FORMATS = ("tracemalloc", "json", "csv", "collapsed", "speedscope", "pprof")
SCHEMA = pathlib.Path(__file__).parent / "speedscope" / "file-format-schema.json"
ODD = (
    "semi;colon.py",
    'quo"te,comma.py',
    "back\\slash.py",
    "new\nline\t.py",
    "\N{SNOWMAN}\N{PILE OF POO}.py",
    "\ud800.py",
)


@pytest.fixture
def snapshot(desk):
    """A random snapshot, saved as a.snap: odd names, recursion, equal blocks, unknown depths, big sizes."""
    chance = random.Random(7)
    places = [(chance.choice((*ODD, "a.py", "b.py", "<unknown>")), chance.randrange(50)) for _ in range(40)]
    traces = []
    for _ in range(400):
        frames = tuple(chance.choice(places) for _ in range(chance.randrange(1, 30)))
        size = chance.choice((0, 1, 255, 256, 70_000, 2**31, 2**40))
        entry = (chance.choice((0, 0, 7, 2**32 - 1)), size, frames, chance.choice((None, len(frames), 300)))
        traces += [entry] * chance.choice((1, 1, 5))
    desk.save("a.snap", traces)
    return memtally.Snapshot.load("a.snap")


@pytest.fixture
def program(desk):
    """What a program held: with functions, three views and metadata; saved as a.snap."""
    source = """def load(n):
    return [bytes(1000) for _ in range(n)]

def main():
    load(50)
    return load(20)
"""
    names = {}
    exec(compile(source, "program.py", "exec"), names)
    memtally.start(25)
    kept = names["main"]()
    memtally.take_snapshot().dump("a.snap")
    memtally.stop()
    assert len(kept) == 20
    return memtally.Snapshot.load("a.snap")


def converted(desk, format, *words):
    printed = desk.run("convert", "a.snap", "--to", format, "-o", "out", *words)
    assert (printed.out, printed.err, printed.status) == ("", "", 0)
    return (desk.folder / "out").read_bytes()


def own_sums(branch, path=()):
    """{names of the calls: own bytes} of all branches that hold something themselves."""
    sums = collections.Counter({path: branch.own_size} if branch.own_size else {})
    for child in branch:
        sums.update(own_sums(child, (*path, child.frame)))
    return sums


@pytest.mark.parametrize("view", ["live", "peak", "total"])
def test_the_standard_module_loads_what_to_tracemalloc_makes(desk, program, view):
    converted(desk, "tracemalloc", "--view", view)
    expected = program.view(view).to_tracemalloc()
    loaded = tracemalloc.Snapshot.load("out")
    assert list(loaded.traces._traces) == list(expected.traces._traces)
    assert loaded.traceback_limit == expected.traceback_limit
    assert loaded.statistics("traceback") == expected.statistics("traceback")


def test_odd_names_and_large_numbers_reach_the_standard_module_and_come_back(desk, snapshot):
    converted(desk, "tracemalloc")
    assert list(tracemalloc.Snapshot.load("out").traces._traces) == snapshot.to_tracemalloc().traces._traces
    assert memtally.Snapshot.load("out").traces == snapshot.traces


def test_json_has_every_trace_with_its_frames(desk, snapshot):
    report = json.loads(converted(desk, "json"))
    assert (report["view"], report["traceback_limit"]) == ("live", 25)
    frames = [(frame["filename"], frame["lineno"]) for frame in report["frames"]]
    assert len(set(frames)) == len(frames)
    found = collections.Counter()
    for row in report["traces"]:
        path = tuple(frames[number] for number in row["frames"])
        found[row["domain"], row["size"] // row["count"], path, row["total_nframe"]] += row["count"]
    expected = collections.Counter(
        (
            one.domain,
            one.size,
            tuple((f.filename, f.lineno) for f in one.traceback),
            one.traceback.total_nframe,
        )
        for one in snapshot.traces
    )
    assert found == expected


def test_json_has_functions_and_metadata(desk, program):
    report = json.loads(converted(desk, "json", "--view", "total"))
    assert report["view"] == "total"
    assert report["metadata"]["peak_bytes"] == program.metadata["peak_bytes"]
    names = {frame["function"] for frame in report["frames"]}
    assert {"load", "main"} <= names
    assert sum(row["size"] for row in report["traces"]) == sum(
        s.size for s in program.view("total").statistics("domain")
    )


def test_csv_has_a_line_for_every_row(desk, snapshot):
    text = converted(desk, "csv").decode("utf-8")
    rows = list(csv.DictReader(text.splitlines(keepends=True)))
    sizes = collections.Counter()
    for row in rows:
        assert 1 <= row["traceback"].count(";") + 1 <= 30
        sizes[int(row["domain"])] += int(row["size"])
    assert sizes == {
        int(re.sub(r"\D", "", str(s.traceback[0].filename))): s.size for s in snapshot.statistics("domain")
    }
    assert sum(int(row["count"]) for row in rows) == len(snapshot.traces)
    by_file = collections.Counter()
    for row in rows:
        by_file[row["filename"]] += int(row["size"])
    plain = {s.traceback[0].filename: s.size for s in snapshot.statistics("filename")}
    assert by_file['quo"te,comma.py'] == plain['quo"te,comma.py']
    assert by_file["?.py"] == plain["\ud800.py"]


def test_collapsed_stacks_hold_what_the_tree_holds(desk, snapshot):
    text = converted(desk, "collapsed").decode("utf-8")
    sums = collections.Counter()
    for line in text.splitlines():
        stack, size = re.fullmatch(r"(.+) (\d+)", line).groups()  # as flamegraph.pl reads a line
        sums[stack] += int(size)

    def label(frame):
        clean = "".join("?" if c < " " or "\ud800" <= c <= "\udfff" else c for c in frame.filename)
        return "(no Python frame)" if clean == "<unknown>" else f"{clean.replace(';', ',')}:{frame.lineno}"

    expected = collections.Counter()
    for path, size in own_sums(snapshot.tree()).items():
        expected[";".join(map(label, path))] += size
    assert sums == expected


def test_collapsed_stacks_name_functions(desk, program):
    text = converted(desk, "collapsed").decode("utf-8")
    assert re.search(
        r"main \(program\.py:6\);load \(program\.py:2\)[^;]* 2\d{4}$", text, re.MULTILINE
    ) or re.search(r"main \(program\.py:6\);load \(program\.py:2\);.*listcomp.* 2\d{4}$", text, re.MULTILINE)


def stacks_of(profile):
    """{names of the calls: own weight} of an evented profile, as speedscope adds them up."""
    frames, (one,) = profile["shared"]["frames"], profile["profiles"]
    sums, stack, last = collections.Counter(), [], one["startValue"]
    for event in one["events"]:
        assert last <= event["at"] <= one["endValue"]
        sums[tuple((frames[i]["file"], frames[i]["line"]) for i in stack)] += event["at"] - last
        last = event["at"]
        if event["type"] == "O":
            stack.append(event["frame"])
        else:
            assert stack.pop() == event["frame"]
    assert stack == []
    return +sums


def test_speedscope_profiles_follow_the_published_schema_and_hold_what_the_tree_holds(desk, snapshot):
    profile = json.loads(converted(desk, "speedscope"))
    fastjsonschema.compile(json.loads(SCHEMA.read_text()))(profile)
    expected = {
        tuple((frame.filename, frame.lineno) for frame in path): size
        for path, size in own_sums(snapshot.tree()).items()
    }
    assert stacks_of(profile) == expected
    assert profile["profiles"][0]["endValue"] == snapshot.tree().size
    assert profile["name"] == "a.snap"


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """[(number, value)] of a protobuf message; written from the encoding's description alone."""
    at, found = 0, []
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        found.append((key >> 3, value))
    return found


def packed(data):
    at, numbers = 0, []
    while at < len(data):
        number, at = varint(data, at)
        numbers.append(number)
    return numbers


def test_pprof_profiles_hold_what_the_tree_holds(desk, snapshot):
    message = fields(gzip.decompress(converted(desk, "pprof")))
    strings = [value.decode("utf-8") for number, value in message if number == 6]
    assert strings[0] == ""
    functions = {f[1]: f for number, value in message if number == 5 for f in [dict(fields(value))]}
    places = {}
    for number, value in message:
        if number == 4:
            location = dict(fields(value))
            line = dict(fields(location[4]))
            places[location[1]] = (strings[functions[line[1]][4]], line[2])
    sums, counts = collections.Counter(), 0
    for number, value in message:
        if number == 2:
            sample = dict(fields(value))
            count, size = packed(sample[2])
            sums[tuple(places[i] for i in reversed(packed(sample[1])))] += size
            counts += count
    expected = collections.Counter()
    for path, size in own_sums(snapshot.tree()).items():
        clean = (re.sub(r"[\x00-\x1f\ud800-\udfff]", "?", frame.filename) for frame in path)
        expected[tuple(zip(clean, (frame.lineno for frame in path)))] += size
    assert +sums == expected
    assert counts == snapshot.tree().count


@pytest.mark.skipif(
    shutil.which("go") is None, reason="no go on this machine: `go tool pprof` opens the profile"
)
@pytest.mark.parametrize(("view", "kind"), [("live", "inuse"), ("peak", "peak"), ("total", "alloc")])
def test_go_tool_pprof_shows_the_profile(desk, program, view, kind):
    converted(desk, "pprof", "--view", view)
    top = ["go", "tool", "pprof", "-top", "-unit=B"]
    size = subprocess.run([*top, "out"], capture_output=True, text=True, check=True).stdout
    assert f"Type: {kind}_space" in size
    assert re.search(r" load( |$)|listcomp", size, re.MULTILINE)
    total = sum(s.size for s in program.view(view).statistics("domain"))
    assert f"of {total}B total" in size
    count = subprocess.run(
        [*top[:-1], f"-sample_index={kind}_objects", "out"], capture_output=True, text=True, check=True
    )
    assert f"of {sum(s.count for s in program.view(view).statistics('domain'))} total" in count.stdout


@pytest.mark.parametrize("format", FORMATS)
def test_stdout_gets_the_same_bytes_as_a_file(desk, snapshot, format):
    in_file = converted(desk, format)
    command = [sys.executable, "-m", "memtally", "convert", "a.snap", "--to", format]
    assert subprocess.run(command, capture_output=True, check=True).stdout == in_file


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_snapshot_is_a_valid_file(desk, format):
    desk.save("a.snap", [])
    content = converted(desk, format)
    if format in ("json", "speedscope"):
        json.loads(content)
    elif format == "tracemalloc":
        assert len(tracemalloc.Snapshot.load("out").traces) == 0
    elif format == "pprof":
        assert gzip.decompress(content)


def test_only_what_filters_let_through_is_converted(desk):
    desk.save("a.snap", [trace(10, ("a.py", 1)), trace(20, ("b.py", 1)), trace(40, ("c.py", 1))])
    assert converted(desk, "collapsed", "--exclude", "c.py", "--filter", "[bc].py") == b"b.py:1 20\n"


def test_processes_are_in_json_and_csv(desk):
    snapshot = memtally.Snapshot([trace(10, ("a.py", 1))], 1)
    memtally.Snapshot.merge({"web-1": snapshot, "web-2": snapshot}).dump("a.snap")
    assert [row["process"] for row in json.loads(converted(desk, "json"))["traces"]] == ["web-1", "web-2"]
    rows = csv.DictReader(converted(desk, "csv").decode().splitlines())
    assert [row["process"] for row in rows] == ["web-1", "web-2"]


def test_a_deep_recursion_is_converted(desk):
    desk.save("a.snap", [trace(10, *[("deep.py", i % 3) for i in range(3000)])], 5000)
    for format in FORMATS:
        converted(desk, format)
    assert converted(desk, "collapsed").count(b";") == 2999


def test_a_snapshot_is_not_replaced_by_what_it_is_converted_to(desk):
    before = (desk.folder / "good.snap").read_bytes()
    printed = desk.run("convert", "good.snap", "--to", "json", "-o", "./good.snap")
    assert printed.status == 2
    assert printed.err == (
        "memtally: convert: ./good.snap is the snapshot itself: name another file with -o\n"
    )
    assert (desk.folder / "good.snap").read_bytes() == before


def test_without_a_format_or_with_a_wrong_one_nothing_is_written(desk):
    for words in ([], ["--to", "xml"], ["--to"]):
        printed = desk.run("convert", "good.snap", *words, "-o", "out")
        assert (printed.out, printed.status) == ("", 2)
        assert printed.err.count("\n") == 1
    assert not (desk.folder / "out").exists()
