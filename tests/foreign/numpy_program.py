"""What test_numpy.py traces.

    python numpy_program.py tracemalloc|memtally early|late

runs with one tracer, started before or after numpy is imported, and prints as JSON what that tracer reports,
a step at a time: the blocks of numpy's domain, and the large ones of Python's that these lines allocated.
"""

import importlib
import json
import sys
import threading

FRAMES = 5
tracer = importlib.import_module(sys.argv[1])
if sys.argv[2] == "early":
    tracer.start(FRAMES)
numpy = importlib.import_module("numpy")

kept = {}


def make():
    kept["large"] = numpy.zeros(100_000)
    kept["small"] = numpy.arange(17, dtype="i2")
    kept["empty"] = numpy.empty(0)
    kept["text"] = numpy.array(["one", "two"])


def view():
    kept["slice"] = kept["large"][10:20]
    kept["transposed"] = kept["large"].reshape(100, 1000).T
    kept["copied"] = kept["slice"].copy()


def resize():
    array = kept["resized"] = numpy.ones(10)
    array.resize(5000, refcheck=False)
    array.resize(700, refcheck=False)


def drop_with_views():
    del kept["large"], kept["transposed"]  # the slice keeps the memory


def drop_views():
    del kept["slice"]


def free_in_thread():
    kept["theirs"] = [numpy.full(size, 1.5) for size in (10, 1000, 100_000)]
    thread = threading.Thread(target=kept.pop, args=("theirs",))
    thread.start()
    thread.join()


def make_in_thread():
    def work():
        kept["worker's"] = numpy.full(3333, 2.5)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def compute():
    matrix = numpy.linspace(0, 1, 2500).reshape(50, 50)
    kept["product"] = matrix @ matrix.T
    kept["sorted"] = numpy.sort(matrix, axis=0)


LAST_LINE = compute.__code__.co_firstlineno + 10
STEPS = (make, view, resize, drop_with_views, drop_views, free_in_thread, make_in_thread, compute)


def reported():
    """Traces that a step has to do with, those of Python's domain only where they are large."""
    snapshot = tracer.take_snapshot()
    only = snapshot.filter_traces([tracer.Filter(True, __file__, all_frames=True)])
    return sorted(
        [trace.domain, trace.size, [[frame.filename, frame.lineno] for frame in trace.traceback]]
        for trace in only.traces
        if trace.domain != 0 or (trace.size > 4000 and trace.traceback[-1].lineno < LAST_LINE)
    )


def main():
    for step in STEPS:  # numpy's caches and imports are made
        step()
    kept.clear()
    tracer.clear_traces() if tracer.is_tracing() else tracer.start(FRAMES)
    found = []
    for step in STEPS:
        step()
        found.append([step.__name__, reported()])
    kept.clear()
    found.append(["nothing", [row for row in reported() if row[0] != 0]])
    json.dump(found, sys.stdout)


main()
