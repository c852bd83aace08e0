"""The end of `memtally run`: saves the snapshot and prints the tables when the traced program exits.

Registered with atexit before the program's first line, so that it runs after all that the program registers.
Nothing here may change how the program ends: whatever goes wrong becomes one line on stderr. The module that
writes the tables is imported only after tracing has stopped, so that none of it is in them.
"""

import atexit
import os
import sys

import memtally

TYPE_CHECKING = False
if TYPE_CHECKING:  # the program is to find python's own sys.modules, so neither typing nor contextlib
    from typing import TextIO

    Holdings = tuple[memtally.Snapshot, memtally.Snapshot, int]

_RUNS_NO_FILE = ("", "-", "-c")
"""sys.argv[0] where python runs a string or its standard input: `__main__` gets no loader of its own then."""


def register(output: str) -> None:
    """Report when this process exits; write the snapshot to the file OUTPUT, if that is not empty."""
    reads_file = bool(sys.argv) and sys.argv[0] not in _RUNS_NO_FILE
    atexit.register(_at_exit, output, os.getpid(), _main_loader() if reads_file else None)


def _at_exit(output: str, process: int, unstarted: object) -> None:
    if os.getpid() != process:  # a forked child that leaves through sys.exit: the report is its parent's
        return
    try:
        holdings = _stop_tracing()
    except Exception as error:  # for one, no memory is left for a snapshot
        _say(_open_stderr(), f"no table: {type(error).__name__}: {error}")
    else:
        if _program_began(unstarted):
            _report(holdings, output)
    if getattr(sys, "last_type", None) is KeyboardInterrupt:
        _stay_interrupted()


def _stop_tracing() -> "Holdings | None":
    """What was held at the peak and now, and how many traces were lost; None if tracing is off already."""
    if not memtally.is_tracing():
        return None
    try:
        live = memtally.take_snapshot()
        return live.view("peak"), live, int(memtally.capabilities().get("lost_traces", 0))
    finally:
        memtally.stop()


def _report(holdings: "Holdings | None", output: str) -> None:
    _flush_stdout()
    stream = _open_stderr()
    if holdings is None:
        missing = "no table and no file" if output else "no table"
        _say(stream, f"{missing}: the program itself called memtally.stop()")
        return
    peak, live, lost = holdings
    if output:
        _save(live, output, stream)
    if lost:
        _say(stream, f"{lost:,} allocations are missing below: there was no memory to trace them")
    if stream:
        try:
            _print_tables(peak, live, stream)
        except Exception as error:
            _say(stream, f"no table: {type(error).__name__}: {error}")


def _open_stderr() -> "TextIO | None":
    """The process's own stderr, whatever the program put in its place; None where it is not to be had."""
    stream = sys.__stderr__
    return stream if stream and not stream.closed else None


def _main_loader() -> object:
    return getattr(sys.modules.get("__main__"), "__loader__", None)


def _program_began(unstarted: object) -> bool:
    """Whether python got as far as the program's first line; if not, its error message says it all.

    UNSTARTED is the loader of `__main__` before python finds the program's file, or None if it needs none.
    """
    if getattr(sys, "last_type", None) is not None and sys.last_traceback is None:
        return False  # it could not be compiled: an uncaught exception that went through no frame
    return unstarted is None or _main_loader() is not unstarted


def _stay_interrupted() -> None:
    """Let python still die of the Ctrl-C that ended the program: running a string makes it forget.

    One is run wherever a namedtuple is made, say, and the report may import what makes one. So this runs a
    string that ends as the program ended.
    """
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return


def _flush_stdout() -> None:
    """Let what the program printed come before the tables; if it cannot be written, python will say so."""
    try:
        sys.stdout.flush()
    except Exception:
        return


def _say(stream: "TextIO | None", message: str) -> None:
    if stream:
        try:
            _write(stream, f"memtally: {message}\n")
        except OSError:
            return


def _write(stream: "TextIO", text: str) -> None:
    """Write past the stream's buffer: what stays in there, python flushes at exit, and fails as this did."""
    stream.flush()
    data = text.encode(stream.encoding, stream.errors or "strict")
    while data:
        data = data[os.write(stream.fileno(), data) :]


def partial_name(path: str) -> str:
    """The name under which this process writes what is to become the file PATH.

    It is PATH itself where that is a device or a pipe: there is nothing to replace then.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        return path
    return f"{path}.{os.getpid()}.part"


def _save(snapshot: "memtally.Snapshot", path: str, stream: "TextIO | None") -> None:
    """Write the snapshot to PATH: whole under that name, or not at all."""
    part = partial_name(path)
    try:
        try:
            snapshot.dump(part)
            if part != path:
                os.replace(part, path)
        finally:
            if part != path and os.path.exists(part):
                os.unlink(part)
    except Exception as error:
        _say(stream, f"snapshot not saved: {error}")
    else:
        _say(stream, f"snapshot saved to {path}")


def _print_tables(peak: "memtally.Snapshot", live: "memtally.Snapshot", stream: "TextIO") -> None:
    from memtally.reports import table

    style = table.style_of(stream)
    own = os.path.dirname(memtally.__file__) + os.sep
    lines = []
    for title, snapshot in (("memtally: at the peak", peak), ("memtally: live at exit", live)):
        rows = [row for row in snapshot.statistics("lineno") if not row.traceback[0].filename.startswith(own)]
        lines += ["", *table.lines(title, rows, style)]
    _write(stream, "\n".join(lines) + "\n")
