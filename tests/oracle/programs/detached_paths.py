# oracle: --no-peak
"""RAW blocks without the GIL from ever changing paths.

What is remembered of a thread's last stack must not be believed once a frame has moved on, another took its
place, or its code died and another lies at the same address."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "extensions"))
import extension_builder

if extension_builder.can_build():
    raise SystemExit(0)
native = extension_builder.load("native_threads")
KEEP = []


def take(size):
    KEEP.append(native.detached_alloc(2, size))


def other_lines(size):
    take(size)
    for _ in range(3):
        take(size)
        take(size + 1)


def first(size):
    take(size)


def second(size):
    take(size)  # as many frames, the same caller's line, another function


def turns(size):
    for function in (first, second, first, second):
        function(size)


def deep(depth, size):
    if depth > 0:
        deep(depth - 1, size)
    take(size)  # on every level, on the way back


def resumed(size):
    while True:
        take(size)
        yield


def generators(size):
    generator = resumed(size)

    def below(depth):
        if depth:
            below(depth - 1)
        else:
            next(generator)

    for depth in (0, 3, 1, 3, 0):
        below(depth)
    generator.close()


def made_and_dropped(size):
    """Code of one shape after the other at one address, each on other lines of another file."""
    for number in range(30):
        code = first.__code__.replace(co_firstlineno=100 + number, co_filename=f"made{number}")
        type(first)(code, globals())(size)
        del code


def frees_between(size):
    blocks = native.detached_alloc(5, size)
    native.free_raw(blocks[:3], False)
    take(size)
    KEEP.append([native.resize_raw(block, size * 2) for block in blocks[3:]])


def everything(size):
    for function in (other_lines, turns, generators, made_and_dropped, frees_between):
        function(size)
        function(size + 10)
    for depth in (5, 40, 3, 300, 250, 260):
        deep(depth, size)


everything(1000)
threads = [threading.Thread(target=everything, args=(2000 + 100 * number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
