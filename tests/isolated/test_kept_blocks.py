"""Freed blocks that are kept for the next ones of their size: they hold what they must, and they go back.

Where pymalloc is not alone below, none are kept, and what needs them says so in a skip.
"""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from fresh_process import check, run

CAN_KEEP = (
    "kept"
    in run(
        "import memtally; memtally.start(); memtally.capabilities()['kept_blocks'] and print('kept')"
    ).stdout
)
keeps = pytest.mark.skipif(not CAN_KEEP, reason="blocks are kept only where pymalloc is alone below")

NATIVE = """
import ctypes, random, sys
import memtally as mt
api = ctypes.pythonapi  # with the GIL
def function(name, result, *arguments):
    made = getattr(api, name)
    made.restype, made.argtypes = result, arguments
    return made
address, size = ctypes.c_void_p, ctypes.c_size_t
DOMAINS = {
    domain: (
        function(f"{domain}_Malloc", address, size),
        function(f"{domain}_Realloc", address, address, size),
        function(f"{domain}_Free", None, address),
        function(f"{domain}_Calloc", address, size, size),
    )
    for domain in ("PyMem", "PyObject")
}
"""


def test_what_is_kept_is_told() -> None:
    code = """
        import memtally
        print(memtally.capabilities()["kept_blocks"], end=" ")
        memtally.start()
        print(memtally.capabilities()["kept_blocks"], end=" ")
        memtally.stop()
        print(memtally.capabilities()["kept_blocks"])
    """
    if CAN_KEEP:
        assert check(code).split() == ["False", "True", "False"]
    for environment in (
        {"MEMTALLY_SAFE": "1"},
        {"PYTHONMALLOC": "malloc"},
        {"PYTHONMALLOC": "debug"},
        {"PYTHONMALLOC": "pymalloc_debug"},
        {"PYTHONTRACEMALLOC": "1"},  # it is below, and is to see every free
    ):
        assert check(code, env=environment).split() == ["False"] * 3, environment


@keeps
def test_resized_blocks_keep_their_content_whatever_the_sizes() -> None:
    check(
        NATIVE
        + """
chance = random.Random(3)
def fill(block, length):
    ctypes.memset(block, length % 251, length)
def seen(block, length):
    return ctypes.string_at(block, length) == bytes([length % 251]) * length
mt.start(3)
for domain, (malloc, realloc, free, calloc) in DOMAINS.items():
    held = {}
    for step in range(60_000):
        length = chance.randrange(*chance.choice(((1, 70), (1, 600), (400, 2000))))
        if len(held) < 40 or chance.random() < 0.2:
            block = malloc(length) if chance.random() < 0.7 else calloc(1, length)
        else:
            block = chance.choice(list(held))
            old = held.pop(block)
            assert seen(block, old), (domain, step, old)
            if chance.random() < 0.4:
                free(block)
                continue
            again = realloc(block, length)
            kept = min(old, length)
            assert ctypes.string_at(again, kept) == bytes([old % 251]) * kept, (domain, step, old, length)
            block = again
        assert block not in held, (domain, step)
        fill(block, length)
        held[block] = length
        if step % 5000 == 0:
            live = {}
            for trace in mt.take_snapshot().traces:
                live[trace.size] = live.get(trace.size, 0) + 1
            for length in set(held.values()):
                assert live.get(length, 0) >= list(held.values()).count(length), (domain, step, length)
        if step % 20_000 == 19_999:
            for block in held:
                free(block)
            held.clear()
            mt.clear_traces()
    for block in held:
        free(block)
"""
    )


@keeps
def test_a_block_from_raw_that_shrank_is_not_kept() -> None:
    check(
        NATIVE
        + """
mt.start()
for domain, (malloc, realloc, free, calloc) in DOMAINS.items():
    for length in range(1, 513):
        # It stays where RAW put it: less than a whole class may be there.
        block = realloc(malloc(600 + length), length)
        free(block)
        others = [malloc(length + -length % 16) for _ in range(40)]
        assert block not in others, (domain, length)
        for other in others:
            free(other)
"""
    )


@keeps
def test_pools_are_used_where_blocks_are_kept() -> None:
    code = """
        import memtally
        memtally.start()
        print(memtally.capabilities()["kept_blocks"], memtally.capabilities()["direct_pools"])
    """
    assert check(code).split() == ["True", "True"]
    assert check(code, env={"MEMTALLY_SAFE": "1"}).split() == ["False", "False"]


@keeps
def test_blocks_out_of_pools_keep_their_content_and_go_back() -> None:
    check(
        NATIVE
        + """
chance = random.Random(5)
def blocks():
    return sys.getallocatedblocks()
def wave(most, lengths):
    held = {}
    for step in range(3 * most):
        if len(held) < most and (step < most or chance.random() < 0.5):
            length = chance.randrange(*lengths)
            block = malloc(length)
            assert block not in held and block % 16 == 0
            ctypes.memset(block, length % 251, length)
            held[block] = length
        elif held:
            block, length = held.popitem() if chance.random() < 0.3 else (next(iter(held)), None)
            length = length or held.pop(block)
            assert ctypes.string_at(block, length) == bytes([length % 251]) * length
            free(block)
    live = sum(1 for trace in mt.take_snapshot().traces if trace.size in range(*lengths))
    assert live >= len(held)
    for block, length in held.items():
        assert ctypes.string_at(block, length) == bytes([length % 251]) * length
        free(block)
mt.start()  # the first time it makes its classes
mt.stop()
for malloc, _, free, _ in DOMAINS.values():
    for most, lengths in ((3000, (48, 49)), (6000, (1, 513)), (2000, (497, 513)), (5000, (1, 17))):
        before = blocks()
        mt.start()
        wave(most, lengths)
        mt.clear_traces()
        wave(most, lengths)
        mt.stop()
        left = blocks() - before  # free lists hold a hundred ints
        assert abs(left) < 300, (most, lengths, left)
"""
    )


