"""Frame memory used again at the same address by another call, from the same and from other lines."""

KEEP = []


def same_shape_a(x):
    kept = [x]
    return kept


def same_shape_b(x):
    fresh = [x]
    return fresh


def caller(x):
    KEEP.append(same_shape_a(x))
    KEEP.append(same_shape_b(x))
    for f in (same_shape_a, same_shape_b, same_shape_a):
        KEEP.append(f(x))
    return [x]


def loop(n):
    for x in range(n):
        same_shape_a(x) if x % 2 else same_shape_b(x)
        KEEP.append(leaf(x))
        KEEP.append(
            leaf(x),
        )


def leaf(x):
    return [x, {x: x}]


def recursive(n):
    if n == 0:
        return [n]
    KEEP.append([n])
    recursive(n - 1)
    KEEP.append([n, n])
    return recursive(n - 1) if n < 3 else [n]


def wide(n):
    if n == 0:
        return leaf(n)
    a, b, c, d, e, f, g, h = [[n] for _ in range(8)]
    KEEP.append(wide(n - 1))
    KEEP.append([a, b, c, d, e, f, g, h])
    return wide_other(n - 1)


def wide_other(n):
    if n <= 0:
        return leaf(n)
    return [wide(n - 1)]


def star(*args, **keywords):
    return [args, keywords]


for n in range(20):
    KEEP.append(caller(n))
    loop(n)
for n in range(6):
    recursive(n)
    KEEP.append(wide(n))
for n in range(30):
    KEEP.append([star(n), star(*range(n)), star(a=n), star(n, b=[n])])
for n in range(3):
    for _ in range(300):
        same_shape_a(n)
    KEEP.append(same_shape_a(n))
    KEEP.append(same_shape_b(n))
