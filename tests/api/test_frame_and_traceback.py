"""Frame and Traceback behave as the standard ones, in every attribute, operator and error."""

import copy
import pickle
from collections.abc import Sequence

import pytest

import memtally

FRAMES = [
    "m.Frame(('a.py', 1))",
    "m.Frame(('', 0))",
    "m.Frame(('b.py', -3))",
    "m.Frame(('sp ace\\n.py', 10**30))",
    "m.Frame(('lone\\udc80.py', 7))",
    "m.Frame(['x', 2.5])",
    "m.Frame(('a.py', 1, 'more'))",
    "m.Frame(('only',))",
    "m.Frame(17)",
    "m.Frame.__new__(m.Frame)",
]

TRACEBACKS = [
    "m.Traceback(())",
    "m.Traceback((), 0)",
    "m.Traceback((('a.py', 1),))",
    "m.Traceback((('a.py', 1), ('b.py', 2)))",
    "m.Traceback((('a.py', 1), ('b.py', 2)), 2)",
    "m.Traceback([('a.py', 1), ('b.py', 2), ('c.py', 3)], total_nframe=30)",
    "m.Traceback(frames=(('a.py', 1), ('b.py', 2)), total_nframe='many')",
    "m.Traceback('ab')",
    "m.Traceback(((1, 2), 3))",
    "m.Traceback.__new__(m.Traceback)",
]

OPERATIONS = [
    "str(x)",
    "repr(x)",
    "hash(x)",
    "x == x",
    "x != x",
    "x < x",
    "x <= x",
    "x > x",
    "x >= x",
    "x == 1",
    "x < 1",
    "1 >= x",
    "x == None",
    "x.__eq__(1)",
    "x.__lt__(1)",
    "x.__ge__(1)",
    "bool(x)",
    "len(x)",
    "list(x)",
    "x in [x]",
]


@pytest.mark.parametrize("operation", OPERATIONS + ["x.filename", "x.lineno", "x._frame"])
@pytest.mark.parametrize("frame", FRAMES)
def test_a_frame_answers_as_the_standard_one(evaluate, frame, operation):
    evaluate(f"[{operation} for x in [{frame}]][0]", message=False)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("left", FRAMES[:6])
@pytest.mark.parametrize("right", FRAMES[:6])
def test_frames_are_ordered_as_the_standard_ones(evaluate, left, right, operator):
    evaluate(f"{left} {operator} {right}")


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("left", TRACEBACKS[:7])
@pytest.mark.parametrize("right", TRACEBACKS[:7])
def test_tracebacks_are_ordered_as_the_standard_ones(evaluate, left, right, operator):
    evaluate(f"{left} {operator} {right}")


MORE = [
    "x.total_nframe",
    "x._frames",
    "x[0]",
    "x[-1]",
    "x[5]",
    "x[:1]",
    "x[::-1]",
    "x['0']",
    "x[1.0]",
    "x[True]",
    "list(reversed(x))",
    "x.index(m.Frame(('a.py', 1)))",
    "x.index(m.Frame(('z.py', 1)))",
    "x.index(m.Frame(('a.py', 1)), -1)",
    "x.count(m.Frame(('a.py', 1)))",
    "m.Frame(('a.py', 1)) in x",
    "m.Frame(('z.py', 1)) in x",
    "('a.py', 1) in x",
    "x.format()",
    "x.format(1)",
    "x.format(limit=-1)",
    "x.format(0)",
    "x.format(limit=100)",
    "x.format(-100)",
    "x.format(most_recent_first=True)",
    "x.format(2, True)",
    "x.format(-1, 1)",
    "x.format('1')",
    "x.format(1.5)",
    "x.format(None, [])",
]


@pytest.mark.parametrize("operation", OPERATIONS + MORE)
@pytest.mark.parametrize("traceback", TRACEBACKS)
def test_a_traceback_answers_as_the_standard_one(evaluate, traceback, operation):
    evaluate(f"[{operation} for x in [{traceback}]][0]", message=False)


