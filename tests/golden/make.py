"""Makes the golden files of the present version of the format: once, when the version is new.

    python tests/golden/make.py

VERSION-views holds all three views of a small program, metadata and an attribute; VERSION-raw the rarer
numbers: domains, depths that are not known, names that are no text. Beside each lies what is in it, as JSON.
"""

import _thread
import json
import pathlib
import sys
from collections.abc import Callable

import memtally

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "api"))

from second_reader import read  # noqa: E402 (it lies in another folder of the tests)

RAW = [
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (1, 2**40, (("\udcff.py", 2**32 - 1), ("", 0), ("b.py", 4)), 65_535),
    (2**32 - 1, 0, (("<unknown>", 0),), None),
]


PROGRAM = """
def leaf(size):
    return bytearray(size)

def branch(size):
    return leaf(size)

def hold(kept, done):
    branch(5000)
    kept += [leaf(100 + i % 2) for i in range(5)]
    done.release()
"""


def views() -> memtally.Snapshot:
    """What a program held, that lies in no folder of this machine."""
    program: dict[str, Callable[..., object]] = {}
    exec(compile(PROGRAM, "program.py", "exec"), program)
    memtally.start(2)
    kept: list[bytearray] = []
    done = _thread.allocate_lock()
    done.acquire()
    _thread.start_new_thread(program["hold"], (kept, done))  # so that nothing of this file is on the stack
    done.acquire()
    snapshot = memtally.take_snapshot()
    memtally.stop()
    assert kept
    return snapshot.filter_traces([memtally.Filter(True, "program.py", lineno=3)])


def write(snapshot: memtally.Snapshot, name: str) -> None:
    """The file, and what is in it."""
    path = HERE / f"{name}.memtally"
    snapshot.dump(path, leave_out=["program", "platform"])
    (HERE / f"{name}.json").write_text(json.dumps(read(path.read_bytes()), indent=1) + "\n", encoding="ascii")


def main() -> None:
    """Makes both."""
    sys.argv = ["program.py", "--colour", "grün"]
    snapshot = views()
    vars(snapshot)["note"] = "golden"
    write(snapshot, "1.0-views")
    write(memtally.Snapshot(RAW, 7), "1.0-raw")


if __name__ == "__main__":
    main()
