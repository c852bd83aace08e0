# oracle: --no-peak
# ruff: noqa: E501
"""Call paths that never come again: code made by exec under new names, recursion through other lines each time."""

import threading

KEEP = []


def left(bits, depth):
    if depth == 0:
        return [bits]
    return left(bits >> 1, depth - 1) if bits & 1 else right(bits >> 1, depth - 1)


def right(bits, depth):
    if depth == 0:
        return {bits: [bits]}
    made = left(bits >> 1, depth - 1) if bits & 1 else right(bits >> 1, depth - 1)
    return made


def generated(bits, depth):
    if depth == 0:
        yield [bits]
    elif bits & 1:
        yield from generated(bits >> 1, depth - 1)
    else:
        for item in generated(bits >> 1, depth - 1):
            yield item


def wander(start, count):
    for n in range(start, start + count):
        held = left(n * 40503 & 0xFFFF, 16)
        more = next(generated(n * 40503 & 0x3FF, 10))
        if n % 7 == 0:
            KEEP.append([held, more])
        source = f"def made_{n}(x):\n    return [x, str(x) * 20]\nkept = made_{n}({n})\n"
        namespace = {}
        exec(compile(source, f"made-{n}.py", "exec"), namespace)
        if n % 5 == 0:
            KEEP.append(namespace["kept"])
        if n % 50 == 0:
            del KEEP[::3]


wander(0, 400)
threads = [threading.Thread(target=wander, args=(1000 * n, 150)) for n in range(1, 4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
del threads, thread
