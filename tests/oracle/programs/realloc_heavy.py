# ruff: noqa: E501
"""Blocks that grow, shrink, move and stay: lists, bytearrays, strings, dicts, sets, io buffers, arrays, join."""

import array
import collections
import io

KEEP = []


def grow(n):
    out = []
    for x in range(n):
        out.append(x)
    return out


def grow_and_shrink(n):
    out = bytearray()
    for x in range(n):
        out += b"some bytes " * (x % 7)
        if x % 5 == 0:
            del out[: len(out) // 2]
    return out


for n in (1, 10, 100, 1000, 20000):
    KEEP.append(grow(n))
    KEEP.append(grow_and_shrink(min(n, 1500)))
    text = ""
    for x in range(min(n, 400)):
        text += "abc" * (x % 4)
    KEEP.append(text)
    shrinking = list(range(n))
    while len(shrinking) > n // 3:
        shrinking.pop()
    KEEP.append(shrinking)
    table = {x: [x] for x in range(min(n, 500))}
    for x in list(table)[::2]:
        del table[x]
    table.update({str(x): x for x in range(min(n, 300))})
    KEEP.append(table)
    members = set()
    for x in range(min(n, 3000)):
        members.add(str(x))
    members -= {str(x) for x in range(0, min(n, 3000), 3)}
    KEEP.append(members)
    numbers = array.array("d")
    for x in range(min(n, 3000)):
        numbers.append(x)
    KEEP.append(numbers)
    stream = io.BytesIO()
    for x in range(min(n, 500)):
        stream.write(b"line %d\n" % x)
    stream.truncate(n // 2)
    KEEP.append([stream, stream.getvalue()])
    writer = io.StringIO()
    for x in range(min(n, 500)):
        writer.write("line %d é\n" % x)
    KEEP.append([writer, writer.getvalue(), "-".join(map(str, range(min(n, 500))))])
queue = collections.deque(maxlen=50)
for n in range(300):
    queue.append([n])
KEEP.append(queue)
KEEP.append(b"".join(bytes([n % 256]) * n for n in range(200)))
big = bytearray(100)
for size in (200, 500, 512, 513, 4000, 300_000, 1_000_000, 40, 0, 600, 70_000):
    big.extend(bytes(max(0, size - len(big))))
    del big[size:]
    KEEP.append(bytes(size % 1000))
KEEP.append(big)
values = [n for n in range(5000)]
values[100:200] = []
values[50:50] = range(3000)
values.sort(key=lambda v: -v)
values *= 2
KEEP.append(values)
