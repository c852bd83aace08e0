"""What is in the file: the snapshot's numbers, nothing that was to be left out, nothing from elsewhere."""

from __future__ import annotations

import base64
import json
import pathlib
import re
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import accumulate
from typing import Any

import pytest

import memtally

Path = tuple[tuple[str, int, str], ...]


def content_of(page: pathlib.Path) -> dict[str, Any]:
    """What the page's script reads."""
    packed = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text("ascii"))
    assert packed
    text = zlib.decompress(base64.b64decode(json.loads(packed[1])["deflate"])).decode("ascii")
    return json.loads(text)


def paths_of(content: dict[str, Any]) -> list[Path | None]:
    """For each row its call path; None where calls are merged."""
    sites, lines = list(accumulate(content["sites"])), list(accumulate(content["line"]))
    names, functions = [file["name"] for file in content["files"]], content["functions"]
    merged = set(content["merged"]["rows"])
    paths: list[Path | None] = [()]
    for row in range(1, len(sites)):
        above = paths[row - content["up"][row]]
        site = sites[row]
        frame = (names[content["file"][site]], lines[site], functions[content["function"][site]])
        paths.append(None if row in merged or above is None else (*above, frame))
    return paths


def sums_of(content: dict[str, Any], view: int) -> dict[Path | None, tuple[int, int]]:
    """Own bytes and blocks by call path."""
    base = content["numbers"][0]
    pairs = [
        [a + b * (view > 0) for a, b in zip(*columns)] for columns in zip(base, content["numbers"][view])
    ]
    return {
        path: (size, count) for path, size, count in zip(paths_of(content), *pairs) if (size, count) != (0, 0)
    }


def tree_sums(branch: memtally.Branch, path: Path = ()) -> Iterator[tuple[Path, tuple[int, int]]]:
    if branch.own_size or branch.own_count:
        yield path, (branch.own_size, branch.own_count)
    for child in branch:
        assert child.frame
        frame = (child.frame.filename, child.frame.lineno, child.frame.function or "")
        yield from tree_sums(child, (*path, frame))


def test_every_view_has_the_own_sums_of_the_call_tree(folder: pathlib.Path, page: pathlib.Path) -> None:
    snapshot, content = memtally.Snapshot.load(folder / "old.snap"), content_of(page)
    assert content["views"] == ["live", "peak", "total"] == list(snapshot.views)
    assert content["merged"]["rows"] == []
    for number, view in enumerate(snapshot.views):
        assert sums_of(content, number) == dict(tree_sums(snapshot.view(view).tree())), view


def test_a_snapshot_of_one_view_has_that_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "one.html"
    memtally.Snapshot([(0, 10, (("b.py", 2), ("a.py", 1))), (7, 5, (("a.py", 1),))], 5).flamegraph(path)
    content = content_of(path)
    assert content["views"] == ["live"]
    assert sums_of(content, 0) == {(("a.py", 1, ""), ("b.py", 2, "")): (10, 1), (("a.py", 1, ""),): (5, 1)}


def test_an_empty_snapshot_is_a_page_all_the_same(tmp_path: pathlib.Path) -> None:
    memtally.Snapshot([], 1).flamegraph(tmp_path / "empty.html")
    assert content_of(tmp_path / "empty.html")["up"] == [0]


