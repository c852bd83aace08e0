# ruff: noqa: E501
"""Dataclass and ordinary __init__ called often enough to be specialised, allocating inside, with errors inside."""

import dataclasses

KEEP = []


@dataclasses.dataclass
class Point:
    x: float
    y: float = 2.5
    tags: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.sum = [[self.x], self.y]


@dataclasses.dataclass(frozen=True, order=True)
class Frozen:
    a: int
    b: tuple = ()


@dataclasses.dataclass(slots=True)
class Slots:
    a: int
    b: list = dataclasses.field(default_factory=lambda: [[1.5]])


class Plain:
    def __init__(self, n):
        self.n = [n]
        self.more = {n: [n]}
        if n % 50 == 49:
            raise ValueError([n])


class Child(Plain):
    def __init__(self, n):
        super().__init__(n)
        self.own = Plain(n + 1) if n % 3 else None


def build(n):
    return [Point(float(n)), Point(n, y=[n], tags=[1]), Frozen(n, (n,)), Slots(n), Plain(n), Child(n)]


for n in range(400):
    try:
        KEEP.append(build(n))
    except ValueError as error:
        KEEP.append(str(error))
KEEP.append(sorted(row[2] for row in KEEP if type(row) is list)[:20])
KEEP.append([dataclasses.asdict(row[0]) for row in KEEP[:30] if type(row) is list])
KEEP.append(dataclasses.replace(KEEP[0][0], x=[1]))
KEEP.append(dataclasses.make_dataclass("Made", ["a", "b"])([1], [2]))
