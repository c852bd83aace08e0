# oracle: --no-peak
"""asyncio: tasks, gather, queues, timers, cancellation, executors, async context managers and generators."""

import asyncio
import contextlib

KEEP = []


@contextlib.asynccontextmanager
async def resource(name):
    held = [name]
    await asyncio.sleep(0)
    try:
        yield held
    finally:
        await asyncio.sleep(0)
        KEEP.append({"closed": held})


async def worker(number, queue):
    while True:
        item = await queue.get()
        if item is None:
            return [number, {"worker": number}]
        async with resource(item) as held:
            KEEP.append([held, item, str(item) * 5])
        await asyncio.sleep(0)


async def doomed():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        KEEP.append(["cancelled", [1, 2, 3]])
        raise


async def counter(n):
    for x in range(n):
        await asyncio.sleep(0)
        yield [x]


async def main():
    queue = asyncio.Queue(4)
    workers = [asyncio.create_task(worker(n, queue)) for n in range(4)]
    for n in range(30):
        await queue.put(n)
    for _ in workers:
        await queue.put(None)
    KEEP.append(await asyncio.gather(*workers))
    task = asyncio.ensure_future(doomed())
    await asyncio.sleep(0)
    task.cancel()
    KEEP.append(await asyncio.gather(task, return_exceptions=True))
    KEEP.append([item async for item in counter(5)])
    loop = asyncio.get_running_loop()
    KEEP.append(await loop.run_in_executor(None, lambda: [[x] for x in range(20)]))
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.sleep(10), 0.01)
    future = loop.create_future()
    loop.call_soon(lambda: future.set_result([[9]]))
    KEEP.append(await future)


KEEP.append(asyncio.run(main()))
