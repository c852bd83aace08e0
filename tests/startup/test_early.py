"""What a program that is traced from its first line pays for, and what comes when it asks."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from fresh_process import check

CLASSES = """
import gc
def classes():
    return [t for t in gc.get_objects() if isinstance(t, type) and t.__module__.startswith("memtally")]
"""


def test_a_program_that_asks_for_nothing_has_no_classes() -> None:
    check(f"{CLASSES}assert classes() == [], classes()", "-X", "memtally=5")


def test_what_began_the_tracing_is_gone() -> None:
    check(
        """
import sys
ours = {name for name in sys.modules if name.startswith("memtally")}
assert ours == {"memtally", "memtally._core", "memtally._interpreter"}, ours
import memtally
assert not hasattr(memtally, "_startup") and memtally.get_traceback_limit() == 5
memtally.stop()
from memtally._startup import begin, parse_frames  # as memtally's own commands do
assert begin() is None and not memtally.is_tracing() and parse_frames("7") == 7
""",
        "-X",
        "memtally=5",
    )


def test_the_classes_come_with_the_first_question_and_are_the_same_from_then_on() -> None:
    check(
        f"""{CLASSES}
import pickle, threading
import memtally
assert classes() == []
seen = []
def ask():
    here = object()
    seen.append((memtally.take_snapshot(), memtally.get_object_traceback(here)))
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert {{(type(a), type(b)) for a, b in seen}} == {{(memtally.Snapshot, memtally.Traceback)}}
assert len(classes()) == len({{t.__name__ for t in classes()}}) > 10
frame = memtally.Frame(("a.py", 1))
copy = pickle.loads(pickle.dumps(frame))
assert copy == frame and type(copy) is memtally.Frame
""",
        "-X",
        "memtally=5",
    )


def test_start_makes_the_classes_before_it_traces() -> None:
    check(f"""{CLASSES}
import memtally
memtally.start()
made = classes()
assert len(made) > 10
memtally.get_object_traceback(made)
memtally.Snapshot
assert not [t for t in memtally._get_traces() if t[1] > 900], memtally.get_traced_memory()
""")


def test_a_module_that_was_never_executed_says_so() -> None:
    check("""
import importlib.util
made = importlib.util.module_from_spec(importlib.util.find_spec("memtally._core"))
for name in ("start", "take_snapshot", "get_object_traceback", "_get_object_traceback", "Snapshot"):
    try:
        getattr(made, name)(*[1] * ("object" in name))
    except ImportError as error:
        assert str(error) == "memtally._core was not imported by import", error
    else:
        raise AssertionError(name)
""")


def test_every_name_can_be_had_in_every_way() -> None:
    check("""
import memtally
names = {name: getattr(memtally, name) for name in memtally.__all__}
assert set(names) <= set(dir(memtally)) and "take_snapshot" in dir(memtally)
space = {}
exec("from memtally import *", space)
assert {name: space[name] for name in names} == names
from memtally import _core
assert memtally.Snapshot is _core.Snapshot and memtally._Traces is _core._Traces
for module in (memtally, _core):
    try:
        module.Nothing
    except AttributeError as error:
        assert str(error) == f"module {module.__name__!r} has no attribute 'Nothing'", error
    else:
        raise AssertionError
""")
