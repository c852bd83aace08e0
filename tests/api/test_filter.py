"""Filter, DomainFilter and BaseFilter behave as the standard ones, alone and applied to a snapshot."""

import copy
import pickle

import pytest

import memtally

FILTERS = [
    "m.Filter(True, 'a.py')",
    "m.Filter(False, 'a.py')",
    "m.Filter(1, '*.pyc', 2)",
    "m.Filter(0, '[ab].py', lineno=4)",
    "m.Filter(inclusive=True, filename_pattern='b*', lineno=None, all_frames=True, domain=None)",
    "m.Filter(False, 'b*', None, True)",
    "m.Filter(True, 'a.py', domain=1)",
    "m.Filter(False, 'a.py', domain=1)",
    "m.Filter(True, '*', 4, True, 0)",
    "m.Filter(True, '*', 2.0)",
    "m.Filter(True, '*', -1)",
    "m.Filter(False, '*', 1 << 80, domain=-(1 << 80))",
    "m.Filter(True, '')",
    "m.DomainFilter(True, 1)",
    "m.DomainFilter(False, domain=1)",
    "m.DomainFilter(inclusive=[], domain=None)",
    "m.DomainFilter(True, 1.0)",
]
RAW = [
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (0, 10, (("a.py", 2), ("b.py", 4)), 3),
    (1, 2, (("a.py", 5), ("b.py", 4)), 3),
    (2, 66, (("b.py", 1),), 1),
    (1, 7, (("<unknown>", 0),), 1),
    (0, 7, (("a.pyc", 4),), None),
    (0, 8, (("\udcff/A.py", 4), ("", 0)), 200),
]


@pytest.mark.parametrize("expression", FILTERS)
@pytest.mark.parametrize("trace", RAW[:6])
def test_a_filter_matches_as_the_standard_one(evaluate, expression, trace):
    evaluate(f"bool({expression}._match(trace))", trace=trace)


@pytest.mark.parametrize("expression", [text for text in FILTERS if "DomainFilter" not in text])
def test_the_steps_of_matching_are_those_of_the_standard_one(evaluate, expression):
    for _, _, frames, _ in RAW:
        evaluate(f"bool({expression}._match_traceback(frames))", frames=frames)
        for filename, lineno in frames:
            evaluate(f"{expression}._match_frame(filename, lineno)", filename=filename, lineno=lineno)
            evaluate(
                f"bool({expression}._match_frame_impl(filename, lineno))", filename=filename, lineno=lineno
            )


@pytest.mark.parametrize("expression", FILTERS)
def test_attributes_are_those_of_the_standard_ones(evaluate, expression):
    evaluate(f"vars({expression})")
    evaluate(f"{expression}.inclusive")
    evaluate(f"{expression}.domain")
    if "DomainFilter" not in expression:
        evaluate(f"{expression}.filename_pattern")
        evaluate(f"({expression}.lineno, {expression}.all_frames)")


@pytest.mark.parametrize(
    "expression",
    [
        "m.Filter()",
        "m.Filter(True)",
        "m.Filter(True, 5)",
        "m.Filter(True, b'a.py')",
        "m.Filter(True, 'a', 1, True, 0, 0)",
        "m.Filter(True, 'a', nope=1)",
        "m.DomainFilter(True)",
        "m.BaseFilter()",
        "m.BaseFilter(True)._match((0, 1, (), 1))",
        "setattr(m.Filter(True, 'a'), 'filename_pattern', 'b')",
        "setattr(m.DomainFilter(True, 1), 'domain', 2)",
        "m.Filter(True, 'a')._match((0, 1))",
        "m.Filter(True, 'a')._match((0, 1, (), 1))",
        "m.Filter(True, 'a')._match_frame(5, 1)",
    ],
)
def test_wrong_arguments_raise_the_same_types(evaluate, expression):
    evaluate(expression, message=False)


