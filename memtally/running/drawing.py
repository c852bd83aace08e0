"""The flame graph of a saved snapshot, drawn by an interpreter of its own.

Drawing needs json and more of the standard library, and the program may have modules of its own by these
names, or have changed those that it shares with memtally. A fresh, isolated interpreter knows nothing of
either.
"""

import os
import sys

import memtally

_CODE = """
import sys
sys.path.insert(0, sys.argv[1])
try:
    import memtally
    memtally.Snapshot.load(sys.argv[2]).flamegraph(sys.argv[3])
except Exception as error:
    sys.exit(f"memtally: no flame graph: {type(error).__name__}: {error}")
except KeyboardInterrupt:
    sys.exit(130)
"""


def draw(file: str, page: str) -> bool:
    """Draw the snapshot FILE as PAGE; False where that did not work, which has been said then."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(memtally.__file__)))
    command = [sys.executable, "-I", "-c", _CODE, home, file, page]
    child = os.posix_spawn(sys.executable, command, os.environ)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    except ChildProcessError:  # the program ignores SIGCHLD, so nobody can know
        return os.path.exists(page)
