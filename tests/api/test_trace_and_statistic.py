"""Trace, Statistic and StatisticDiff behave as the standard ones."""

import copy
import pickle

import pytest

import memtally

TRACES = [
    "m.Trace((0, 10, (('a.py', 2), ('b.py', 4)), 3))",
    "m.Trace((0, 10, (('a.py', 2), ('b.py', 4)), 4))",
    "m.Trace((0, 10, (('a.py', 2),)))",
    "m.Trace((1, 20000, (('a.py', 2),), None))",
    "m.Trace(trace=('d', -1, (), 0))",
    "m.Trace((0, 2.5, (('a.py', 2),), 1))",
    "m.Trace([0, 1, (('a.py', 2),), 1])",
    "m.Trace((0, 1))",
    "m.Trace((0,))",
    "m.Trace(None)",
    "m.Trace.__new__(m.Trace)",
]
STATISTICS = [
    "m.Statistic(m.Traceback((('a.py', 2),)), 10, 1)",
    "m.Statistic(m.Traceback((('a.py', 2),)), 10, 2)",
    "m.Statistic(m.Traceback((('b.py', 2), ('c.py', 3))), 1 << 40, 3)",
    "m.Statistic(traceback='where', size=0, count=0)",
    "m.Statistic(m.Traceback(()), 5, 1)",
    "m.Statistic(None, 'x', 1)",
    "m.Statistic(None, 1.5, 1.5)",
    "m.Statistic(None, 10, 'x')",
    "m.Statistic.__new__(m.Statistic)",
]
DIFFERENCES = [
    "m.StatisticDiff(m.Traceback((('a.py', 2),)), 10, 5, 1, 0)",
    "m.StatisticDiff(m.Traceback((('a.py', 2),)), 10, -5, 1, -3)",
    "m.StatisticDiff(traceback='where', size=0, size_diff=-70000, count=0, count_diff=-2)",
    "m.StatisticDiff(None, 1, None, 1, None)",
    "m.StatisticDiff.__new__(m.StatisticDiff)",
]
OPERATIONS = [
    "str(x)",
    "repr(x)",
    "hash(x)",
    "x == x",
    "x != x",
    "x < x",
    "x == 1",
    "x.__eq__(1)",
    "x.traceback",
    "x.size",
    "bool(x)",
]


@pytest.mark.parametrize("operation", OPERATIONS + ["x.domain", "x._trace", "x.traceback.total_nframe"])
@pytest.mark.parametrize("trace", TRACES)
def test_a_trace_answers_as_the_standard_one(evaluate, trace, operation):
    evaluate(f"[{operation} for x in [{trace}]][0]", message=False)


@pytest.mark.parametrize("operation", OPERATIONS + ["x.count", "x._sort_key()"])
@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_statistic_answers_as_the_standard_one(evaluate, statistic, operation):
    evaluate(f"[{operation} for x in [{statistic}]][0]", message=False)


@pytest.mark.parametrize(
    "operation", OPERATIONS + ["x.count", "x.size_diff", "x.count_diff", "x._sort_key()"]
)
@pytest.mark.parametrize("statistic", DIFFERENCES)
def test_a_difference_answers_as_the_standard_one(evaluate, statistic, operation):
    evaluate(f"[{operation} for x in [{statistic}]][0]", message=False)


@pytest.mark.parametrize("operator", ["==", "!="])
@pytest.mark.parametrize(
    "items", [TRACES[:7], STATISTICS[:8], DIFFERENCES[:4]], ids=["trace", "statistic", "diff"]
)
def test_equality_is_that_of_the_standard_classes(evaluate, items, operator):
    for left in items:
        for right in items:
            evaluate(f"{left} {operator} {right}")


SIZES = [0, 1, 99, 100, 10239, 10240, 102399, 1 << 20, 5 << 20, 104857599, 1 << 30, 1 << 44, 1 << 63, 10**25]


@pytest.mark.parametrize("sign", [False, True])
@pytest.mark.parametrize("size", SIZES + [-size for size in SIZES] + [0.5, 1234.5, 1e300, float("inf")])
def test_sizes_are_written_as_the_standard_module_does(evaluate, size, sign):
    evaluate("m._format_size(size, sign)", size=size, sign=sign)


@pytest.mark.parametrize(
    "expression",
    [
        "m.Trace(5).size",
        "m.Trace((1,)).size",
        "str(m.Statistic(None, 'x', 1))",
        "str(m.Statistic(None, 10, 'x'))",
        "m.Statistic(None, 1, 1) < m.Statistic(None, 2, 2)",
        "hash(m.Trace((0, 1, [])))",
        "m.Traceback((('a', 1),)).format(limit='x')",
    ],
)
def test_messages_of_errors_are_those_of_the_standard_module(evaluate, expression):
    evaluate(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "m.Trace()",
        "m.Trace((0, 1, ()), 2)",
        "m.Statistic(1, 2)",
        "m.Statistic(1, 2, 3, 4)",
        "m.Statistic(1, 2, nope=3)",
        "m.StatisticDiff(1, 2, 3, 4)",
        "setattr(m.Trace((0, 1, ())), 'size', 5)",
        "setattr(m.Trace((0, 1, ())), 'other', 5)",
        "setattr(m.Statistic(1, 2, 3), 'size_diff', 5)",
        "delattr(m.Statistic.__new__(m.Statistic), 'size')",
    ],
)
def test_wrong_arguments_raise_the_same_types(evaluate, expression):
    evaluate(expression, message=False)


def test_attributes_of_a_statistic_may_be_changed(same):
    def change(module):
        statistic = module.Statistic(module.Traceback((("a.py", 1),)), 10, 2)
        statistic.size += 5
        statistic.count = 3
        statistic.traceback = module.Traceback((("b.py", 2),))
        del statistic.count
        with pytest.raises(AttributeError):
            _ = statistic.count
        statistic.count = 4
        return statistic, str(statistic)

    same(change)


def test_a_statistic_of_a_snapshot_may_be_changed_too(same):
    def change(module):
        snapshot = module.Snapshot([(0, 10, (("a.py", 1),), 1), (0, 5, (("b.py", 1),), 1)], 1)
        first, second = snapshot.statistics("lineno")
        del first.traceback
        first.traceback = second.traceback
        second.size = first.size
        return first, second, first == second

    same(change)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("expression", TRACES[:6] + STATISTICS[:5] + DIFFERENCES[:3])
def test_pickles_and_copies_are_equal(expression, protocol):
    value = eval(expression, {"m": memtally})
    for twin in (pickle.loads(pickle.dumps(value, protocol)), copy.copy(value), copy.deepcopy(value)):
        assert type(twin) is type(value)
        assert twin == value
        assert repr(twin) == repr(value)


def test_pickling_a_trace_keeps_the_functions():
    trace = memtally.Trace((0, 10, (("a.py", 2), ("b.py", 4)), 3))
    trace._functions = ("main", "load")
    back = pickle.loads(pickle.dumps(trace))
    assert [frame.function for frame in back.traceback] == ["main", "load"]
