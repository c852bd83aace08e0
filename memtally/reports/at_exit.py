"""The end of `memtally run` as the user sees it: the tables, and below them in three lines what was found.

All of it goes to the process's own stderr. The module that writes the tables is imported only after tracing
has stopped, so that none of it is in them. Needs the GIL, any thread; never raises an Exception.
"""

import os
import sys

import memtally
from memtally.running import files

TYPE_CHECKING = False
if TYPE_CHECKING:  # the program is to find python's own sys.modules, so neither typing nor contextlib
    from collections.abc import Sequence
    from typing import TextIO

    from memtally.running.plan import Plan
    from memtally.running.program import Holdings

_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%"
"""What a shell leaves as it is."""


def report(holdings: "Holdings | None", plan: "Plan", folder: str, stream: "TextIO | None") -> None:
    """Save what the main process held, and tell; FOLDER is where the user stands who reads it."""
    if holdings is None:
        missing = "no table and no file" if plan.file else "no table"
        say(stream, f"{missing}: the program itself called memtally.stop()")
        return
    if holdings.lost:
        say(stream, f"{holdings.lost:,} allocations are missing below: there was no memory to trace them")
    saved = save(holdings.live, plan.file, plan.replace, stream) if plan.file else ""
    page = _draw(saved, plan, folder, stream) if saved and plan.flamegraph else ""
    if stream and not plan.quiet:
        try:
            tables, found = _tables(holdings, stream)
            more = _where_to_look(saved, page, plan, folder) if saved else []
            _write(stream, "\n".join([*tables, "", *(f"memtally: {line}" for line in [found, *more])]) + "\n")
        except Exception as error:
            say(stream, f"no table: {reason(error)}")


def save(snapshot: "memtally.Snapshot", file: str, replace: bool, stream: "TextIO | None") -> str:
    """Write the snapshot to FILE or the next free name; the name, or "" where that failed, which is said."""
    try:
        return files.publish(snapshot, file, replace)
    except Exception as error:
        say(stream, f"snapshot not saved: {reason(error)}")
        return ""


def open_stderr() -> "TextIO | None":
    """The process's own stderr, whatever the program put in its place; None where it is not to be had."""
    stream = sys.__stderr__
    return stream if stream and not stream.closed else None


def say(stream: "TextIO | None", message: str) -> None:
    """Write one line to STREAM, if it can be written."""
    if stream:
        try:
            _write(stream, f"memtally: {message}\n")
        except Exception:  # no room, nobody who reads, or a signal came while the program wrote to it
            return


def reason(error: Exception) -> str:
    """What went wrong, in less than a line."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return f"{type(error).__name__}: {error}"


def _write(stream: "TextIO", text: str) -> None:
    """Write past the stream's buffer: what stays in there, python flushes at exit, and fails as this did."""
    stream.flush()
    data = text.encode(stream.encoding, stream.errors or "strict")
    while data:
        data = data[os.write(stream.fileno(), data) :]


def _draw(file: str, plan: "Plan", folder: str, stream: "TextIO | None") -> str:
    """Draw the flame graph of the saved FILE; the name of the page, or "" where there is none."""
    from memtally.running import drawing

    page = files.page(file)
    part = files.part_beside(page)
    try:
        try:
            return files.place(part, page, plan.replace) if drawing.draw(file, part, folder) else ""
        finally:
            files.remove(part)
    except Exception as error:
        say(stream, f"no flame graph: {reason(error)}")
        return ""


def _tables(holdings: "Holdings", stream: "TextIO") -> tuple[list[str], str]:
    """The lines of both tables, and what they show in one sentence."""
    from memtally.reports import table

    style = table.style_of(stream)
    own = os.path.dirname(memtally.__file__) + os.sep
    lines = []
    sizes = []
    most = ""
    for title, snapshot in (("at the peak", holdings.peak), ("live at exit", holdings.live)):
        rows = [row for row in snapshot.statistics("lineno") if not row.traceback[0].filename.startswith(own)]
        lines += ["", *table.lines(f"memtally: {title}", rows, style)]
        sizes.append(sum(row.size for row in rows))
        most = most or table.most(rows)
    peak, live = map(table.size_text, sizes)
    return lines, f"peak {peak}{most and ', '}{most}; live at exit {live}"


def _where_to_look(saved: str, page: str, plan: "Plan", folder: str) -> "Sequence[str]":
    """Where the snapshot is, and which commands show more of it."""
    name, drawn = (_word(file, folder) for file in (saved, page))
    others = files.other_processes(plan.file)
    stem, suffix = os.path.splitext(name)
    beside = f", those of {others} more processes to {stem}-*{suffix}" if others > 1 else ""
    if others == 1:
        beside = f", that of 1 more process to {stem}-*{suffix}"
    more = f"to see more: memtally top {name} (or tree, flamegraph)"
    if page:
        more = f"flame graph in {drawn}; to see more: memtally top {name}"
    return f"snapshot saved to {saved}{beside}", more


def _word(file: str, folder: str) -> str:
    """FILE as one word for a shell in FOLDER."""
    name = os.path.basename(file) if os.path.dirname(file) == folder else file
    if name.startswith("-"):
        name = "./" + name
    if all(character in _PLAIN for character in name):
        return name
    return "'" + name.replace("'", "'\\''") + "'"
