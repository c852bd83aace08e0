# oracle: --no-peak
# ruff: noqa: E501
"""RAW blocks from threads that CPython never saw and from threads without the GIL, kept, resized and freed."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "extensions"))
import extension_builder

if extension_builder.can_build():
    raise SystemExit(0)
native = extension_builder.load("native_threads")
KEEP = []


def detached(depth, count, size):
    if depth:
        return detached(depth - 1, count, size)
    return native.detached_alloc(count, size)


def work(number):
    mine = detached(number, 10, 200 + number)
    KEEP.append([native.resize_raw(block, 900 + number) for block in mine[:5]])
    native.free_raw(mine[5:8], number % 2 == 0)
    KEEP.append(mine[8:])


KEEP.append(native.foreign_alloc(20, 300))
moved = native.foreign_alloc(20, 310)
KEEP.append([native.resize_raw(block, 5000) for block in moved[:10]])
native.free_raw(moved[10:], True)
threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
native.late_threads(5)
native.call_in_foreign_thread(lambda: KEEP.append([bytes(700), {"a": [1.5]}]), 10)
native.start_churn(3)
KEEP.append([[n] * 3 for n in range(2000)])
native.stop_churn()
