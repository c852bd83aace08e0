"""A hundred thousand call paths in a page, and a million in a file."""

from __future__ import annotations

import os
import pathlib
import random
import subprocess
import sys

import browsing
import pytest

import memtally

PATHS = 100_000


def random_snapshot(count: int, program: str = "app") -> memtally.Snapshot:
    """COUNT call paths up to 41 deep in files of PROGRAM, each with a block of its own."""
    chance = random.Random(1)
    files = [f"/srv/{program}/package{i % 17}/module{i}.py" for i in range(200)]
    paths: list[tuple[tuple[str, int], ...]] = [((files[0], 1),)]
    while len(paths) < count:
        recent = max(0, len(paths) - 3000) if chance.random() < 0.5 else 0
        above = paths[chance.randrange(recent, len(paths))]
        if len(above) < 41:
            paths.append(((chance.choice(files), chance.randrange(1, 400)), *above))
    traces = [(0, int(chance.paretovariate(1.1) * 40), path, len(path)) for path in paths]
    return memtally.Snapshot(traces, 65535)


@pytest.mark.slow
def test_a_hundred_thousand_call_paths_are_drawn_soon_and_zoomed_at_once(
    window: browsing.Window, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "page.html"
    random_snapshot(PATHS).flamegraph(path)
    assert path.stat().st_size < 3_000_000
    window.open(path)
    assert window.chrome.execute_script("return performance.getEntriesByType('paint')[0].startTime") < 1000
    for address in ("#inverted=yes", "#detail=function", "#show=table"):
        window.open(path, address)
    window.open(path)
    window.click(0.1, 2)
    assert len(window.trail) == 3


def peak_memory(folder: pathlib.Path, *words: str) -> int:
    """KiB that `memtally flamegraph` takes."""
    # ru_maxrss would begin with what this process had when it forked
    script = (
        "import re, sys; from memtally.__main__ import main; main(sys.argv[1:]);"
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1])"
    )
    command = [sys.executable, "-c", script, "flamegraph", *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=120)
    return int(done.stdout.split()[-1])


@pytest.mark.slow
def test_a_million_call_paths_need_less_than_200_megabytes(tmp_path: pathlib.Path) -> None:
    random_snapshot(1_000_000).dump(tmp_path / "million.snap")
    assert peak_memory(tmp_path, "million.snap") < 200 * 1024
    assert (tmp_path / "million.flamegraph.html").stat().st_size < 3_000_000


@pytest.mark.slow
def test_two_million_call_paths_without_a_common_one_are_compared_in_as_much(tmp_path: pathlib.Path) -> None:
    random_snapshot(1_000_000).dump(tmp_path / "old.snap")
    random_snapshot(1_000_000, "other").dump(tmp_path / "new.snap")
    assert peak_memory(tmp_path, "new.snap", "--diff", "old.snap") < 200 * 1024


def test_views_in_large_files_are_not_kept(tmp_path: pathlib.Path) -> None:
    """They are read piece by piece: the page is the same, and what is asked for later is read again."""
    file = tmp_path / "large.snap"
    random_snapshot(150_000).dump(file)
    assert file.stat().st_size > 1 << 20  # smaller ones are in memory as a whole
    read, unread = memtally.Snapshot.load(file), memtally.Snapshot.load(file)
    assert len(read.traces) > 0
    read.flamegraph(tmp_path / "read.html", diff=read)
    unread.flamegraph(tmp_path / "unread.html", diff=unread)
    assert (tmp_path / "read.html").read_bytes() == (tmp_path / "unread.html").read_bytes()
    os.truncate(file, 1000)
    with pytest.raises(ValueError, match="the file has become shorter"):
        unread.flamegraph(tmp_path / "again.html")
    with pytest.raises(ValueError, match="the file has become shorter"):
        len(unread.traces)
    assert not (tmp_path / "again.html").exists()


def test_recursion_ten_thousand_calls_deep_is_drawn_as_far_as_it_makes_sense(
    window: browsing.Window, tmp_path: pathlib.Path
) -> None:
    frames = tuple(("rec.py", 3 + depth % 2) for depth in range(10_000))
    traces = [(0, 100, frames[depth:]) for depth in range(0, 10_000, 100)]
    path = tmp_path / "deep.html"
    memtally.Snapshot(traces, 65535).flamegraph(path)
    for address in ("", "#shape=flame", "#inverted=yes", "#show=table"):
        window.open(path, address)
    window.open(path)
    window.chrome.execute_script("document.getElementById('graph').scrollTop = 1e6")
    window.settle()
    rows = window.chrome.find_element(browsing.By.ID, "graph").size["height"] // browsing.ROW
    assert "(1 call not drawn)" in window.hover(0.2, rows - 1)
    window.click(0.2, rows - 2)
    assert len(window.trail) < 20  # what is between is left out
    assert "not drawn" not in window.hover(0.2, 5)
