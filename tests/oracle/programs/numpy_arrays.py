# oracle: --no-peak
"""numpy, which reports its arrays in a domain of its own: views, resizes, copies, other threads."""

import threading

try:
    import numpy
except ImportError as error:
    raise SystemExit(0 if "numpy" in str(error) else 1) from error

kept = []


def arrays():
    kept.append(numpy.zeros(1000))
    kept.append(numpy.ones((30, 40)))
    kept.append(numpy.arange(17))  # small ones come out of a cache of numpy's
    kept.append(numpy.empty(0))
    kept.append(numpy.array(["text", "longer text"]))
    kept.append(numpy.array([object() for _ in range(20)]))


def views():
    whole = numpy.arange(20_000)
    kept.append(whole[100:200])  # keeps all of it
    kept.append(whole.reshape(100, 200).T)
    kept.append(whole[::7].copy())
    kept.append(memoryview(whole)[10:20])


def resizes():
    for size in (10, 1000, 100_000, 50):
        array = numpy.arange(5)
        array.resize(size, refcheck=False)
        kept.append(array)
        array.resize(size * 2 + 3, refcheck=False)


def freed_elsewhere():
    mine = [numpy.full(size, 7) for size in range(1, 3000, 37)]
    made = []

    def work():
        made.extend(numpy.sqrt(array) for array in mine)
        mine.clear()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    kept.append(made[::5])


def computations():
    matrix = numpy.linspace(0, 1, 2500).reshape(50, 50)
    kept.append(matrix @ matrix.T)
    kept.append(numpy.sort(matrix, axis=0)[::-1])
    kept.append(numpy.concatenate([matrix, matrix]))
    kept.append(numpy.frombuffer(bytes(800)))  # not numpy's memory
    kept.append(numpy.where(matrix > 0.5, matrix, -matrix).sum(axis=1))
    records = numpy.zeros(50, dtype=[("x", "f8"), ("y", "i4")])
    kept.append(records["y"] + 1)


def what_fails():
    try:
        numpy.zeros(1 << 60, dtype="u1")
    except (MemoryError, ValueError):
        kept.append(numpy.zeros(3))


for _ in range(3):
    arrays()
    views()
    resizes()
    freed_elsewhere()
    computations()
    what_fails()
    del kept[::4]
