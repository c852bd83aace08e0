"""Programs of every kind, each a function that calls `look` from wherever Python code can run.

They are run in turn by test_frames.py, and with the JIT by running this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import gc
import re
import sys
import threading
import weakref
from collections.abc import Callable

Look = Callable[[], object]


def calls(look: Look) -> None:
    def inner(depth: int, *rest: int, **named: int) -> None:
        look()
        if depth:
            inner(depth - 1, *rest, **named)
        look()

    inner(30)
    inner(3, 1, 2, a=3)
    (lambda: look())()


def closures(look: Look) -> None:
    cell = [1]

    def outer(x: int) -> Callable[[], object]:
        def inner() -> object:
            return look(), x, cell

        look()
        return inner

    outer(1)()


def classes(look: Look) -> None:
    class Meta(type):
        def __new__(cls, *arguments: object) -> Meta:
            look()
            return super().__new__(cls, *arguments)  # type: ignore[call-overload]

    class Body(metaclass=Meta):
        look()

        def __init__(self) -> None:
            look()

        def __del__(self) -> None:
            look()

        @property
        def item(self) -> int:
            look()
            return 1

        def __getattr__(self, name: str) -> str:
            look()
            return name

        def __eq__(self, other: object) -> bool:
            look()
            return True

        __hash__ = None  # type: ignore[assignment]

    for _ in range(100):  # so that CPython specialises the calls
        body = Body()
        assert body.item == 1
        assert body.absent == "absent"
        assert body == 5
        del body


def generators(look: Look) -> None:
    def leaf() -> object:
        look()
        try:
            yield look()
        except ValueError:
            look()
            yield 2
        finally:
            look()

    def middle() -> object:
        yield from leaf()

    def top() -> object:
        yield from middle()

    for depth in (0, 3):

        def start(n: int = depth) -> object:
            return start(n - 1) if n else next(generator)

        generator = top()
        start()
        generator.throw(ValueError)
        generator.close()
        list(top())
        list(look() for _ in range(3))


def coroutines(look: Look) -> None:
    class Manager:
        async def __aenter__(self) -> None:
            look()

        async def __aexit__(self, *unused: object) -> None:
            await asyncio.sleep(0)
            look()

    async def numbers() -> object:
        for i in range(3):
            look()
            yield i

    async def work(depth: int) -> None:
        look()
        if depth:
            await work(depth - 1)
        async with Manager():
            async for _ in numbers():
                look()
        assert [look() async for _ in numbers()]

    async def main() -> None:
        await asyncio.gather(work(0), work(3))
        task = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        task.add_done_callback(lambda _: look())
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


def f_with_names() -> None:
    x = [1]
    look()  # type: ignore[name-defined] # noqa: F821
    del x


def strings_of_code(look: Look) -> None:
    exec("look()\n\n\nlook()", {"look": look})
    eval("[look() for _ in (1, 2)]", {"look": look})
    names: dict[str, object] = {}
    exec("def f(look):\n    x = 1\n    look()\n    return locals()", names)
    assert names["f"](look)["x"] == 1  # type: ignore[operator]
    exec(f_with_names.__code__, {"look": look}, {})  # optimised code with a namespace of its own
    exec("class C:\n    look()\n    [look() for _ in range(2)]", {"look": look})


def callbacks(look: Look) -> None:
    sorted([3, 1, 2], key=lambda x: (look(), x)[1])
    list(map(lambda _: look(), range(3)))
    re.sub("a", lambda match: (look(), "b")[1], "banana")
    functools.reduce(lambda a, b: (look(), b)[1], range(3))
    functools.partial(look)()
    kept = type("Referent", (), {})()
    reference = weakref.ref(kept, lambda _: look())
    del kept
    assert reference() is None
    prototype = ctypes.CFUNCTYPE(ctypes.c_int)
    prototype(lambda: (look(), 3)[1])()
    cycle: list[object] = []

    class Ending:
        def __del__(self) -> None:
            look()

    cycle.append([cycle, Ending()])
    del cycle
    gc.collect()


def exceptions(look: Look) -> None:
    @contextlib.contextmanager
    def manager() -> object:
        try:
            yield look()
        finally:
            look()

    def fail() -> None:
        try:
            raise ValueError(look())
        finally:
            look()

    with contextlib.suppress(ValueError), manager():
        fail()
    try:
        fail()
    except ValueError as error:
        look()
        assert error.__traceback__ is not None
        assert error.__traceback__.tb_frame.f_code is exceptions.__code__


def frame_objects(look: Look) -> None:
    def inner() -> dict[str, object]:
        x = 1
        frame = sys._getframe()
        look()
        assert frame.f_locals["x"] == x
        look()
        return locals()

    inner()


def tracing(look: Look) -> None:
    def trace(frame: object, event: str, argument: object) -> object:
        look()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        calls(lambda: None)
    finally:
        sys.settrace(before)


def threads(look: Look) -> None:
    workers = [threading.Thread(target=calls, args=(look,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def recursion(look: Look) -> None:
    def down(depth: int) -> None:
        if depth:
            down(depth - 1)
        else:
            look()

    down(900)

    def without_end() -> None:
        without_end()

    with contextlib.suppress(RecursionError):
        without_end()
    look()


def hot_loops(look: Look) -> None:
    def inlined(i: int) -> list[object]:
        made = [i, (i, [i])]
        if i % 500 == 0:
            look()
        return made

    def produce(n: int) -> object:
        for i in range(n):
            yield inlined(i)

    total = 0
    for i in range(6000):
        total += len(inlined(i))
        if i % 700 == 0:
            look()
    for made in produce(6000):
        total += len(made)
    assert total == 24000


KINDS: tuple[Callable[[Look], None], ...] = (
    calls,
    closures,
    classes,
    generators,
    coroutines,
    strings_of_code,
    callbacks,
    exceptions,
    frame_objects,
    tracing,
    threads,
    recursion,
    hot_loops,
)


if __name__ == "__main__":
    import checking

    for kind in KINDS:
        kind(checking.check)
    print("looked at", checking.looked_at)
