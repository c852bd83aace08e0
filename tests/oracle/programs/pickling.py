"""pickle and copy with reducers, persistent ids, __setstate__, protocol 0 to 5, marshal, shelve-like use."""

import copy
import copyreg
import io
import marshal
import pickle

KEEP = []


class Plain:
    def __init__(self, n):
        self.n, self.rest = n, [n, {"n": (n,)}]


class Reduced:
    def __init__(self, n):
        self.n = [n]

    def __reduce__(self):
        KEEP.append(["reduce", self.n])
        return rebuild, (self.n,), {"state": [self.n]}

    def __setstate__(self, state):
        self.__dict__.update(state, restored=[state])


class WithGetstate(Plain):
    def __getstate__(self):
        return {"n": [self.n], "rest": {}}

    def __deepcopy__(self, memo):
        return [copy.deepcopy(self.rest, memo)]


class Registered:
    def __init__(self, n):
        self.n = n


def rebuild(n):
    made = Reduced(n)
    made.extra = [[n]]
    return made


copyreg.pickle(Registered, lambda thing: (Registered, ([thing.n],)))


class Pickler(pickle.Pickler):
    def persistent_id(self, thing):
        return thing[1:] if type(thing) is str and thing.startswith("!") else None


class Unpickler(pickle.Unpickler):
    def persistent_load(self, name):
        return "loaded " + name


things = [[Plain(n), Reduced(n), WithGetstate(n), Registered(n), {n: (n, float(n))}] for n in range(20)]
for protocol in range(6):
    data = pickle.dumps(things, protocol)
    KEEP.append([data, pickle.loads(data)])
KEEP.append([copy.deepcopy(things), copy.copy(things[0][0])])
stream = io.BytesIO()
Pickler(stream, 4).dump(["!one", "two", {"!three": ["!four"]}])
stream.seek(0)
KEEP.append(Unpickler(stream).load())
KEEP.append(marshal.loads(marshal.dumps([1.5, "x" * 50, {"a": (1, 2, [3])}])))
KEEP.append(pickle._loads(pickle._dumps(things[:3])))
