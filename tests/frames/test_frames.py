"""The frame adapter sees what sys._getframe sees, on programs of every kind; and its marks are harmless."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kinds
from checking import CANNOT, check, frame_walk

pytestmark = pytest.mark.skipif(bool(CANNOT), reason=CANNOT or "the extension can be built")
HERE = os.path.dirname(os.path.abspath(__file__))
CHECKING = os.path.join(HERE, "checking.py")
PROGRAMS = os.path.join(os.path.dirname(HERE), "oracle", "programs")
# Not memory_error: it lets the next allocation fail, and that would be one of the comparison's own.
NAMES = sorted(name for name in os.listdir(PROGRAMS) if name.endswith(".py") and name != "memory_error.py")
HAS_JIT = hasattr(sys, "_jit") and sys._jit.is_available()
# Up to 3.13 there are marks that go when a frame calls Python code, so they cannot be counted.
only_lasting_marks = pytest.mark.skipif(sys.version_info < (3, 14), reason="some marks do not last here")


def run(*words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.__name__)
def test_the_adapter_sees_what_getframe_sees(kind):
    looks = 0

    def look():
        nonlocal looks
        looks += 1
        check()

    kind(look)
    assert looks


@pytest.mark.parametrize("name", NAMES)
def test_the_adapter_sees_what_getframe_sees_at_every_event_of(name):
    assert "looked at" in run(CHECKING, os.path.join(PROGRAMS, name))


@pytest.mark.skipif(not HAS_JIT, reason="no JIT in this interpreter")
def test_the_adapter_sees_what_getframe_sees_under_the_jit():
    assert "looked at" in run(os.path.join(HERE, "kinds.py"), PYTHON_JIT="1")


@only_lasting_marks
def test_a_mark_lasts_as_long_as_the_activation():
    def marked_after(call):
        return call(), frame_walk.marked()

    def marks():
        return frame_walk.mark(), frame_walk.marked()

    def none():
        return frame_walk.marked()

    frame_walk.mark()
    below = frame_walk.marked()
    for _ in range(50):
        (count, same), after = marked_after(marks)
        assert count == same == below + 2  # marks() and marked_after()
        assert after == below + 1
        assert marked_after(none) == (below, below)  # new activations at the same addresses


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.__name__)
def test_marked_programs_go_their_way(kind):
    def look():
        frame_walk.mark()
        check()

    kind(look)


@only_lasting_marks
def test_generators_never_begin_with_a_mark():
    def generator():
        yield frame_walk.marked()
        yield frame_walk.marked()

    def resume(one):
        return next(one)

    for _ in range(100):
        one = generator()
        frame_walk.mark()
        here = frame_walk.marked()
        assert resume(one) == resume(one) == here


def test_marked_frames_have_their_own_locals():
    def function(argument):
        frame_walk.mark()
        local = [argument]
        assert locals() == {"argument": 5, "local": local}
        assert sys._getframe().f_locals["local"] is local
        assert eval("argument + 1") == 6
        exec("import os")
        import os as imported

        assert imported is os
        return [local for _ in range(1)]

    for _ in range(3):
        assert function(5) == [[5]]
