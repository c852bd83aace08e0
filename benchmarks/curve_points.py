"""One point of one of the curves of curves.py: CURVE X TRACER prints nanoseconds per pair, the best of many.

The inner work is the same at every X of a curve, so that points can be compared.
"""

import gc
import random
import sys
import threading
import time
from itertools import repeat

import native_pairs
import tracers

PAIRS = 20_000
REPEAT = 15


def best_of(work):
    """The least processor time: of one thread, so that other programs on the machine count little."""
    best = float("inf")
    for _ in range(REPEAT):
        begin = time.thread_time()
        work()
        best = min(best, time.thread_time() - begin)
    return best


def blocks(x):
    """X floats are alive; old ones, far from each other, are replaced by young ones, one at a time."""
    old = [float(i) for i in range(x)]
    order = random.Random(1).choices(range(x), k=PAIRS)

    def replace():
        for i in order:
            old[i] = float(i)

    return best_of(replace) / PAIRS


def depth(x):
    """Under X calls, the one on top is left and called again for each object."""

    def top():
        return object()

    def bottom():
        def work():
            for _ in repeat(None, PAIRS):
                top()

        return best_of(work)

    def down(n):
        return down(n - 1) if n else bottom()

    return down(x) / PAIRS


def paths(x):
    """X call paths have allocated before, nine calls deep, from one of four lines each; 64 of them go on."""

    def step(level, path):
        if not level:
            return object()
        way = path % 4
        if way == 0:
            return step(level - 1, path // 4)
        if way == 1:
            return step(level - 1, path // 4)
        if way == 2:
            return step(level - 1, path // 4)
        return step(level - 1, path // 4)

    for path in range(x):
        step(9, path)
    going_on = [i * x // 64 for i in range(64)] * 30

    def work():
        for path in going_on:
            step(9, path)

    return best_of(work) / len(going_on)


def in_threads(count, work, clock):
    """What CLOCK counts from the moment in which COUNT threads are let go until the last is done."""
    ready = threading.Barrier(count + 1)

    def body():
        ready.wait()
        work()

    threads = [threading.Thread(target=body) for _ in range(count)]
    for thread in threads:
        thread.start()
    ready.wait()
    begin = clock()
    for thread in threads:
        thread.join()
    return clock() - begin


def threads(x):
    """X threads do a share each of the same number of pairs; switched often. Processor time."""
    sys.setswitchinterval(0.0005)
    each = 640_000 // x

    def work():
        for _ in repeat(None, each):
            object()

    return min(in_threads(x, work, time.process_time) for _ in range(5)) / (each * x)


def raw(x):
    """X threads do as many pairs each, at once, by the clock: two cores halve it where nobody waits."""
    each = 200_000

    def work():
        native_pairs.raw_pairs_without_gil(each)

    return min(in_threads(x, work, time.perf_counter) for _ in range(3)) / (each * x)


def main():
    curve, x, tracer = sys.argv[1:]
    sys.setrecursionlimit(5_000)
    gc.disable()
    tracers.start(tracer)
    seconds = {f.__name__: f for f in (blocks, depth, paths, threads, raw)}[curve](int(x))
    print(1e9 * seconds)


main()
