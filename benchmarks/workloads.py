"""Allocation-heavy workloads, each a fixed amount of work that a real program does.

`WORKLOADS[name]()` prepares the input and returns the function to time.
Run as a script by compare.py: `python workloads.py TRACER NAME[,NAME...] [REPEAT]` prints
one JSON object: seconds per workload (best of REPEAT, three by default) and the process's peak RSS in KiB.
tracers.py names the tracers.
"""

import ast
import json
import pickle
import re
import tokenize

import measuring


def json_loads():
    document = json.dumps(
        [
            {"id": i, "name": "user%d" % i, "tags": ["a", "b", str(i)], "geo": {"lat": i * 0.5, "lon": -i}}
            for i in range(3000)
        ]
    )

    def run():
        for _ in range(12):
            json.loads(document)

    return run


def json_dumps_pure():
    """The pure Python encoder: many short frames, many short strings."""
    document = [{"id": i, "name": "user%d" % i, "tags": ["a", "b", str(i)]} for i in range(900)]
    encoder = json.encoder.JSONEncoder(indent=1)

    def run():
        for _ in range(40):
            encoder.encode(document)

    return run


def ast_roundtrip():
    with open(ast.__file__, encoding="utf-8") as file:
        source = file.read()

    def run():
        for _ in range(6):
            ast.unparse(ast.parse(source))

    return run


def compile_source():
    with open(tokenize.__file__, encoding="utf-8") as file:
        source = file.read() * 3

    def run():
        for _ in range(10):
            compile(source, "source", "exec")

    return run


def objects():
    class Point:
        def __init__(self, x, y):
            self.x = x
            self.y = y

    def run():
        for _ in range(4):
            points = [Point(i, float(i)) for i in range(60000)]
            table = {i: point for i, point in enumerate(points)}
            del points, table

    return run


def strings():
    def run():
        for _ in range(8):
            parts = [str(i) * 3 for i in range(60000)]
            parts = ",".join(parts).split(",")
            del parts

    return run


def regex():
    text = " ".join("key%d=value%d;" % (i, i * 7) for i in range(30000))
    pattern = re.compile(r"(\w+)=(\w+);")

    def run():
        for _ in range(6):
            [match.groups() for match in pattern.finditer(text)]

    return run


def binary_trees():
    def tree(depth):
        if depth == 0:
            return (None, None)
        return (tree(depth - 1), tree(depth - 1))

    def check(node):
        return 1 if node[0] is None else 1 + check(node[0]) + check(node[1])

    def run():
        for _ in range(6):
            check(tree(15))

    return run


def deep_stack():
    """Allocations at the bottom of 60 Python frames, the shape of a web framework."""

    def leaf():
        for i in range(4000):
            x = [i, i + 1]
            y = {"a": i}

    def down(n):
        if n == 0:
            return leaf()
        return down(n - 1)

    def run():
        for _ in range(80):
            down(60)

    return run


def pickle_loads():
    data = pickle.dumps({i: (str(i), [i, i + 1.5], {"k": i}) for i in range(20000)})

    def run():
        for _ in range(6):
            pickle.loads(data)

    return run


def floats():
    """Free-list traffic: nearly no calls of the allocator, one new object per operation."""

    def run():
        x = 0.0
        for _ in range(3000000):
            x = x * 1.0000001 + 0.5

    return run


def many_live_blocks():
    """About five million blocks alive at once: the cost of a large heap, in time and in memory."""

    def run():
        rows = [(i, [i]) for i in range(1200000)]
        del rows

    return run


WORKLOADS = {
    f.__name__: f
    for f in (
        json_loads,
        json_dumps_pure,
        ast_roundtrip,
        compile_source,
        objects,
        strings,
        regex,
        binary_trees,
        deep_stack,
        pickle_loads,
        floats,
        many_live_blocks,
    )
}


if __name__ == "__main__":
    measuring.main(WORKLOADS)