@pytest.mark.parametrize(
    "expression",
    [
        "m.Frame(('a', 1)) < m.Frame((1, 'a'))",
        "m.Frame(('a', 1)) < 3",
        "m.Frame(3).filename",
        "m.Frame(('a',)).lineno",
        "m.Traceback((('a', 1),))[3]",
        "m.Traceback((('a', 1),))['x']",
        "m.Traceback(()).format('x')",
        "str(m.Traceback(()))",
        "m.Traceback(5)",
        "5 in m.Traceback((('a', 1),))",
        "m.Traceback((('a', 1),)) < 5",
        "hash(m.Traceback((['a', 1],)))",
    ],
)
def test_messages_of_errors_are_those_of_the_standard_module(evaluate, expression):
    evaluate(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "m.Frame()",
        "m.Frame(1, 2)",
        "m.Frame(other=1)",
        "m.Frame(frame=('a', 1))",
        "m.Traceback()",
        "m.Traceback((), 1, 2)",
        "m.Traceback((), nope=1)",
        "setattr(m.Frame(('a', 1)), 'filename', 'b')",
        "setattr(m.Frame(('a', 1)), 'other', 'b')",
        "setattr(m.Traceback(()), 'total_nframe', 1)",
        "setattr(m.Traceback(()), 'other', 1)",
        "delattr(m.Frame.__new__(m.Frame), '_frame')",
    ],
)
def test_wrong_arguments_raise_the_same_types(evaluate, expression):
    evaluate(expression, message=False)


def test_hashes_are_those_of_the_tuples(evaluate):
    evaluate("hash(m.Frame(('a', 1))) == hash(('a', 1))")
    evaluate("hash(m.Traceback((('a', 1), ('b', 2)))) == hash((('b', 2), ('a', 1)))")


def test_private_attributes_can_be_assigned(same):
    def assign(module):
        traceback = module.Traceback((("a", 1), ("b", 2)), 2)
        traceback._frames = (("z", 9),)
        traceback._total_nframe = 5
        frame = traceback[0]
        frame._frame = ("y", 8)
        return traceback, traceback.total_nframe, frame, len(traceback)

    same(assign)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_everything(protocol):
    frame = memtally.Frame(("a.py", 3))
    frame._function = "load"
    back = pickle.loads(pickle.dumps(frame, protocol))
    assert (back, back.function) == (frame, "load")
    traceback = memtally.Traceback((("a.py", 3), ("b.py", 4)), 12)
    traceback._functions = ("main", "load")
    back = pickle.loads(pickle.dumps(traceback, protocol))
    assert back == traceback
    assert back.total_nframe == 12
    assert [frame.function for frame in back] == ["main", "load"]


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_pickle_protocols_work_too(protocol):
    traceback = memtally.Traceback((("a.py", 3), ("b.py", 4)), 12)
    assert pickle.loads(pickle.dumps(traceback, protocol)) == traceback


def test_copies_are_equal_and_independent():
    frame = memtally.Frame(("a.py", 3))
    for twin in (copy.copy(frame), copy.deepcopy(frame)):
        assert twin == frame
        twin._frame = ("b.py", 4)
        assert frame.filename == "a.py"


def test_a_function_takes_no_part_in_equality_order_and_hash():
    frame, other = memtally.Frame(("a.py", 3)), memtally.Frame(("a.py", 3))
    other._function = "load"
    assert frame == other
    assert frame <= other
    assert not frame < other
    assert hash(frame) == hash(other)
    assert (frame.function, other.function) == (None, "load")
    assert repr(frame) == repr(other)


def test_a_traceback_is_a_sequence():
    traceback = memtally.Traceback((("a.py", 3), ("b.py", 4)))
    assert isinstance(traceback, Sequence)
    match traceback:
        case [memtally.Frame(filename="b.py"), last]:
            assert last.lineno == 3
        case _:
            pytest.fail("does not match as a sequence")


def test_source_lines_come_from_linecache(same, monkeypatch):
    monkeypatch.setattr("linecache.getline", lambda filename, lineno: f"  <{filename}, {lineno}>\n")
    for options in ({}, {"limit": 1}, {"limit": -1}, {"most_recent_first": True}):
        same(lambda m, options=options: m.Traceback((("a", 1), ("b", 2), ("c", 3))).format(**options))


def test_subclasses_work(same):
    def use(module):
        class Own(module.Frame):
            __slots__ = ("extra",)

            @property
            def filename(self):
                return "shown"

        own = Own(("a.py", 1))
        own.extra = [own]
        return str(own), own == module.Frame(("a.py", 1)), hash(own) == hash(module.Frame(("a.py", 1)))

    same(use)


class Marked(memtally.Frame):
    """A subclass at module level, for pickling."""

    __slots__ = ("mark",)


def test_slots_of_subclasses_are_pickled():
    frame = Marked(("a.py", 1))
    frame.mark = "kept"
    back = copy.deepcopy(frame)
    assert (type(back), back, back.mark) == (Marked, frame, "kept")


def test_classes_say_that_they_belong_to_memtally():
    for name in memtally.__all__:
        if isinstance(getattr(memtally, name), type):
            assert getattr(memtally, name).__module__ == "memtally"
            assert getattr(memtally, name).__qualname__ == name
