"""Loops that run long enough to be compiled where there is a JIT, with allocations in and below them."""

KEPT = []


def inlined(i):
    return [i, (i, i + 0.5)]


def produced(n):
    for i in range(n):
        yield {
            "i": i,
            "text": "s" * (i % 50 + 40),
        }


class Box:
    def __init__(self, value):
        self.value = value
        self.held = [value]

    @property
    def twice(self):
        return (
            self.value,
            [self.value],
        )


def work(n):
    text = "some text"
    number = 1.5
    for i in range(n):
        number = number * 1.0001 + i
        joined = text + text + str(i)
        KEPT.append(number)
        KEPT.append(joined)
        pair = (
            i,
            joined,
        )
        KEPT.append(pair)
        KEPT.append(inlined(i))
        KEPT.append(Box(pair).twice)
        KEPT.append([x for x in (i, number)])
        if i % 3 == 0:
            KEPT.append({joined: pair})
    for item in produced(n):
        KEPT.append(item)


def recursive(depth):
    if depth == 0:
        return [work(400)]
    return [recursive(depth - 1), depth]


work(3000)
KEPT.append(recursive(20))
work(3000)
