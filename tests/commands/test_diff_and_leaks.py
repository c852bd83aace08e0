"""`memtally diff` and `memtally leaks`: what changed, and what grows in every step of a series."""

import csv
import io
import itertools
import json
import random

import pytest
from commanding import lines, trace

import memtally


def rows_of(desk, *words):
    return json.loads(desk.run(*words, "--json").out)["rows"]


def test_rows_are_new_grown_shrunk_or_gone_the_largest_change_first(desk):
    desk.save("old.snap", lines(a1=1000, b1=5000, c1=300, e1=7))
    desk.save("new.snap", lines(a1=3000, b1=4000, d1=10_000, e1=7))
    printed = desk.run("diff", "old.snap", "new.snap")
    assert printed.status == 0
    assert printed.out.splitlines() == [
        "live: from 6.2 KiB to 16.6 KiB, +10.4 KiB in +0 blocks",
        "  change    bytes  blocks          place",
        "+9.8 KiB  9.8 KiB      +1     new  d.py:1",
        "+2.0 KiB  2.9 KiB      +0   grown  a.py:1",
        " -1000 B  3.9 KiB      +0  shrunk  b.py:1",
        "  -300 B      0 B      -1    gone  c.py:1",
    ]


def test_json_and_csv_say_both_sides(desk):
    desk.save("old.snap", lines(a1=1000))
    desk.save("new.snap", [*lines(a1=1000), *lines(a1=500)])
    report = json.loads(desk.run("diff", "old.snap", "new.snap", "--json", "--by", "file").out)
    assert (report["old_size"], report["new_size"], report["old_count"], report["new_count"]) == (
        1000,
        1500,
        1,
        2,
    )
    row = {"change": "grown", "size_diff": 500, "count_diff": 1, "size": 1500, "count": 2, "filename": "a.py"}
    assert report["rows"] == [row]
    (found,) = csv.DictReader(
        io.StringIO(desk.run("diff", "old.snap", "new.snap", "--csv", "--by", "file").out)
    )
    assert found == {name: str(value) for name, value in row.items()}


@pytest.mark.parametrize(
    ("limit", "status"),
    [("5000000", 0), ("4999999", 3), ("5MB", 0), ("4.9MB", 3), ("4.9 MB", 3), ("4882KiB", 3), ("5MiB", 0)]
    + [("0", 3), ("4883K", 3), ("0.004GB", 3), ("1GiB", 0)],
)
def test_growth_above_a_limit_has_an_exit_status_of_its_own(desk, limit, status):
    desk.save("old.snap", lines(a1=1_000_000, b1=2_000_000))
    desk.save("new.snap", lines(a1=8_000_000))
    printed = desk.run("diff", "old.snap", "new.snap", "--fail-above", limit)
    assert printed.status == status
    assert printed.out.startswith("live: ")
    assert printed.err.count("\n") == (status == 3)
    if status:
        assert "memory grew by 4.8 MiB (5,000,000 bytes), more than" in printed.err


def test_only_what_filters_let_through_counts_for_the_limit(desk):
    desk.save("old.snap", [])
    desk.save("new.snap", lines(a1=100, b1=10_000))
    words = ("diff", "old.snap", "new.snap", "--fail-above", "1K")
    assert desk.run(*words).status == 3
    assert desk.run(*words, "--exclude", "b.py").status == 0


@pytest.mark.parametrize("limit", ["", "5TB", "-1", "MB", "five", "1e6", "5 0"])
def test_a_wrong_limit_is_one_line_and_status_2(desk, limit):
    printed = desk.run("diff", "good.snap", "good.snap", f"--fail-above={limit}")
    assert (printed.out, printed.status) == ("", 2)
    assert printed.err.count("\n") == 1


def test_both_snapshots_show_the_same_view(desk):
    memtally.start()
    memtally.take_snapshot(view="peak").dump("peak.snap")
    memtally.take_snapshot().dump("all.snap")
    memtally.stop()
    assert desk.run("diff", "peak.snap", "all.snap").out.startswith("at the peak: ")
    assert desk.run("diff", "all.snap", "peak.snap").status == 1


