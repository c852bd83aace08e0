"""Patterns of allocating and freeing, as small as they get: what instructions.py counts and curves.py times.

    python patterns.py NAME COUNT TRACER      (below callgrind, by instructions.py)

`PATTERNS[name](count)` does COUNT pairs of allocate and free. A pair is one block's life:

    short_loop   a new object, dropped at once, again and again on one line
    deep_stack   the same at the bottom of 200 Python calls
    call_heavy   the same, each time in a function that was just called
    realloc      a list that grows eight times by realloc before it is dropped
    free_list    a float out of the free list; no allocator is called
    raw          a block of the RAW domain, asked for by C code that holds the GIL
"""

import gc
import os
import sys
from itertools import repeat

import native_pairs
import tracers


def short_loop(count):
    for _ in repeat(None, count):
        object()


def deep_stack(count, depth=200):
    if depth > 1:
        deep_stack(count, depth - 1)
    else:
        short_loop(count)


def make_object():
    return object()


def call_heavy(count):
    for _ in repeat(None, count):
        make_object()


GROWING = (None,) * 60  # appended one by one: a list of 4, 8, 16, 24, 32, 40, 52, 64 places


def realloc(count):
    for _ in repeat(None, count):
        grown = []
        for item in GROWING:
            grown.append(item)


def free_list(count):
    value = 1.5
    for _ in repeat(None, count):
        value = value * 1.0


def raw(count):
    native_pairs.raw_pairs(count)


PATTERNS = {f.__name__: f for f in (short_loop, deep_stack, call_heavy, realloc, free_list, raw)}
WARM_UP = 2_000


def run_below_callgrind(name, count, tracer):
    """Runs COUNT pairs and twice COUNT pairs; callgrind cuts its record at the calls of getppid."""
    pattern = PATTERNS[name]
    tracers.start(tracer)
    gc.disable()
    # One loop, so that every run is called from the same line: nothing is new after the second.
    for pairs in (WARM_UP, WARM_UP, count, 2 * count):
        os.getppid()
        pattern(pairs)
    os.getppid()


if __name__ == "__main__":
    run_below_callgrind(sys.argv[1], int(sys.argv[2]), sys.argv[3])
