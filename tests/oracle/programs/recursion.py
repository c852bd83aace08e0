# ruff: noqa: E501
"""Deep recursion with the limit raised, allocating on the way down and up; mutual recursion; RecursionError."""

import sys

KEEP = []
sys.setrecursionlimit(6000)


def down(n):
    if n % 100 == 0:
        KEEP.append([n])
    result = down(n - 1) if n else [0]
    if n % 150 == 0:
        KEEP.append({"up": n})
    return result


def even(n):
    return odd(n - 1) if n else [KEEP.append([1.5])]


def odd(n):
    return even(n - 1) if n else []


def endless(n):
    return [endless(n + 1)]


def tree(n):
    return [tree(n - 1), tree(n - 1)] if n else [1.5]


KEEP.append(down(1500))
KEEP.append(down(700))
KEEP.append(even(1200))
sys.setrecursionlimit(900)
for _ in range(2):
    try:
        endless(0)
    except RecursionError as error:
        KEEP.append([str(error)])
KEEP.append(tree(8))
sys.setrecursionlimit(4000)
KEEP.append(down(1100))
nested = []
for _ in range(300):
    nested = [nested]
KEEP.append(repr(nested))
KEEP.append(eval("(" * 60 + "[1.5]" + ")" * 60))
