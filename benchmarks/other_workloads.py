"""Workloads of other kinds: what a tracer that is tuned for the usual ones could be slow at.

As in workloads.py: `WORKLOADS[name]()` prepares and returns the function to time, and as a script it is
`python other_workloads.py TRACER NAME[,NAME...] [REPEAT]`.
"""

import threading

import measuring


def recursion_of_many_shapes():
    """Recursion whose stack is another one at each allocation: a tree walked by several functions in turn."""

    def left(depth, turn):
        return (leaf(turn), below(depth, turn))

    def right(depth, turn):
        return (below(depth, turn), leaf(turn))

    def middle(depth, turn):
        kept = leaf(turn)
        return [below(depth, turn), kept]

    def leaf(turn):
        return [turn, float(turn)]

    shapes = (left, right, middle)

    def below(depth, turn):
        return shapes[turn % 3](depth - 1, turn // 3) if depth else None

    def run():
        for turn in range(30_000):
            below(9, turn * 7919 % 19_683)

    return run


def generators_from_changing_depths():
    """Generators that are started at one depth of the stack and resumed at others."""

    def numbers(n):
        for i in range(n):
            yield [i, i + 1]

    def resume(generator, depth):
        return resume(generator, depth - 1) if depth else next(generator)

    def run():
        for _ in range(30):
            generators = [numbers(60) for _ in range(40)]
            for step in range(60):
                for at, generator in enumerate(generators):
                    resume(generator, (step + at) % 9)

    return run


def chained_generators():
    """Ten generators on top of each other: every item is resumed through all of them, and copied in each."""

    def source(n):
        for i in range(n):
            yield [i]

    def passing_on(items):
        for item in items:
            yield [item[0], item]

    def run():
        items = source(40_000)
        for _ in range(10):
            items = passing_on(items)
        for _ in items:
            pass

    return run


def coroutines():
    """Coroutines that wait for coroutines, many of them at once, driven by hand."""

    class Pause:
        def __await__(self):
            yield [self]

    async def task(depth, turns):
        if depth:
            return [await task(depth - 1, turns), depth]
        for _ in range(turns):
            await Pause()
        return [turns]

    def run():
        waiting = [task(i % 12, 30) for i in range(1_200)]
        while waiting:
            still = []
            for one in waiting:
                try:
                    one.send(None)
                    still.append(one)
                except StopIteration:
                    pass
            waiting = still

    return run


def code_made_and_dropped():
    """Functions that are compiled, called and forgotten."""
    source = "def made(n):\n    return [str(i) for i in range(n)]\nresult = made(20)\n"

    def run():
        for turn in range(1_500):
            exec(compile(source, f"<generated {turn % 10}>", "exec"), {})

    return run


def two_threads():
    """Two threads that take turns: the interpreter switches between them all the time."""

    def work():
        for i in range(150_000):
            kept = [i, (i, float(i))]

    def run():
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def young_blocks_in_an_old_heap():
    """Short-lived blocks, put into the holes of a heap of a million old ones."""
    old = [(i, [i]) for i in range(400_000)]
    for i in range(0, len(old), 7):
        old[i] = None

    def run():
        for start in range(0, 300_000, 100):
            young = [(old, [i]) for i in range(start, start + 100)]

    return run


def growing_lists():
    """Many lists that grow side by side by realloc."""

    def run():
        for _ in range(60):
            lists = [[] for _ in range(400)]
            for i in range(120):
                for one in lists:
                    one.append(i)

    return run


def big_blocks():
    """Blocks of many sizes above what pymalloc serves, freed in another order."""
    sizes = [513 + i * 7919 % 30_000 for i in range(2_000)]

    def run():
        for _ in range(20):
            blocks = [bytes(size) for size in sizes]
            for i in range(0, len(blocks), 3):
                blocks[i] = None

    return run


def two_hundred_frames():
    """Calls at the bottom of 200 frames that return far up and come down again."""

    def down(depth):
        if depth:
            kept = [depth]
            return down(depth - 1)
        for i in range(60):
            leaf(i)

    def leaf(i):
        return {"i": [i]}

    def run():
        for _ in range(1_500):
            down(200)

    return run


WORKLOADS = {
    f.__name__: f
    for f in (
        recursion_of_many_shapes,
        generators_from_changing_depths,
        chained_generators,
        coroutines,
        code_made_and_dropped,
        two_threads,
        young_blocks_in_an_old_heap,
        growing_lists,
        big_blocks,
        two_hundred_frames,
    )
}


if __name__ == "__main__":
    measuring.main(WORKLOADS)