@pytest.mark.parametrize("first", FILTERS)
@pytest.mark.parametrize("second", [None, *FILTERS[:9], "m.DomainFilter(False, 2)"])
def test_a_snapshot_is_filtered_as_by_the_standard_module(evaluate, first, second):
    filters = first if second is None else f"{first}, {second}"
    evaluate(f"m.Snapshot(list(raw), 2).filter_traces([{filters}])", raw=RAW)


@pytest.fixture
def columnar(tmp_path):
    """columnar(raw) makes a snapshot that holds columns, as those of the tracer do."""

    def make(raw):
        memtally.Snapshot(raw, 2).dump(tmp_path / "snapshot")
        return memtally.Snapshot.load(tmp_path / "snapshot")

    return make


@pytest.mark.parametrize("first", FILTERS)
@pytest.mark.parametrize("second", [None, *FILTERS])
def test_columns_are_filtered_as_raw_traces_are(columnar, first, second):
    filters = [eval(text, {"m": memtally}) for text in (first, second) if text is not None]
    kept = columnar(RAW).filter_traces(filters)
    assert kept.traces._traces == memtally.Snapshot(RAW, 2).filter_traces(filters).traces._traces
    assert kept.traceback_limit == 2


def test_a_filter_of_ones_own_is_asked_for_every_trace(same):
    def use(module):
        class Small(module.BaseFilter):
            def _match(self, trace):
                return trace[1] < 10

        class Named(module.Filter):
            def _match_frame_impl(self, filename, lineno):
                return filename == "b.py"

        snapshot = module.Snapshot(list(RAW), 2)
        return [
            snapshot.filter_traces([Small(True)]),
            snapshot.filter_traces([Small(False)]),
            snapshot.filter_traces([Named(True, "x")]),
            snapshot.filter_traces([Named(False, "x", all_frames=True), Small(True)]),
        ]

    same(use)


def test_a_filter_of_ones_own_sees_the_rows_of_columns(columnar):
    class Small(memtally.BaseFilter):
        def _match(self, trace):
            return trace[1] < 10

    assert columnar(RAW).filter_traces([Small(True)]).traces._traces == [raw for raw in RAW if raw[1] < 10]


def test_a_replaced_method_of_a_filter_is_called(same):
    def use(module):
        replaced = module.Filter(True, "nothing")
        replaced._match = lambda trace: trace[0] == 2
        return module.Snapshot(list(RAW), 2).filter_traces([replaced])

    same(use)


def test_fnmatch_is_asked_once_per_file_name(columnar, monkeypatch):
    asked = []
    monkeypatch.setattr("fnmatch.fnmatch", lambda name, pattern: asked.append(name) or False)
    raw = [(0, size, ((f"{size % 7}.py", 1), ("main.py", size)), 2) for size in range(500)]
    names = sorted([f"{i}.py" for i in range(7)] + ["main.py"])
    for snapshot in (columnar(raw), memtally.Snapshot(raw, 2)):
        asked.clear()
        snapshot.filter_traces([memtally.Filter(True, "x", all_frames=True)])
        assert sorted(asked) == names


@pytest.mark.parametrize("argument", ["5", "None", "m.Filter(True, 'a')", "[5]", "m"])
def test_what_is_no_list_of_filters_raises_the_same(evaluate, argument):
    evaluate(f"m.Snapshot([(0, 1, (('a', 1),), 1)], 1).filter_traces({argument})", message=argument != "m")


@pytest.mark.parametrize("argument", ["iter([])", "iter([m.Filter(True, 'a.py')])", "{}", "()", "''", "[]"])
def test_any_iterable_of_filters_will_do(evaluate, argument):
    evaluate(f"m.Snapshot(list(raw), 1).filter_traces({argument})", raw=RAW)


@pytest.mark.parametrize("expression", FILTERS[:9] + FILTERS[13:15])
def test_pickles_and_copies_have_the_same_attributes(expression):
    value = eval(expression, {"m": memtally})
    for twin in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert type(twin) is type(value)
        assert vars(twin) == vars(value)
