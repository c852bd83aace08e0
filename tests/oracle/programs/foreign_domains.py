# oracle: --no-peak
"""Blocks that an extension reports: twice, in several domains, without the GIL, at odd addresses."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "extensions"))
import extension_builder

if extension_builder.can_build():
    raise SystemExit(0)
foreign = extension_builder.load("foreign_blocks")
WITH_GIL, WITHOUT_GIL, FOREIGN_THREAD = range(3)
WAYS = (WITH_GIL, WITHOUT_GIL, FOREIGN_THREAD)
kept = []


def twice(how):
    for size in (10, 20, 10):
        foreign.track(5, 0x1000 + how, size, how)
    foreign.track(5, 0x2000 + how, 1, how)


def two_domains(how):
    for domain in (1, 2, 389047, 0xFFFFFFFF):
        foreign.track(domain, 0x3000 + how, domain % 1000, how)
    foreign.untrack(2, 0x3000 + how, how)


def unknown(how):
    for domain in (0, 1, 99):
        foreign.untrack(domain, 0x4000, how)
    foreign.untrack(1, 0x1000, how)


def odd_addresses(how):
    for address in (0, 1, 2**47, 2**64 - 1, 2**63 + 0x3000):
        foreign.track(6 + how, address, 3, how)
    foreign.untrack(6 + how, 1, how)
    foreign.track(6 + how, 0x5000, 2**40, how)
    foreign.untrack(6 + how, 0x5000, how)


class Thing:
    pass


def python_domain(how):
    """Extensions may report in domain 0 as well, and even blocks that the allocators know."""
    foreign.track(0, 0x6000 + how, 600, how)
    foreign.track(0, 0x7000 + how, 700, how)
    foreign.untrack(0, 0x7000 + how, how)
    for size in (10, 5000, 1_000_000):
        for untracked in (False, True):
            block = bytearray(size)
            text = bytes(size)
            foreign.track(0, id(text), 12_345, how)
            if untracked:
                foreign.untrack(0, id(text), how)
            kept.append((block, text))
            gone = bytes(size + 100)
            foreign.track(0, id(gone), 54_321, how)
            del gone
            kept.append(bytes(size + 100))
            never = bytes(size + 200)
            foreign.untrack(0, id(never), how)
            kept.append(never)


def recursive(depth, how):
    if depth:
        return recursive(depth - 1, how)
    return foreign.track(8, 0x8000 + how, 8, how)


def in_threads():
    threads = [threading.Thread(target=recursive, args=(number * 3, number)) for number in WAYS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    foreign.churn(4, 3000, 3)


for round_ in range(3):
    for way in WAYS:
        twice(way)
        two_domains(way)
        unknown(way)
        odd_addresses(way)
        python_domain(way)
        recursive(round_ * 10, way)
    in_threads()
    del kept[::3]
