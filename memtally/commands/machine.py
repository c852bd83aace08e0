"""What programs read: rows of a report as JSON or CSV, with sizes as numbers and names in full."""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import memtally
from memtally.commands import output

NAMES = {
    "line": ("filename", "lineno", "function"),
    "function": ("filename", "lineno", "function"),
    "file": ("filename",),
    "traceback": ("traceback",),
    "domain": ("domain",),
    "process": ("process",),
}
"""The fields that tell which key a row is of, for each way to add up."""
AT_ONCE = 10_000
"""Rows of CSV that are printed at a time."""


def key_names(by: str) -> tuple[str, ...]:
    return NAMES[by]


def key_fields(traceback: memtally.Traceback, by: str) -> dict[str, Any]:
    """What a row is about, for JSON. A traceback is a list of frames, the most recent one last."""
    frames = [
        {"filename": frame.filename, "lineno": frame.lineno, "function": frame.function}
        for frame in traceback
    ]
    if by == "traceback":
        return {"traceback": frames, "total_nframe": traceback.total_nframe}
    values = frames[-1] if frames else {"filename": "", "lineno": 0, "function": None}
    if by == "domain":
        return {"domain": _domain(str(values["filename"]))}
    if by == "process":
        return {"process": values["filename"]}
    return {name: values[name] for name in NAMES[by]}


def key_cells(traceback: memtally.Traceback, by: str) -> list[object]:
    """The same for CSV; a traceback is one field, "file:line function" a frame, the most recent first."""
    if by == "traceback":
        frames = reversed(traceback)
        return [
            ";".join(f"{frame.filename}:{frame.lineno} {frame.function or ''}".rstrip() for frame in frames)
        ]
    return list(key_fields(traceback, by).values())


def json_text(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=1) + "\n"


def show_csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print HEAD and ROWS as RFC 4180 has it, but with plain line ends."""
    lines = itertools.chain([head], rows)
    while part := list(itertools.islice(lines, AT_ONCE)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(part)
        output.show(text.getvalue())


def _domain(name: str) -> int:
    """The number in "<domain 7>"."""
    return int(name.removeprefix("<domain ").removesuffix(">"))
