"""Counter, defaultdict, ChainMap, OrderedDict, deque, heapq, UserDict: Python and C halves of containers."""

import collections
import heapq
import itertools

KEEP = []


class Missing(dict):
    def __missing__(self, key):
        self[key] = [key]
        return self[key]


class User(collections.UserDict):
    def __setitem__(self, key, value):
        super().__setitem__(key, [value])


def factory():
    return [[1.5]]


counter = collections.Counter("the quick brown fox" * 5)
table = collections.defaultdict(factory)
missing = Missing()
user = User()
ordered = collections.OrderedDict()
for n in range(100):
    table[n % 30].append([n])
    missing[n % 20].append([n])
    user[n] = n
    ordered[n] = [n]
    ordered.move_to_end(n // 2, last=n % 3 > 0) if n // 2 in ordered else None
    if n % 9 == 0:
        ordered.popitem(last=False)
KEEP += [counter, counter.most_common(5), counter + counter, table, missing, user, ordered]
KEEP.append(collections.ChainMap({"a": [1]}, {"b": [2]}).new_child({"c": [3]}))
heap = []
for n in range(100):
    heapq.heappush(heap, (n * 37 % 101, [n]))
KEEP.append([heapq.heappop(heap) for _ in range(30)])
KEEP.append([heap, heapq.nsmallest(5, heap, key=lambda pair: [pair[0]]), list(heapq.merge([1, 3], [2, 4]))])
KEEP.append(
    [
        list(itertools.permutations("abcd")),
        list(itertools.product([1, 2], repeat=4)),
        list(itertools.combinations(range(6), 3)),
        itertools.tee(iter([[1], [2]])),
    ]
)
chain = itertools.chain.from_iterable([[n] * n for n in range(10)])
KEEP.append([next(chain), chain, list(itertools.islice(itertools.cycle([[1], [2]]), 10))])
