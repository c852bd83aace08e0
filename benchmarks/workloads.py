"""Allocation-heavy workloads, each a fixed amount of work that a real program does.

`WORKLOADS[name]()` prepares the input and returns the function to time.
Run as a script by compare.py: `python workloads.py TRACER NAME[,NAME...]` prints
one JSON object: seconds per workload (best of three) and the process's peak RSS in KiB.

TRACER is `off`, `std:N` (tracemalloc with N frames), `memtally:N`, or the peer `memray`, `memray:py`
(its --trace-python-allocators: every block, as a tracer must see them) or `memray:agg` (--aggregate too).
"""

import ast
import json
import pickle
import re
import resource
import sys
import time
import tokenize


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


def start_tracer(spec):
    name, _, frames = spec.partition(":")
    if name == "off":
        return
    if name == "memray":
        start_memray(frames)
        return
    module = __import__({"std": "tracemalloc"}.get(name, name))
    module.start(int(frames or 1))


def start_memray(mode):
    import atexit
    import os
    import tempfile

    import memray

    folder = tempfile.TemporaryDirectory()
    tracker = memray.Tracker(
        os.path.join(folder.name, "out.bin"),
        trace_python_allocators=mode in ("py", "agg"),
        file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS
        if mode == "agg"
        else memray.FileFormat.ALL_ALLOCATIONS,
    )
    tracker.__enter__()

    def stop():
        tracker.__exit__(None, None, None)
        folder.cleanup()

    atexit.register(stop)


def measure(tracer, names, workloads, repeat=3):
    runs = {name: workloads[name]() for name in names}
    start_tracer(tracer)
    result = {}
    for name, run in runs.items():
        best = float("inf")
        for _ in range(repeat):
            begin = time.perf_counter()
            run()
            best = min(best, time.perf_counter() - begin)
        result[name] = best
    result["peak_rss_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return result


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2].split(","), WORKLOADS)))
