"""throw() and close() through `await`, awaitables written in Python, and asynchronous generators by hand."""

KEEP = []


class Pause:
    def __init__(self, what):
        self.what = [what]

    def __await__(self):
        try:
            got = yield self.what
        except ValueError as error:
            KEEP.append([error])
            got = yield {"again": [error]}
        return [got]


async def deep(n):
    try:
        if n:
            return [await deep(n - 1)]
        return await Pause(n)
    except KeyError as error:
        KEEP.append((n, [error]))
        await Pause("recover")
        raise
    finally:
        KEEP.append([n] * 4)


async def agen(n):
    for x in range(n):
        try:
            yield [x, [x]]
        except ValueError:
            yield ["thrown", x]
        finally:
            KEEP.append([x * 1.5])


async def use(n):
    return [item async for item in agen(n)], {k: [k] async for k, _ in agen(n)}


def drive(coroutine, send=None, depth=0):
    if depth:
        return drive(coroutine, send, depth - 1)
    try:
        return coroutine.send(send)
    except StopIteration as stop:
        return ["done", stop.value]
    except StopAsyncIteration as end:
        return [end]


for n in (0, 1, 4, 9):
    coroutine = deep(n)
    KEEP += [coroutine, drive(coroutine, None, n)]
    KEEP.append(coroutine.throw(ValueError(n)))
    KEEP.append(drive(coroutine, [n], 9 - n))
    coroutine = deep(n)
    KEEP += [coroutine, drive(coroutine)]
    try:
        KEEP.append(coroutine.throw(KeyError(n)))
        while True:
            KEEP.append(coroutine.send([2.5]))
    except (KeyError, StopIteration) as error:
        KEEP.append(error)
    coroutine = deep(n)
    KEEP.append(drive(coroutine))
    coroutine.close()
for n in (1, 3):
    KEEP.append(drive(use(n)))
    asynchronous = agen(n)
    KEEP += [asynchronous, drive(asynchronous.__anext__()), drive(asynchronous.asend([1]))]
    KEEP.append(drive(asynchronous.athrow(ValueError("late")) if n == 3 else asynchronous.aclose()))
    unfinished = agen(4)
    KEEP += [unfinished, drive(unfinished.__anext__())]
