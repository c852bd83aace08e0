"""Free-list re-use of floats, tuples, lists, dicts, slices, contexts, methods and frames at other lines."""

import contextvars

KEEP = []


def make(n):
    return [float(n) + 0.5, (n, n), [n], {"n": n}, [], {}, (n,), (n, n, n, n, n), n * 1.5]


def make_elsewhere(n):
    kept = []
    kept.append(n + 0.25)
    kept.append((n, "x"))
    kept.append([n, n])
    kept.append({"other": n})
    kept.append(tuple([n] * 7))
    kept.append(slice(n, n + 1000))
    kept.append(kept.append)
    kept.append(contextvars.copy_context())
    kept.append(list((n,)))
    kept.append(dict(a=n))
    kept.append(tuple(x for x in range(n % 22)))
    return kept


for n in range(60):
    dropped = [make(n) for _ in range(10)]
    KEEP.append(make_elsewhere(n))
    del dropped[3:]
    KEEP.append([make_elsewhere(n), dropped])
    del dropped
    (a, b), [c, d] = (n, [n]), [n + 0.5, {"n": n}]
    KEEP.append([a, b, c, d])
    if n % 4 == 0:
        del KEEP[n : n + 3]
temporaries = 0.0
for n in range(500):
    temporaries = temporaries * 1.0001 + n * 0.5
    pair = (n, temporaries)
    left, right = pair
    for index, value in enumerate([left, right]):
        last = (index, value)
    for both in zip([1, 2], [3, 4]):
        KEEP.append(both)
KEEP.append([temporaries, pair, last])


def churn(depth):
    local = [[depth], (depth,), depth * 0.5]
    if depth:
        churn(depth - 1)
        return [local[0]]
    return local


for n in range(40):
    churn(n)
    KEEP.append(churn(40 - n))
