# ruff: noqa: E501
"""Closures, cells, nonlocal, default arguments, decorators with wraps, generators in closures, frames kept."""

import functools
import sys

KEEP = []


def cells(a, b, c=[1.5]):
    d = [a]

    def middle(e):
        nonlocal d
        d = [d, e]

        def inner(f):
            return [a, b, c, d, e, f]

        return inner

    return middle


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **keywords):
        KEEP.append([function.__name__, args])
        return function(*args, **keywords)

    return wrapper


@logged
@logged
def decorated(n):
    return [n, {n: [n]}]


def accumulator():
    total = []

    def add(x):
        total.append([x])
        return list(total)

    return add


def closing_generator(n):
    held = [n]

    def later():
        return [held]

    yield later
    held = [held]
    yield later()


def frames(n):
    mine = [n]
    return frames(n - 1) if n else sys._getframe(), mine


for n in range(20):
    middle = cells(n, [n])
    inner = middle([n, n])
    KEEP.append([middle, inner, inner(1.5), cells([n], n)])
    KEEP.append(decorated(n))
    KEEP.append(list(closing_generator(n)))
    KEEP.append(frames(n))
    KEEP.append(locals() if n < 0 else [vars().keys()])
add = accumulator()
for n in range(15):
    KEEP.append(add(n))
frame = KEEP[-30][0] if isinstance(KEEP[-30], tuple) else None
KEEP.append([frame])
for item in KEEP:
    if isinstance(item, tuple) and hasattr(item[0], "f_back"):
        KEEP.append([item[0].f_lineno, item[0].f_locals])
        break
