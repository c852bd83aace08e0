# ruff: noqa: E501
"""Exceptions that unwind many frames; handlers, finally, chaining, groups, re-raising, tracebacks kept alive."""

import contextlib

KEEP = []


class Problem(Exception):
    def __init__(self, *args):
        super().__init__(*args)
        self.extra = [args]


def fall(depth, leave):
    held = [depth]
    if depth:
        try:
            fall(depth - 1, leave)
        except ValueError as error:
            KEEP.append([held, error])
            if leave:
                raise Problem(depth) from error
            raise
        finally:
            KEEP.append({depth: held})
    else:
        raise ValueError([held])


@contextlib.contextmanager
def guard(n):
    held = [n]
    try:
        yield held
    except LookupError as error:
        KEEP.append((held, [error]))


for depth in (0, 1, 10, 60):
    for leave in (False, True):
        try:
            fall(depth, leave)
        except (ValueError, Problem) as error:
            KEEP.append([error, depth])
    KEEP.append([depth] * 3)
for n in range(10):
    with guard(n) as held:
        held.append([n])
        {}[n]
    KEEP.append([n, 2.5])
    try:
        try:
            [].pop()
        except IndexError:
            KEEP.append([n])
            {}["missing"]
    except KeyError as error:
        KEEP.append(error)
try:
    raise ExceptionGroup("many", [ValueError([1]), Problem(2), ExceptionGroup("in", [TypeError(3)])])
except* ValueError as group:
    KEEP.append([group])
except* (Problem, TypeError) as group:
    KEEP.append({"group": [group]})
for n in range(5):
    try:
        int("x" * n + "y")
    except ValueError as error:
        KEEP.append(error.with_traceback(None))
