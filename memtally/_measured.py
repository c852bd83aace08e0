"""memtally.measure as a decorator: each call of the function is measured by a measure() of its own.

The wrapper is made here, and not in C, so that it looks like the function: name, signature, coroutine or not.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import memtally


def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
    """FUNCTION, measured at each call; the wrapper's `measured` is the measurement that ended last."""
    if not callable(function):
        raise TypeError(f"measure() decorates functions, not {type(function).__name__}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"measure() cannot decorate the generator function {function.__name__}: "
            "its body runs while it is iterated, not while it is called"
        )
    measured: Any = _coroutine(function) if inspect.iscoroutinefunction(function) else _plain(function)
    functools.update_wrapper(measured, function)
    measured.measured = None
    return measured  # type: ignore[no-any-return]


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    def measured(*args: Any, **kwargs: Any) -> Any:
        measurement = memtally.measure()
        try:
            with measurement:
                return function(*args, **kwargs)
        finally:
            measured.measured = measurement  # type: ignore[attr-defined]

    return measured


def _coroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    async def measured(*args: Any, **kwargs: Any) -> Any:
        measurement = memtally.measure()
        try:
            with measurement:
                return await function(*args, **kwargs)
        finally:
            measured.measured = measurement  # type: ignore[attr-defined]

    return measured