def test_calls_that_are_too_small_are_merged_and_every_sum_stays(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memtally.reports.flamegraph import data

    monkeypatch.setattr(data, "ENOUGH_CALLS", 100)
    monkeypatch.setattr(data, "LEAST_SHARE", 0.01)
    traces = [(0, 1, ((f"{i % 7}.py", i), ("main.py", i % 3 + 1))) for i in range(500)]
    traces += [(0, 10**9, (("large.py", 1), ("main.py", 9)))]
    memtally.Snapshot(traces, 9).flamegraph(tmp_path / "page.html")
    content = content_of(tmp_path / "page.html")
    calls = 1 + 4 + 501  # the root, lines of main.py, and what they call
    assert len(content["up"]) - len(content["merged"]["rows"]) == 100
    assert sum(content["merged"]["calls"]) == calls - 100
    assert [sum(column) for column in content["numbers"][0]] == [10**9 + 500, 501]


def test_a_difference_has_both_sides(folder: pathlib.Path, diff_page: pathlib.Path) -> None:
    content = content_of(diff_page)
    assert content["compared"] is True
    assert len(content["numbers"]) == 6
    for number, view in enumerate(content["views"]):
        new, old = (memtally.Snapshot.load(folder / name).view(view) for name in ("new.snap", "old.snap"))
        first = sum(content["numbers"][0][0])
        now = first + (sum(content["numbers"][number][0]) if number else 0)
        before = now + sum(content["numbers"][3 + number][0])
        assert (now, before) == (new.tree().size, old.tree().size)


def test_snapshots_without_a_view_in_common_cannot_be_compared(tmp_path: pathlib.Path) -> None:
    memtally.start()
    try:
        peak = memtally.take_snapshot(view="peak")
    finally:
        memtally.stop()
    only_live = memtally.Snapshot([(0, 10, (("a.py", 1),))], 5)
    with pytest.raises(ValueError, match="no view in common"):
        only_live.flamegraph(tmp_path / "x.html", diff=peak)
    with pytest.raises(TypeError, match="diff must be a Snapshot, not str"):
        only_live.flamegraph(tmp_path / "x.html", diff="old")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_source_lines_can_be_left_out(folder: pathlib.Path, page: pathlib.Path) -> None:
    assert "return bytearray(6_000_000)  # the big one" in content_of(page)["source"]
    path = folder / "no-source.html"
    memtally.Snapshot.load(folder / "old.snap").flamegraph(path, source=False)
    content = content_of(path)
    assert content["source"] == []
    assert "bytearray" not in json.dumps(content)


def test_lines_are_read_from_python_sources_only(tmp_path: pathlib.Path) -> None:
    (tmp_path / "secret.key").write_text("the key\n")
    (tmp_path / "script").write_text("#!/usr/bin/env python3\nprint(1)\n")
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\nname = '\xe9'\n")
    (tmp_path / "long.py").write_text("x = " + "1" * 5000)
    fifo = tmp_path / "pipe.py"
    __import__("os").mkfifo(fifo)
    names = {"secret.key": 1, "script": 2, "latin.py": 2, "long.py": 1, "pipe.py": 1, "none.py": 1}
    traces = [(0, 10, ((str(tmp_path / name), line),)) for name, line in names.items()]
    traces += [(0, 10, (("a\0b.py", 1),)), (0, 10, ((str(tmp_path / "script"), 2**31),))]
    memtally.Snapshot(traces, 1).flamegraph(tmp_path / "page.html")
    content = content_of(tmp_path / "page.html")
    assert sorted(line[:20] for line in content["source"] if line) == [
        "name = 'é'",
        "print(1)",
        "x = 1111111111111111",
    ]
    assert max(map(len, content["source"])) == 200


def test_files_are_told_apart_by_where_they_come_from() -> None:
    from memtally.reports.flamegraph.files import describe

    cases = {
        "/srv/shop/app/cart.py": ("app/cart.py", "app", "own"),
        "/srv/shop/app/models/user.py": ("app/models/user.py", "app/models", "own"),
        "/srv/shop/run.py": ("run.py", "run", "own"),
        "/usr/lib/python3.12/json/decoder.py": ("json/decoder.py", "json", "library"),
        "/usr/lib/python3.12/re.py": ("re.py", "re", "library"),
        "/venv/lib/python3.12/site-packages/numpy/core.py": ("numpy/core.py", "numpy", "package"),
        "/usr/lib/python3/dist-packages/six.py": ("six.py", "six", "package"),
        "<frozen importlib._bootstrap>": ("importlib/_bootstrap.py", "importlib", "import"),
        "<frozen os>": ("os.py", "os", "library"),
        "<string>": ("<string>", "<string>", "other"),
        "": ("", "", "own"),
    }
    for name, found in zip(cases, describe(cases)):
        assert (found["place"], found["module"], found["kind"]) == cases[name], name


class Elements(HTMLParser):
    """The elements and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_nothing_is_fetched_and_the_policy_forbids_it(page: pathlib.Path) -> None:
    text = page.read_text("ascii")
    parser = Elements()
    parser.feed(text)
    for tag, attributes in parser.found:
        assert "src" not in attributes, tag
        assert attributes.get("href", "data:,") == "data:,", tag
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
    policy = next(found["content"] for tag, found in parser.found if found.get("http-equiv"))
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'sha256-[\w+/=]+'; img-src data:; "
        r"base-uri 'none'; form-action 'none'",
        policy or "",
    )


def test_the_library_is_named_and_its_licence_is_in_the_page(page: pathlib.Path) -> None:
    text = page.read_text("ascii")
    assert "Copyright 2010-2021 Mike Bostock" in text
    assert "Permission to use, copy, modify, and/or distribute this software" in text
    assert "d3-hierarchy" in text


def test_names_of_any_kind_come_through(tmp_path: pathlib.Path) -> None:
    names = ["\udc80.py", "é\u202e.py", "<!--<script>.py", "]]>&amp;.py", "\x00\x1b[31m.py", "\U0001d4b3.py"]
    memtally.Snapshot([(0, 10, ((name, 1),)) for name in names], 1).flamegraph(tmp_path / "page.html")
    content = content_of(tmp_path / "page.html")
    assert {file["name"] for file in content["files"]} >= set(names)


def test_a_usual_program_stays_below_300_kilobytes(page: pathlib.Path, diff_page: pathlib.Path) -> None:
    assert page.stat().st_size < 300_000
    assert diff_page.stat().st_size < 300_000


def test_the_report_is_not_loaded_before_it_is_asked_for() -> None:
    import subprocess

    script = "import memtally, sys; assert not [n for n in sys.modules if n.startswith('memtally.reports')]"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
