"""The program of the oracle's self-test: one block of a size that nothing else has."""


def make(depth):
    if depth:
        return make(depth - 1)
    return b"x" * (54321 - 33)


KEEP = [make(4), [object() for _ in range(100)], tuple(range(17))]
