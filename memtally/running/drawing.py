"""The flame graph of a saved snapshot, drawn by an interpreter of its own.

Drawing needs json and more of the standard library, and the program may have modules of its own by these
names, or have changed those that it shares with memtally. A fresh, isolated interpreter knows nothing of
either.
"""

import os
import sys

import memtally

_CODE = """
import os, sys
home, file, page, folder = sys.argv[1:]
sys.path.insert(0, home)
try:
    if folder:
        os.chdir(folder)  # where file names in tracebacks may begin
    import memtally
    memtally.Snapshot.load(file).flamegraph(page)
except OSError as error:
    sys.exit(f"memtally: no flame graph: {error.strerror or error}")
except Exception as error:
    sys.exit(f"memtally: no flame graph: {type(error).__name__}: {error}")
except KeyboardInterrupt:
    sys.exit(130)
"""


def draw(file: str, page: str, folder: str) -> bool:
    """Draw the snapshot FILE as PAGE, source from FOLDER; False where that failed, which has been said."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(memtally.__file__)))
    command = [sys.executable, "-I", "-c", _CODE, home, file, page, folder]
    child = os.posix_spawn(sys.executable, command, os.environ)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    except ChildProcessError:  # the program ignores SIGCHLD, so nobody can know
        return os.path.exists(page)
