# ruff: noqa: E501
"""exec with separate globals and locals, own mappings, nested exec, own builtins, and a class body by hand."""

import builtins
import collections

KEEP = []


class Watched(dict):
    def __getitem__(self, name):
        KEEP.append(["get", name])
        return dict.__getitem__(self, name)

    def __setitem__(self, name, value):
        KEEP.append(["set", name, [value]])
        dict.__setitem__(self, name, value)


SOURCE = """
a = [1]
def inner(n):
    b = [n] * 2
    return [b, {n: b}]
for i in range(5):
    a.append(inner2(i) if i > 7 else [i])
class C:
    table = [i for i in [[1], [2]]], {"x": [1.5]}
"""
for kind in (dict, Watched, collections.OrderedDict):
    space = kind()
    exec(SOURCE, {"KEEP": KEEP}, space)
    KEEP.append(space)
plain = {
    "__builtins__": {
        "range": builtins.range,
        "__build_class__": builtins.__build_class__,
        "__name__": "closed",
    }
}
exec(SOURCE, plain)
KEEP.append(plain["inner"](3))
KEEP.append(plain)
exec("exec('exec(\"KEEP.append([[1], {2: [3]}])\")')\nKEEP.append([4])")