def test_what_grows_in_every_step_is_a_leak_and_nothing_else(desk):
    desk.save("1.snap", lines(a1=100, b1=100, c1=500, e1=40))
    desk.save("2.snap", lines(a1=200, b1=90, c1=400, d1=10, e1=40))
    desk.save("3.snap", lines(a1=300, b1=900, c1=600, d1=5000, e1=41))
    printed = desk.run("leaks", "1.snap", "2.snap", "3.snap")
    assert printed.status == 0
    assert printed.out.splitlines() == [
        "live: 2 lines grew in each of 2 steps, +5.1 KiB in all",
        "  growth  in 1.snap  in 2.snap  in 3.snap  place",
        "+4.9 KiB        0 B       10 B    4.9 KiB  d.py:1",
        "  +200 B      100 B      200 B      300 B  a.py:1",
    ]
    assert rows_of(desk, "leaks", "1.snap", "2.snap", "3.snap")[1]["sizes"] == [100, 200, 300]


@pytest.mark.parametrize("by", ["line", "file", "traceback", "domain", "function"])
def test_leaks_are_what_a_plain_count_finds(desk, by):
    chance = random.Random(by)
    places = [(f"{chance.choice('abc')}.py", chance.randrange(1, 4)) for _ in range(6)]
    series = []
    for step in range(4):
        traces = [
            trace(size, *chance.sample(places, chance.randrange(1, 3)), domain=chance.randrange(3))
            for size in [chance.randrange(1, 100 * (step + 1)) for _ in range(80 * (step + 1))]
        ]
        desk.save(f"{step}.snap", traces)
        series.append(memtally.Snapshot.load(f"{step}.snap"))
    key = {"line": "lineno", "file": "filename"}.get(by, by)

    def name(traceback):
        return traceback[-1].filename if by in ("domain", "function") else traceback

    sizes = [{name(stat.traceback): stat.size for stat in one.statistics(key)} for one in series]
    expected = []
    for place in sizes[-1]:
        found = [one.get(place, 0) for one in sizes]
        if all(a < b for a, b in itertools.pairwise(found)):
            expected.append(found)
    rows = rows_of(desk, "leaks", *(f"{step}.snap" for step in range(4)), "--by", by, "--limit", "0")
    assert sorted(row["sizes"] for row in rows) == sorted(expected)
    assert [row["growth"] for row in rows] == sorted((row["growth"] for row in rows), reverse=True)
    assert expected


def test_snapshots_that_know_their_time_are_put_in_its_order(desk):
    memtally.start()
    kept = []
    for step in (10, 2, 1):  # the names sort otherwise
        kept.append([bytes(5000) for _ in range(50)])
        memtally.take_snapshot().dump(f"{step}.snap")
    memtally.stop()
    report = json.loads(desk.run("leaks", "1.snap", "10.snap", "2.snap", "--json", "--limit", "1").out)
    assert report["files"] == ["10.snap", "2.snap", "1.snap"]
    assert report["rows"][0]["growth"] >= 2 * 50 * 5000


def test_the_rest_of_a_long_list_is_counted(desk):
    for step in (1, 2, 3):
        desk.save(f"{step}.snap", lines(**{f"a{n}": n * step for n in range(1, 31)}))
    printed = desk.run("leaks", "1.snap", "2.snap", "3.snap", "--limit", "5")
    assert printed.out.splitlines()[-1].strip() == "(25 other lines)"
    rows = list(csv.DictReader(io.StringIO(desk.run("leaks", "1.snap", "2.snap", "3.snap", "--csv").out)))
    assert rows[0]["growth"] == "60"
    assert [rows[0][f"size_{i}"] for i in (1, 2, 3)] == ["30", "60", "90"]


def test_fewer_than_three_snapshots_are_no_series(desk):
    printed = desk.run("leaks", "good.snap", "good.snap")
    assert (printed.out, printed.status) == ("", 2)
    assert printed.err == "memtally: leaks: at least 3 snapshots, please (of two: memtally diff OLD NEW)\n"
