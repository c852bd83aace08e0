"""Generators resumed from different depths and from different callers, kept suspended and finished."""


def numbers(n):
    held = []
    for x in range(n):
        held.append([x])
        got = yield {"x": x, "held": list(held)}
        if got:
            held.append(
                ("got", [got]),
            )


def resume(generator, depth):
    if depth:
        return resume(generator, depth - 1)
    return next(generator, None)


def resume_and_send(generator, depth):
    if depth:
        extra = [depth]
        return resume_and_send(generator, depth - 1), extra
    return generator.send(
        [depth],
    )


def delegating(depth):
    if depth:
        result = yield from delegating(depth - 1)
        return [result]
    result = yield [1.5]
    result = yield [result, 2.5]
    return [result]


KEEP = []
for depth in (0, 5, 1, 30, 2, 0, 17):
    generator = numbers(12)
    KEEP.append(generator)
    KEEP.append(next(generator))
    for again in (depth, 0, depth + 3, 1):
        KEEP.append(resume(generator, again))
        KEEP.append(resume_and_send(generator, again))
for depth in range(8):
    chain = delegating(depth)
    KEEP.append(chain)
    KEEP.append(resume(chain, depth))
    KEEP.append(resume_and_send(chain, 7 - depth))
    try:
        KEEP.append(chain.send([3]))
    except StopIteration as stop:
        KEEP.append(stop.value)
KEEP.append([list(numbers(4)), tuple(numbers(4)), dict(enumerate(numbers(3)))])


def ping(partner, n):
    while n:
        n -= 1
        yield [n, next(partner, None)]


KEEP.append(list(ping(ping(ping(numbers(9), 8), 6), 4)))
