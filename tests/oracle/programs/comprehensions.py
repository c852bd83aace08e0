"""Comprehensions of every kind, nested, over several lines, with calls and conditions inside."""


def wrap(value):
    return [value, str(value) * 3]


class Matrix:
    rows = [[float(x * y) for x in range(4)] for y in range(4)]
    doubled = {x: [y * 2.5 for y in range(x)] for x in range(4)}


def local(n):
    outer = [n]
    return [
        (
            wrap(x),
            [outer + [y] for y in range(x)],
        )
        for x in range(n)
        if x % 2
        for _ in range(2)
    ]


KEEP = [
    [wrap(x) for x in range(20)],
    {x: wrap(x) for x in range(20)},
    {(x, str(x)) for x in range(300)},
    list(wrap(x) for x in range(20)),
    [[[z + 0.5 for z in range(3)] for y in range(3)] for x in range(3)],
    [lambda x=x: x for x in range(10)],
    [value for x in range(10) if (value := wrap(x))],
    local(9),
    Matrix,
]
