"""Writing a report: whole under its name, or not at all."""

import contextlib
import itertools
import os
import stat


def write_whole(path: str, content: bytes) -> None:
    """Write CONTENT to the file PATH, beside it first; to a pipe or a device as it is. Raises OSError."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            file.write(content)
        return
    path = os.path.realpath(path)
    beside = _free_name(os.path.dirname(path))
    try:
        with open(beside, "xb") as file:
            file.write(content)
            _keep_mode(path, file.fileno())
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:  # Ctrl-C, too
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _free_name(folder: str) -> str:
    """A name in FOLDER that nothing has; short, however long the report's own may be."""
    names = (os.path.join(folder, f".memtally-{os.getpid()}-{number}.tmp") for number in itertools.count())
    return next(name for name in names if not os.path.lexists(name))


def _keep_mode(path: str, file: int) -> None:
    """Who could read what is replaced can read what replaces it."""
    with contextlib.suppress(OSError):
        os.fchmod(file, stat.S_IMODE(os.stat(path).st_mode))
