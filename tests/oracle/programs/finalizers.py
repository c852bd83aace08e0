"""weakref callbacks, weakref.finalize, __del__ that allocates, resurrection, and the cycle collector."""

import gc
import weakref

KEEP = []


class Node:
    def __init__(self, name):
        self.name = [name]
        self.other = None

    def __del__(self):
        KEEP.append(["del", self.name])


class Phoenix:
    def __del__(self):
        self.ashes = [len(KEEP)]
        KEEP.append(self)


def called(reference):
    KEEP.append({"callback": [reference]})


def drop(depth, thing):
    if depth:
        return drop(depth - 1, [thing])
    del thing
    return [depth]


for n in range(20):
    node = Node(n)
    KEEP.append(weakref.ref(node, called))
    weakref.finalize(node, KEEP.append, ["finalized", n])
    KEEP.append(drop(n % 6, [node]))
    del node
for n in range(10):
    first, second = Node(n), Node(-n)
    first.other, second.other = second, first
    KEEP.append(weakref.proxy(first, called))
    del first, second
for n in range(5):
    Phoenix()
gc.collect()
table = weakref.WeakValueDictionary()
keys = weakref.WeakKeyDictionary()
for n in range(10):
    node = Node(["weak", n])
    table[n] = node
    keys[node] = [n]
del node
gc.collect()
KEEP += [table, keys]
