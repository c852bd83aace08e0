"""Call paths that count far: more blocks and bytes than one word of a tally holds (src/core/ledger.h)."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from fresh_process import check

MANY = 9_000_000  # a word holds 1,023 blocks

COMMON = """
    import itertools, sys
    import memtally as mt
    def figures(view, function):
        rows = mt.take_snapshot(view=view).statistics("function")
        found = [(row.size, row.count) for row in rows if row.traceback[0].function == function]
        return found[0] if found else (0, 0)
"""


def test_a_line_that_makes_millions_of_blocks() -> None:
    check(
        f"""{COMMON}
        def churn(count):
            for _ in itertools.repeat(None, count):
                object()
        mt.start()
        for times in (1, 2):
            churn({MANY})
            size, count = figures("total", "churn")
            assert {MANY} * times <= count < {MANY} * times + 20, count
            assert size - 16 * count < 2000, (size, count)
            assert figures("live", "churn")[1] < 20
        """
    )


def test_a_line_that_holds_millions_of_blocks_at_the_peak() -> None:
    check(
        f"""{COMMON}
        def hold(count):
            return [object() for _ in itertools.repeat(None, count)]
        mt.start()
        held = hold({MANY})
        size, count = figures("live", "hold")
        assert {MANY} <= count < {MANY} + 20, count
        assert 8 * count <= size - 16 * {MANY} < sys.getsizeof(held) + 1000, size
        assert figures("peak", "hold") == (size, count)
        held = held[: {MANY} // 2]
        held.clear()
        assert figures("live", "hold")[1] < 20
        peak = figures("peak", "hold")
        assert peak == (size, count), (peak, size, count)
        total = figures("total", "hold")
        assert total[1] >= count and total[0] >= size
        """
    )


def test_a_line_that_allocates_more_bytes_than_a_word_holds() -> None:
    check(
        f"""{COMMON}
        import ctypes
        malloc, free = ctypes.pythonapi.PyMem_Malloc, ctypes.pythonapi.PyMem_Free
        malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
        huge = 3 << 36  # three of them are more than 2^39; never touched
        def borrow(times):
            for _ in range(times):
                block = malloc(huge)
                if not block:
                    return False
                free(block)
            return True
        mt.start()
        if not borrow(1):
            sys.exit()  # the system promises no more than it has
        borrow(40)
        size, count = figures("total", "borrow")
        assert 0 <= size - 41 * huge < 100_000, (size, count)
        peak = figures("peak", "borrow")[0]
        assert 0 <= peak - huge < 100_000, peak
        assert figures("live", "borrow")[0] < 10_000
        """
    )


def test_a_line_that_makes_small_and_large_blocks_in_turns() -> None:
    check(
        f"""{COMMON}
        import random
        chance = random.Random(11)
        def one(size):
            return bytes(size)
        mt.start()
        size = count = 0
        held = []
        for turn in range(20_000):
            length = chance.choice((chance.randrange(100, 470), chance.randrange(1 << 20)))
            held.append(one(length))
            size, count = size + sys.getsizeof(held[-1]), count + 1
            if chance.random() < 0.8 or len(held) > 20:
                held.pop(chance.randrange(len(held)))
            if turn % 500 == 0:
                live = sum(map(sys.getsizeof, held))
                assert figures("live", "one") == (live, len(held))
                assert figures("total", "one") == (size, count)
        """
    )
