"""`memtally top`: rows, sums, keys, filters, and what programs read."""

import csv
import io
import json

import pytest
from commanding import lines, trace

import memtally


def test_the_largest_line_comes_first_with_share_blocks_average_and_place(desk):
    desk.save("a.snap", [*lines(a1=3072, b2=512), trace(512, ("b.py", 2))])
    printed = desk.run("top", "a.snap")
    assert printed.status == 0
    assert printed.out.splitlines() == [
        "live: 4.0 KiB in 3 blocks",
        "  bytes  share  blocks  average  place",
        "3.0 KiB  75.0%       1  3.0 KiB  a.py:1",
        "1.0 KiB  25.0%       2    512 B  b.py:2",
    ]


def test_the_rest_is_summed_up(desk):
    desk.save("a.snap", lines(**{f"a{n}": n * 10 for n in range(1, 21)}))
    printed = desk.run("top", "a.snap", "--limit", "3")
    assert [row[-1] for row in printed.rows[:3]] == ["a.py:20", "a.py:19", "a.py:18"]
    assert printed.rows[3] == ["1.5", "KiB", "72.9%", "17", "90", "B", "(17", "other", "lines)"]
    assert len(desk.run("top", "a.snap", "--limit", "0").rows) == 20


@pytest.mark.parametrize(
    ("by", "places"),
    [
        ("file", ["a.py", "b.py"]),
        ("line", ["a.py:1", "a.py:2", "b.py:1"]),
        ("domain", ["<domain 0>", "<domain 7>"]),
        ("traceback", ["a.py:1", "main.py:9", "a.py:2", "b.py:1"]),
        ("process", ["(no"]),
    ],
)
def test_rows_are_added_up_by_what_was_asked_for(desk, by, places):
    traces = [
        trace(400, ("a.py", 1), ("main.py", 9)),
        trace(300, ("a.py", 2)),
        trace(90, ("b.py", 1), domain=7),
    ]
    desk.save("a.snap", traces)
    rows = desk.run("top", "a.snap", "--by", by).rows
    if by != "process":
        assert [" ".join(row).split("B  ")[-1].split(" B ")[-1] for row in rows]
        found = [row[-2:] if by == "domain" else row[-1:] for row in rows]
        assert [" ".join(words) for words in found] == places
    assert sum(1 for row in rows) == (len(places) if by != "process" else 1)


def test_functions_and_cumulative_sums_come_from_what_was_traced(desk):
    source = "def load():\n    return [bytes(1000) for _ in range(100)]\n\n\ndef main():\n    return load()\n"
    names = {}
    exec(compile(source, "program.py", "exec"), names)
    memtally.start(25)
    kept = names["main"]()
    memtally.take_snapshot().dump("a.snap")
    memtally.stop()
    assert len(kept) == 100
    rows = json.loads(desk.run("top", "a.snap", "--by", "function", "--cumulative", "--json").out)["rows"]
    sizes = {row["function"]: row["size"] for row in rows if row["filename"] == "program.py"}
    assert sizes["main"] >= sizes["load"] >= 100_000
    flat = json.loads(desk.run("top", "a.snap", "--by", "function", "--json").out)["rows"]
    assert "main" not in {row["function"] for row in flat if row["size"] > 1000}


def test_filters_choose_files_by_their_names_or_the_end_of_them(desk):
    names = ("/srv/app/json/decoder.py", "/srv/app/main.py", "other.py", "<frozen os>")
    desk.save("a.snap", [trace(10 * (i + 1), (name, 1)) for i, name in enumerate(names)])

    def sizes(*words):
        return {
            row["filename"]: row["size"]
            for row in json.loads(desk.run("top", "a.snap", "--json", *words).out)["rows"]
        }

    assert sizes("--filter", "json/decoder.py") == {names[0]: 10}
    assert sizes("--filter", "*/app/*", "--exclude", "main.py") == {names[0]: 10}
    assert sizes("--filter", "main.py", "--filter", "other.py") == {names[1]: 20, names[2]: 30}
    assert sizes("--exclude", "<frozen *") == {name: 10 * (i + 1) for i, name in enumerate(names[:3])}
    assert sizes("--filter", "app") == {}


def test_json_and_csv_have_numbers_and_whole_names(desk):
    name = 'a "quoted", \N{SNOWMAN} name.py'
    desk.save("a.snap", [trace(123_456, (name, 7), ("main.py", 1))])
    report = json.loads(desk.run("top", "a.snap", "--by", "traceback", "--json").out)
    assert (report["size"], report["count"], report["view"], report["more_rows"]) == (123_456, 1, "live", 0)
    (row,) = report["rows"]
    assert [(frame["filename"], frame["lineno"]) for frame in row["traceback"]] == [("main.py", 1), (name, 7)]
    rows = list(csv.DictReader(io.StringIO(desk.run("top", "a.snap", "--csv").out)))
    assert rows == [{"size": "123456", "count": "1", "filename": name, "lineno": "7", "function": ""}]


def test_views_are_chosen(desk):
    memtally.start()
    dropped = bytes(1_000_000)
    del dropped
    memtally.take_snapshot().dump("a.snap")
    memtally.stop()
    sizes = {}
    for view in ("live", "peak", "total"):
        sizes[view] = json.loads(desk.run("top", "a.snap", "--view", view, "--json").out)["size"]
    assert sizes["live"] < 500_000
    assert sizes["peak"] >= 1_000_000
    assert sizes["total"] >= sizes["peak"]


def test_an_empty_snapshot_is_a_title_alone(desk):
    desk.save("a.snap", [])
    assert desk.run("top", "a.snap").out == "live: 0 B in 0 blocks\n"
    assert desk.run("tree", "a.snap").out == "live: 0 B in 0 blocks\n"
    assert "no line grew" in desk.run("leaks", "a.snap", "a.snap", "a.snap").out
    assert desk.run("diff", "a.snap", "a.snap").status == 0
    assert desk.run("info", "a.snap").status == 0


def test_names_cannot_write_to_the_terminal_nor_read_devices(desk):
    desk.save("a.snap", [trace(10, ("/dev/zero", 1)), trace(20, ("\x1b[31mred\n", 3))])
    printed = desk.run("top", "a.snap")
    assert r"\x1b[31mred\n:3" in printed.out
    assert "/dev/zero:1" in printed.out
    assert "\x1b" not in printed.out


@pytest.mark.parametrize(
    "words",
    [
        ["--by", "nothing"],
        ["--limit", "-1"],
        ["--limit", "many"],
        ["--view", "dead"],
        ["--cumulative", "--by", "traceback"],
        ["--json", "--csv"],
        ["more.snap"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_one_line_and_status_2(desk, words):
    printed = desk.run("top", "good.snap", *words)
    assert (printed.out, printed.status) == ("", 2)
    assert printed.err.count("\n") == 1
