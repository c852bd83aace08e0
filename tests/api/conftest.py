"""What the tests of the public API share: the same thing run with both modules, and compared."""

import os
import sys
import tracemalloc
from collections.abc import Callable
from types import ModuleType

import pytest

import memtally

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # for random_traces


def plain(value: object) -> object:
    """The value with the objects of either module taken apart into tuples, so that both compare."""
    name = type(value).__name__
    module = type(value).__module__.partition(".")[0]
    if module in ("memtally", "tracemalloc"):
        if name == "Frame":
            return (name, value._frame)
        if name == "Traceback":
            return (name, value._frames, value._total_nframe)
        if name == "Trace":
            return (name, value._trace)
        if name == "Statistic":
            return (name, plain(value.traceback), value.size, value.count)
        if name == "StatisticDiff":
            return (name, plain(value.traceback), value.size, value.size_diff, value.count, value.count_diff)
        if name == "_Traces":
            return (name, [plain(trace) for trace in value])
        if name == "Snapshot":
            return (name, plain(value.traces), value.traceback_limit)
        return (name, vars(value))
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return value


def outcome(function: Callable[[ModuleType], object], module: ModuleType, message: bool) -> tuple:
    """("value", it) or ("error", type, text) of function(module)."""
    try:
        return ("value", plain(function(module)))
    except Exception as error:
        text = str(error).replace("tracemalloc.", "").replace("memtally.", "") if message else ""
        return ("error", type(error), text)


@pytest.fixture
def same() -> Callable[..., None]:
    """same(function) asserts that function(module) gives the same, value or error, with both modules."""

    def check(function: Callable[[ModuleType], object], message: bool = True) -> None:
        expected = outcome(function, tracemalloc, message)
        assert outcome(function, memtally, message) == expected

    return check


@pytest.fixture
def evaluate(same: Callable[..., None]) -> Callable[..., None]:
    """evaluate(expression) asserts the same of an expression in which `m` is the module."""

    def check(expression: str, message: bool = True, **names: object) -> None:
        code = compile(expression, "<expression>", "eval")
        same(lambda module: eval(code, {"m": module, **names}), message)

    return check


@pytest.fixture
def tracing() -> ModuleType:
    """memtally, tracing with 25 frames; stopped again afterwards."""
    memtally.stop()
    memtally.start(25)
    yield memtally
    memtally.stop()
