# ruff: noqa: E501
"""Python called from C called from Python: sort keys, map, filter, reduce, re.sub, json hooks, comparisons."""

import bisect
import functools
import itertools
import json
import re
import string

KEEP = []


def key(item):
    KEEP.append([item])
    return str(item), [item]


def deep(item, depth=6):
    return deep(item, depth - 1) if depth else [item, {str(item): item}]


class Ordered:
    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        KEEP.append((self.value, [other.value]))
        return self.value < other.value

    def __eq__(self, other):
        KEEP.append(["eq"])
        return self.value == other.value

    def __hash__(self):
        KEEP.append(["hash", self.value])
        return hash(self.value)

    def __repr__(self):
        return "<" + json.dumps([self.value]) + ">"


KEEP.append(sorted(range(20, 0, -1), key=key))
KEEP.append(sorted([Ordered(n % 7) for n in range(20)]))
KEEP.append({Ordered(n % 5): [n] for n in range(20)})
KEEP.append(list(map(deep, range(15))))
KEEP.append([list(filter(deep, range(15))), list(map(lambda a, b: [a, b], "abc", "def"))])
KEEP.append(functools.reduce(lambda a, b: [a, b], range(30)))
KEEP.append(re.sub(r"\w+", lambda m: str(deep(m.group())), "one two three four " * 4))
KEEP.append(
    json.loads(
        '{"a": [1.5, {"b": 2.5}], "c": {"d": []}}',
        object_hook=lambda d: [d, deep(1)],
        parse_float=lambda s: [s],
    )
)
KEEP.append(json.loads('{"a": [1, {"b": 2}]}', object_pairs_hook=lambda p: deep(tuple(map(tuple, p)))))
KEEP.append(json.dumps([Ordered(1), {"x": Ordered(2)}], default=lambda o: [deep(o.value), "d"]))
KEEP.append(repr([Ordered(n) for n in range(10)]))
KEEP.append(max(range(10), key=lambda n: len(deep(n))))
KEEP.append(
    [
        list(itertools.accumulate(range(10), lambda a, b: [a, b])),
        [(k, list(g)) for k, g in itertools.groupby(range(12), key=lambda n: (n // 3, [n]))],
        list(itertools.starmap(lambda a, b: {a: [b]}, zip(range(9), range(9)))),
    ]
)
KEEP.append(bisect.bisect([Ordered(n) for n in range(16)], Ordered(7)))
KEEP.append(string.Template("$a and $b").substitute({"a": deep("x"), "b": [1]}))
KEEP.append(list(iter(lambda state=itertools.count(): [next(state)] if len(KEEP) < 0 else None, None)))


@functools.lru_cache(maxsize=8)
def cached(n):
    return [n, cached(n - 1) if n else None]


@functools.singledispatch
def dispatch(x):
    return [x]


@dispatch.register
def _(x: int):
    return [[x]]


KEEP.append([cached(n) for n in range(12)])
KEEP.append([dispatch(1), dispatch("s"), functools.partial(deep, depth=2)(3)])
