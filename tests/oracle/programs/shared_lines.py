# fmt: off
# ruff: noqa: E501
"""Several functions and lambdas on one line, statements over many lines, and lines far apart."""

KEEP = []
a, b, c = lambda x: [x], lambda x: [[x], a(x)], lambda x: {x: b(x)}
for n in range(10): KEEP.append(a(n)); KEEP.append([b(n), c(n)])  # noqa: E701, E702
pair = (lambda f, g: [f(1), g(2)])(lambda x: [x, [y for y in range(x)]], lambda x: {x: (lambda z: [z])(x)})
KEEP.append(pair)


def spread(x):
    return [
        a(
            x,
        ),
        [
            b(x)
            for x in range(
                3,
            )
        ],
        (
            lambda: [
                c(x),
                f"{[x]!r}"
                f"{a(x)}",
            ]
        )(),
        x
        + 0.5,
        {
            "key": a(x)
            if x % 2
            else b(x),
            **c(
                x,
            ),
        },
    ]


KEEP += [spread(n) for n in range(10)]
namespace = {"KEEP": KEEP}
exec(compile("\n" * 40000 + "def far(x):\n" + "\n" * 3000 + "    return [x,\n" + "\n" * 500 + " [x]]", "far.py", "exec"), namespace)
KEEP += [namespace["far"](n) for n in range(5)]
backwards = """
def wrapped(
        x,
        f=lambda: [1]):
    @decorate
    @decorate
    def inner(
            y=[x]):
        return [y,
          f(), [
 x]]
    return inner
def decorate(f):
    KEEP.append([f])
    return lambda *args: [f(*args)]
"""
exec(backwards, namespace)
KEEP += [namespace["wrapped"](n)() for n in range(4)]
match [1, {"k": [2, 3]}]:
    case [x, {"k": [*rest]}]:
        KEEP.append(
            [x, rest]
        )
assert KEEP, [1]
