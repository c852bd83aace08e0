# ruff: noqa: E501
"""Makes random programs for the oracle: call trees with generators, exceptions, callbacks and allocations.

A program is drawn as a tree of statements by hypothesis, so a failure shrinks to a small one, and written
out as source text. Every program ends: calls only go to functions of higher number or spend shared fuel,
loops are short, and what a statement may raise is caught at the program's top.
"""

from __future__ import annotations

from hypothesis import strategies as st

FUNCTIONS = 6
PROLOGUE = """\
import functools, re
KEEP, POOL, FUEL = [], [], [{fuel}]
class Stop(Exception): pass
class Box:
    def __init__(self, f=None): self.held = [f] if f is None else f(1)
    def __getattr__(self, name): return [name]
    def __del__(self): KEEP.append(["del"])
    @property
    def twice(self): return [self.held, (self.held,)]
def spend():
    FUEL[0] -= 1
    if FUEL[0] < 0: raise Stop([FUEL[0]])
def keep(value):
    KEEP.append(value)
    if len(KEEP) > 4000: del KEEP[::3]
    return value
def resume(n, depth, how):
    if depth: return resume(n, depth - 1, how)
    if not POOL: return None
    g = POOL[n % len(POOL)]
    try:
        if how == 0: return next(g, None)
        if how == 1: return g.send(None)
        if how == 2: return g.throw(ValueError([n]))
        POOL.remove(g); g.close()
    except (StopIteration, ValueError): return [how]
"""

VALUES = st.sampled_from([
    "[x]", "{'k': x}", "(x, [x])", "x + 0.5", "b'b' * (100 + x)", "'s' * (600 + x)", "[x] * 90", "{x, 'y'}",
    "[[y] for y in range(x % 5)]", "{y: [y] for y in range(x % 4)}", "list(map(str, range(x % 7 + 300)))",
    "(lambda: [x])()", "bytearray(x % 900)", "str([x, {x: 1.5}])", "[\n        x,\n        [x]]", "object()",
    "tuple(range(x % 9))", "slice(x, x)", "Box()", "Box().twice", "Box().absent", "(float(x), float(x + 1))",
])  # fmt: skip

CALLS = st.sampled_from([
    "f{n}(x + 1)", "[f{n}(y) for y in range(2)]", "sorted([3, 1, 2], key=f{n}key)", "list(map(f{n}, [x, 2]))",
    "functools.reduce(lambda a, b: [a, f{n}(x)], range(3))", "re.sub('a', lambda m: str(f{n}(x))[:9], 'banana')",
    "Box(f{n})", "(f{n}(x),\n        f{n}(2))", "eval('f{n}(x)', globals(), {{'x': x}})", "list(g{n}(x))",
    "next(g{n}(x), None)", "functools.partial(f{n}, x)()", "{{**{{'a': f{n}(x)}}}}", "[*g{n}(x), f{n}(1)]",
    "exec('keep([f{n}(1)])\\n' + '\\n' * (x % 5) + 'keep([2])')", "max([1, 2], key=f{n}key)",
])  # fmt: skip


def statements(functions: int) -> st.SearchStrategy[list[str]]:
    """Blocks of statements, each a list of source lines without indentation."""
    name = st.integers(0, functions - 1)
    small = st.integers(0, 5)
    simple = st.one_of(
        VALUES.map(lambda value: [f"keep({value})"]),
        VALUES.map(lambda value: [f"a = {value}", "b = a", "a = None", "keep(b)"]),
        VALUES.map(lambda value: [f"{value}"]),
        st.tuples(CALLS, name).map(lambda pair: [f"keep({pair[0].format(n=pair[1])})"]),
        st.tuples(CALLS, name).map(lambda pair: [f"{pair[0].format(n=pair[1])}", "keep([x])"]),
        name.map(lambda n: [f"POOL.append(g{n}(x))"]),
        st.tuples(small, small, st.integers(0, 3)).map(lambda t: [f"keep([resume({t[0]}, {t[1]}, {t[2]})])"]),
        small.map(lambda n: [f"if x % {n + 2} == 0: raise ValueError([x])"]),
        small.map(lambda n: [f"del KEEP[{n}::7]"]),
        st.just(["keep(a := [x]) and a.extend(range(x % 40))"]),
    )

    def wrap(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
        block = st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: [line for part in parts for line in part]
        )
        return st.one_of(
            block.map(lambda body: ["try:", *indent(body), "except ValueError as e:", "    keep([e.args])"]),
            block.map(lambda body: ["try:", *indent(body), "finally:", "    keep(['finally', x])"]),
            block.map(lambda body: ["for y in range(3):", *indent(body)]),
            block.map(lambda body: ["def inner(x):", *indent(body), "    return [x]", "keep(inner(x))"]),
            block.map(lambda body: ["if x % 2:", *indent(body), "else:", "    keep({'else': x})"]),
            block.map(lambda body: ["class C:", "    field = [x]", "    x = 1", *indent(body), "keep(C)"]),
        )

    return st.lists(st.recursive(simple, wrap, max_leaves=6), min_size=1, max_size=5).map(
        lambda parts: [line for part in parts for line in part]
    )


def indent(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def function_text(number: int, body: list[str], generator: list[str]) -> str:
    lines = [
        f"def f{number}(x):",
        "    spend()",
        "    x = x % 97",
        *indent(body),
        f"    return [x, {number}]",
    ]
    lines += [f"def f{number}key(x):", f"    return len(f{number}(x))"]
    lines += [
        f"def g{number}(x):",
        "    spend()",
        "    x = x % 97",
        "    yield [x]",
        *indent(generator),
        "    try:",
        "        got = yield {'x': x}",
        "    except ValueError as e:",
        "        keep([e])",
        f"        yield from g{(number + 1) % FUNCTIONS}(x)",
        "    finally:",
        "        keep(['closed'])",
        "    yield [got, x] if x % 2 else x",
    ]
    return "\n".join(lines)


def main_text(blocks: list[list[str]], threads: bool) -> str:
    lines = []
    for number, block in enumerate(blocks):
        lines += [
            "try:",
            f"    x = {number * 5 + 3}",
            *indent(block),
            "except Exception as e:",
            "    keep([e])",
            "FUEL[0] = max(FUEL[0], 60)",
        ]
    body = "\n".join(lines)
    if not threads:
        return body
    return (
        "import threading\ndef main():\n    global x\n"
        + "\n".join(indent(body.split("\n")))
        + "\nmain()\nfor _ in range(3):\n    t = threading.Thread(target=main)\n    t.start()\n    t.join()"
    )


def programs() -> st.SearchStrategy[str]:
    """The source text of whole programs."""
    body = statements(FUNCTIONS)
    return st.tuples(
        st.lists(body, min_size=FUNCTIONS, max_size=FUNCTIONS),
        st.lists(body, min_size=FUNCTIONS, max_size=FUNCTIONS),
        st.lists(body, min_size=1, max_size=4),
        st.booleans(),
        st.sampled_from([100, 400, 1500]),
    ).map(
        lambda drawn: (
            "\n".join(
                [PROLOGUE.format(fuel=drawn[4])]
                + [function_text(number, *pair) for number, pair in enumerate(zip(drawn[0], drawn[1]))]
                + [main_text(drawn[2], drawn[3])]
            )
            + "\n"
        )
    )
