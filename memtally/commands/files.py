"""Files on behalf of a command: snapshots that are read, results that are written.

What fails becomes one line on stderr and exit status 1. A snapshot is read and checked before anything is
written, and a result appears under its name when all of it is there, or not at all. For the main thread of a
command.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import BinaryIO, Literal, NoReturn

import memtally
from memtally.commands import fail

FILE_ERROR = 1
"""Exit status for a file that cannot be read or written, or does not hold what was asked for."""

View = Literal["live", "peak", "total"]
VIEWS: tuple[View, ...] = ("live", "peak", "total")


def opened(name: str) -> memtally.Snapshot:
    """The snapshot in the file NAME, of which the metadata were read, and the rest was not; or leave."""
    with _explained(name):
        return memtally.Snapshot.load(name)


def load(name: str, view: View | None = None, opened: memtally.Snapshot | None = None) -> memtally.Snapshot:
    """The snapshot in the file NAME, of VIEW or of the view the file is of, all of it read; or leave.

    OPENED is the snapshot, where it is open already.
    """
    with _explained(name):
        snapshot = memtally.Snapshot.load(name) if opened is None else opened
        if view is not None:
            snapshot = snapshot.view(view)
        len(snapshot.traces)  # until now only the file's metadata were read
        return snapshot


def load_views(name: str) -> dict[View, memtally.Snapshot]:
    """All views that the file NAME has, all read, the one that the file is of first; or leave."""
    with _explained(name):
        snapshot = memtally.Snapshot.load(name)
        names = sorted(VIEWS, key=lambda view: view != snapshot.view_name)
        found = {view: snapshot.view(view) for view in names if _has(snapshot, view)}
        for one in found.values():
            len(one.traces)
        return found


def _has(snapshot: memtally.Snapshot, view: View) -> bool:
    try:
        snapshot.view(view)
    except ValueError as error:
        if str(error).startswith("this snapshot has no view"):
            return False
        raise
    return True


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Leave with one line where reading the file NAME fails."""
    try:
        yield
    except OSError as error:
        cannot("read", name, error)
    except ValueError as error:
        no_snapshot(error, name)
    except MemoryError:
        fail(f"cannot read {name}: not enough memory", FILE_ERROR)


def no_snapshot(error: ValueError, *names: str) -> NoReturn:
    """Leave because of ERROR: of the files NAMES the one that it tells, or the first, holds no snapshot."""
    prefixes = {name: f"not a snapshot file: {name!r}: " for name in names}
    name = next((name for name in names if str(error).startswith(prefixes[name])), names[0])
    fail(f"cannot read {name}: {str(error).removeprefix(prefixes[name])}", FILE_ERROR)


def cannot(do: str, name: str, error: OSError) -> NoReturn:
    """Leave because of ERROR: the file NAME cannot be read, or written (DO)."""
    fail(f"cannot {do} {name}: {(error.strerror or str(error)).lower()}", FILE_ERROR)


@contextlib.contextmanager
def written(name: str) -> Iterator[BinaryIO]:
    """A file to write to, which becomes the file NAME at the end; or leave.

    Whatever ends the writing early (an exception, Ctrl-C), nothing is left, and what NAME was before stays.
    A device or a pipe is written to in place.
    """
    try:
        if os.path.exists(name) and not os.path.isfile(name):
            with open(name, "wb") as file:
                yield file
        else:
            yield from _written_beside(os.path.realpath(name))
    except BrokenPipeError:  # whoever read it has seen enough
        raise
    except OSError as error:
        cannot("write", name, error)


def _written_beside(path: str) -> Iterator[BinaryIO]:
    beside = _free_name(path)
    try:
        with open(beside, "xb") as file:
            yield file
            _keep_mode(path, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _free_name(path: str) -> str:
    """A name in the folder of PATH that nothing has; short, whatever PATH is called."""
    start = os.path.join(os.path.dirname(path), f".memtally-{os.getpid()}")
    return next(name for i in range(sys.maxsize) if not os.path.lexists(name := f"{start}-{i}.tmp"))


def _keep_mode(path: str, file: BinaryIO) -> None:
    """Who could read what is replaced can read what replaces it, and nobody else."""
    with contextlib.suppress(OSError):
        os.chmod(file.fileno(), stat.S_IMODE(os.stat(path).st_mode))
