# ruff: noqa: E501
"""Descriptors, properties, __getattr__, operators, __call__, __iter__, __contains__, context managers, __format__."""

import functools

KEEP = []


class Field:
    def __set_name__(self, owner, name):
        self.key = "_" + name

    def __get__(self, instance, owner=None):
        KEEP.append([self.key])
        return self if instance is None else instance.__dict__[self.key]

    def __set__(self, instance, value):
        instance.__dict__[self.key] = [value, {"set": value}]

    def __delete__(self, instance):
        KEEP.append(["deleted", instance.__dict__.pop(self.key)])


class Thing:
    field = Field()

    def __init__(self, n):
        self.n = n
        self.field = [n]

    @property
    def twice(self):
        return [self.n, self.field]

    @functools.cached_property
    def once(self):
        return [[self.n]] * 2

    @classmethod
    def make(cls, n):
        return cls([n])

    @staticmethod
    def helper(n):
        return {n: [n]}

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        KEEP.append(["missing", name])
        return [name]

    def __getattribute__(self, name):
        if name == "watched":
            return [name] * 2
        return object.__getattribute__(self, name)

    def __add__(self, other):
        return [self.n, [other]]

    __radd__ = __mul__ = __add__

    def __getitem__(self, key):
        return [key]

    def __call__(self, *args, **keywords):
        return [args, keywords]

    def __iter__(self):
        yield [1]
        yield {2: [3]}

    def __len__(self):
        KEEP.append(["len"])
        return 3

    def __contains__(self, item):
        KEEP.append([item])
        return True

    def __enter__(self):
        return [self]

    def __exit__(self, *error):
        KEEP.append([error])
        return True

    def __format__(self, spec):
        return "f" * 50 + spec

    def __str__(self):
        return "s" * 60

    def __index__(self):
        KEEP.append(["index"])
        return 2


for n in range(10):
    thing = Thing(n)
    KEEP.append(
        [thing, thing.twice, thing.once, thing.unknown, thing.watched, Thing.make(n), Thing.helper(n)]
    )
    KEEP.append([thing + 1, 1 + thing, thing * [2], thing[n], thing[1 : [n]], thing(n, a=[n]), [*thing]])
    KEEP.append([len(thing), n in thing, f"{thing:>5}", str(thing), [0, 1, 2, 3][thing], {**{"a": [n]}}])
    with thing as held:
        KEEP.append(held)
        raise ValueError([n])
    del thing.field
    (first, second), *rest = [list(thing), [n], n]
    KEEP.append([first, second, rest])
