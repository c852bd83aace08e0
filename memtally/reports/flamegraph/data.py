"""What a flame graph shows, as numbers and names that go into JSON: page.js reads exactly this.

The calls are columns, callers first, made in C (src/core/calltable.h): a page has a hundred thousand of them.
"""

import os
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from memtally import Snapshot, _core
from memtally.reports.flamegraph import files

ENOUGH_CALLS = 10_000
"""So many calls are shown in any case, the largest; others if worth seeing. The rest is merged."""
MOST_CALLS = 120_000
LEAST_SHARE = 1e-5
"""Worth seeing: so much of the bytes or blocks of a view, or of what changed. In a page of 1,300 pixels it is
a pixel after zooming in 77 times."""


def collect(snapshot: Snapshot, old: Snapshot | None, source: bool) -> dict[str, Any]:
    """The content of a page: the calls in all views of SNAPSHOT (that OLD has, too, if there is one)."""
    views = [name for name in snapshot.views if old is None or name in old.views]
    if old is not None and not views:
        raise ValueError(f"the snapshots have no view in common: {snapshot.views} and {old.views}")
    snapshots = (snapshot,) if old is None else (snapshot, old)
    parents, sites, merged, numbers, places = _core._call_table(
        snapshots, tuple(views), ENOUGH_CALLS, MOST_CALLS, LEAST_SHARE
    )
    up = [row - parent for row, parent in enumerate(array("I", parents))]
    calls = [(row, count) for row, count in enumerate(array("I", merged)) if count]
    order = sorted(range(len(places)), key=lambda site: (places[site][0], places[site][1] or ""))
    number = {site: at for at, site in enumerate(order)}
    return {
        "title": _title(snapshot),
        "about": _about(snapshot, old),
        "views": views,
        "compared": old is not None,
        "up": up,
        "sites": _steps([number[site] for site in array("I", sites)]),
        "merged": {"rows": [row for row, _ in calls], "calls": [count for _, count in calls]},
        "numbers": _beside_each_other(
            [[array("Q", column) for column in pair] for pair in numbers], len(views)
        ),
        **_places([places[site] for site in order], source),
    }


def _steps(column: Iterable[int]) -> list[int]:
    """From each number to the next: small and alike, so they deflate better. The page adds them up again."""
    steps, before = [], 0
    for number in column:
        steps.append(number - before)
        before = number
    return steps


def _beside_each_other(columns: Sequence[Sequence[Sequence[int]]], views: int) -> list[list[list[int]]]:
    """Each view's numbers less those of the first, each older view's less those of the newer: mostly 0."""
    result = [[list(column) for column in columns[0]]]
    for at, pair in enumerate(columns[1:], 1):
        base = columns[at - views] if at >= views else columns[0]
        result.append([[a - b for a, b in zip(column, other)] for column, other in zip(pair, base)])
    return result


def _places(places: Sequence[tuple[tuple[str, int], str | None]], source: bool) -> dict[str, Any]:
    """Columns by site: file, line (in steps), function, and the line of source."""
    file_numbers: dict[str, int] = {}
    function_numbers: dict[str, int] = {}
    file, function = [], []
    for (name, _), called in places:
        file.append(file_numbers.setdefault(name, len(file_numbers)))
        function.append(function_numbers.setdefault(called or "", len(function_numbers)))
    return {
        "file": file,
        "line": _steps([line for (_, line), _ in places]),
        "function": function,
        "files": files.describe(file_numbers),
        "functions": list(function_numbers),
        "source": _source(places) if source else [],
    }


def _source(places: Sequence[tuple[tuple[str, int], str | None]]) -> list[str]:
    """For each place its line, "" where it is not to be had."""
    wanted: dict[str, set[int]] = {}
    for (name, line), _ in places:
        wanted.setdefault(name, set()).add(line)
    found = {name: files.lines_of(name, numbers) for name, numbers in wanted.items()}
    return [found[name].get(line, "") for (name, line), _ in places]


def _title(snapshot: Snapshot) -> str:
    program = snapshot.metadata.get("program")
    if not isinstance(program, str) or not program:
        return "a snapshot"
    return os.path.basename(program) or program


def _about(snapshot: Snapshot, old: Snapshot | None) -> list[tuple[str, str]]:
    """What is known of the snapshots as a whole, for people."""
    entries = [(_NAMES.get(name, name), _text(value)) for name, value in snapshot.metadata.items()]
    if old is not None:
        time = old.metadata.get("time")
        entries.append(("compared with", f"a snapshot of {time}" if time else "another snapshot"))
    return entries


_NAMES = {
    "lost_traces": "lost traces",
    "traced_bytes": "traced bytes",
    "peak_bytes": "peak bytes",
    "frames": "frames kept",
}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    return f"{value:,}" if isinstance(value, int) else str(value)
