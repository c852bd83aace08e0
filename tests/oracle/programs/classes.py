# ruff: noqa: E501
"""Classes made in loops, metaclasses, __init_subclass__, __set_name__, slots, enums, ABCs, multiple inheritance."""

import abc
import collections
import enum
import typing

KEEP = []


class Meta(type):
    @classmethod
    def __prepare__(mcs, name, bases, **keywords):
        KEEP.append(["prepare", name])
        return {"prepared": [name]}

    def __new__(mcs, name, bases, space, **keywords):
        space["made"] = [keywords]
        return super().__new__(mcs, name, bases, space)

    def __init__(cls, name, bases, space, **keywords):
        super().__init__(name, bases, space)
        cls.after = {name: [1.5]}

    def __call__(cls, *args):
        thing = super().__call__(*args)
        KEEP.append([thing])
        return thing


class Named:
    def __set_name__(self, owner, name):
        self.name = [owner, name]


class Base(metaclass=Meta, option=[1]):
    registry = []
    attribute = Named()

    def __init_subclass__(cls, **keywords):
        cls.registry.append([cls])
        super().__init_subclass__()

    def __init__(self, value=None):
        self.value = [value]


class Slotted:
    __slots__ = ("a", "b", "__weakref__")

    def __init__(self, a):
        self.a, self.b = [a], {"b": a}


class Colour(enum.Enum):
    RED = 1
    GREEN = 2
    BOTH = RED | GREEN


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


def make(n):
    class Local(Base, option=[n]):
        table = [[n], float(n)]
        attribute = Named()

        def method(self):
            return [n, super().__repr__]

        class Inner:
            deep = [[n]]

    return Local


for n in range(12):
    kind = make(n)
    KEEP.append([kind, kind(n), kind(n).method(), kind.Inner()])
KEEP.append([type("Dynamic" + str(n), (Base,), {"x": [n]})() for n in range(6)])
KEEP.append([Slotted(n) for n in range(30)])
KEEP.append([Colour, list(Colour), collections.namedtuple("Point", "x y")(1.5, [2])])
KEEP.append(type("Square", (Shape,), {"area": lambda self: [4.5]})().area())
KEEP.append(typing.NamedTuple("Row", [("a", int), ("b", list)])(1, [2]))


class Typed(typing.TypedDict):
    a: "typing.List[int]"


class Generic(typing.Generic[typing.TypeVar("T")]):
    pass


KEEP.append([Typed(a=[1]), Generic[int], Generic[str]()])
