# oracle: --no-peak
"""Threads that allocate, end and are replaced; blocks passed between them; thread ids re-used; locals."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

KEEP = []
local = threading.local()
idents = set()


def build(depth, size):
    if depth:
        return build(depth - 1, size)
    return [bytes(size), {depth: [size]}, float(size)]


def work(number):
    idents.add(threading.get_ident())
    local.mine = [number]
    kept = [build(number % 7, 10 + size) for size in range(50)]
    del kept[::3]
    KEEP.append((number, kept))


for round_number in range(6):
    threads = [threading.Thread(target=work, args=(round_number * 4 + n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
for number in range(15):  # one after the other: the same stack memory and the same ident again
    thread = threading.Thread(target=work, args=(number,))
    thread.start()
    thread.join()

tubes = [queue.Queue() for _ in range(3)]


def pass_on(source, target):
    while (item := source.get()) is not None:
        target.put([item, {"by": threading.current_thread().name}])
    target.put(None)


pipeline = [threading.Thread(target=pass_on, args=pair) for pair in zip(tubes, tubes[1:])]
for thread in pipeline:
    thread.start()
for number in range(60):
    tubes[0].put([number])
tubes[0].put(None)
for thread in pipeline:
    thread.join()
while (item := tubes[2].get()) is not None:
    KEEP.append(item)
with ThreadPoolExecutor(3) as pool:
    KEEP.extend(pool.map(lambda n: build(n % 5, n), range(40)))