@keeps
def test_blocks_that_are_to_be_zero_are_wherever_they_come_from() -> None:
    check(
        NATIVE
        + """
mt.start()
for domain, (_, _, free, calloc) in DOMAINS.items():
    for count, length in ((20, 48), (3000, 48), (500, 510), (3000, 1), (300, 520), (20, 0)):
        for parts in (1, length or 7):
            for _ in range(3):
                held = [calloc(parts, length // parts) for _ in range(count)]
                assert len(set(held)) == count and None not in held
                for block in held:
                    assert ctypes.string_at(block, length) == bytes(length), (domain, count, length)
                    ctypes.memset(block, 255, length)
                sizes = [trace.size for trace in mt.take_snapshot().traces]
                assert sizes.count(length) >= count, (domain, count, length)
                for block in held:
                    free(block)
    assert calloc(2**62, 8) is None
"""
    )


@keeps
def test_kept_blocks_are_few_and_go_back_at_stop() -> None:
    check(
        NATIVE
        + """
malloc, _, free, _ = DOMAINS["PyObject"]
def blocks():
    return sys.getallocatedblocks()
def churn():
    for length in range(1, 513, 7):
        held = [malloc(length) for _ in range(200)]
        for block in held:
            free(block)
churn()
mt.start()  # the first time it makes its classes
mt.stop()
for _ in range(3):
    before = blocks()
    mt.start()
    churn()
    kept = blocks() - before
    assert 32 * 15 < kept < 32 * 31 + 100, kept
    mt.clear_traces()
    churn()
    assert blocks() - before < 32 * 31 + 100
    mt.stop()
    assert abs(blocks() - before) < 50, (before, blocks())
"""
    )


@keeps
def test_memory_goes_back_to_the_system_as_it_does_without_tracing() -> None:
    code = """
        import memtally
        if TRACED:
            memtally.start()
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096 - memtally.get_tracemalloc_memory()
        held = [bytes(1 + n % 440) for n in range(300_000)]
        most = resident()
        del held
        print(most, resident())
    """
    mib = 1 << 20
    most, least = map(int, check(code.replace("TRACED", "False")).split())
    traced_most, traced_least = map(int, check(code.replace("TRACED", "True")).split())
    assert most - least > 60 * mib
    assert abs(traced_most - most) < 4 * mib, (most, traced_most)
    assert traced_least < least + 6 * mib, (least, traced_least)


@keeps
def test_blocks_are_kept_again_after_several_arenas_went_back_at_once() -> None:
    check(
        """
        import sys
        import memtally as mt
        def freed():
            held = [b"x" * n for n in range(1, 470, 4) for _ in range(20)]
            before = sys.getallocatedblocks()
            held.clear()
            return before - sys.getallocatedblocks()
        older = [bytes(400) for _ in range(50_000)]
        mt.start()
        at_first = freed()
        assert at_first < 118 * 20 - 500, at_first
        del older  # not traced: while many arenas go, nothing is freed that could be kept
        freed()  # and what was kept until now
        then = [freed() for _ in range(4)]
        assert max(then) < 118 * 20 - 500, then
        """
    )


@keeps
@pytest.mark.skipif(sys.version_info < (3, 13), reason="such interpreters can be asked for from 3.13 on")
def test_an_interpreter_with_a_pymalloc_of_its_own_and_a_shared_gil_gets_none_of_them() -> None:
    check(
        """
        import sys, threading, time
        import _interpreters as interpreters
        import memtally as mt
        config = interpreters.new_config(
            "legacy", use_main_obmalloc=False, check_multi_interp_extensions=True, gil="shared"
        )
        CODE = "\\n".join((
            "held = []",
            "for n in range(20_000):",
            "    held.append([n, str(n) * (n % 20), {n: n}])",
            "    if n % 50 == 0: del held[:40]",
        ))
        done = False
        def beside():
            held = []
            while not done:
                held.append([len(held), str(len(held)) * 5])
                if len(held) > 500:
                    del held[:450]
                    time.sleep(0.0002)
        thread = threading.Thread(target=beside)
        mt.start(5)
        thread.start()
        for _ in range(8):
            which = interpreters.create(config)
            error = interpreters.run_string(which, CODE)
            assert error is None, error
            interpreters.destroy(which)
        done = True
        thread.join()
        mt.stop()
        """
    )


@keeps
def test_an_object_in_a_kept_block_has_the_traceback_of_its_own_birth() -> None:
    check(
        """
        import sys
        import memtally as mt
        mt.start(5)
        def one():
            return bytes(300)
        def two():
            return bytes(295)
        for make in (one, two, one, two):
            block = make()
            traceback = mt.get_object_traceback(block)
            assert traceback[-1].lineno == make.__code__.co_firstlineno + 1, make
            line = traceback[-1].lineno
            sizes = [t.size for t in mt.take_snapshot().traces if t.traceback[-1].lineno == line]
            assert len(block) + 33 in sizes, sizes
            where = id(block)
            del block, traceback
        """
    )
