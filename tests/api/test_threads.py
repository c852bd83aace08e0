"""A snapshot is used from several threads at once, also while tracing goes on, and each sees the same."""

import concurrent.futures
import pickle
import sys
import threading

import pytest

import memtally

THREADS = 6
ROUNDS = 3


def nested(depth, size):
    return nested(depth - 1, size) if depth else bytes(size)


@pytest.fixture(autouse=True)
def switching_all_the_time():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def snapshots(tmp_path):
    """Makers of equal pairs of snapshots, new and untouched: nothing is decoded, counted or read yet."""
    memtally.start(8)
    keep = [nested(i % 12, 100 + i % 50) for i in range(2000)]
    old = memtally.take_snapshot()
    keep += [nested(i % 15, 100 + i % 70) for i in range(1000)]
    new = memtally.take_snapshot()
    memtally.stop()
    for name, snapshot in (("old", old), ("new", new)):
        snapshot.dump(tmp_path / name)
    return {
        "in memory": lambda: (new.filter_traces([]), old.filter_traces([])),
        "from files": lambda: tuple(memtally.Snapshot.load(tmp_path / name) for name in ("new", "old")),
        "from tuples": lambda: tuple(memtally.Snapshot(each.traces._traces, 8) for each in (new, old)),
    }


def texts(values):
    return [str(value) for value in values]


def tree_of(branch):
    return [(str(branch.frame), branch.size, branch.own_size, [tree_of(child) for child in branch])]


TASKS = {
    "statistics": lambda new, old: texts(new.statistics("lineno")),
    "functions": lambda new, old: [
        each.traceback[0].function for each in new.filter_traces([]).statistics("function")
    ],
    "tracebacks": lambda new, old: [each.traceback.format() for each in new.statistics("traceback")],
    "cumulative": lambda new, old: texts(new.statistics("filename", True)),
    "differences": lambda new, old: texts(new.compare_to(old, "traceback")),
    "subtraction": lambda new, old: [trace.size for trace in (new - old).traces],
    "filters": lambda new, old: len(
        new.filter_traces([memtally.Filter(True, "*.py", all_frames=True, function="n*d")]).traces
    ),
    "iteration": lambda new, old: [(trace.size, len(trace.traceback)) for trace in new.traces],
    "indexing": lambda new, old: [repr(new.traces[i]) for i in range(0, len(new.traces), 37)],
    "membership": lambda new, old: new.traces[7] in new.traces,
    "raw": lambda new, old: new.traces._traces,
    "tree": lambda new, old: tree_of(new.tree()),
    "merge": lambda new, old: texts(memtally.Snapshot.merge({"a": new, "b": old}).statistics("process")),
    "standard": lambda new, old: texts(new.to_tracemalloc().statistics("lineno")),
    "pickle": lambda new, old: texts(pickle.loads(pickle.dumps(new)).statistics("lineno")),
}


@pytest.mark.parametrize("kind", ["in memory", "from files", "from tuples"])
def test_threads_see_what_one_alone_would_see(snapshots, kind):
    make = snapshots[kind]
    expected = {name: task(*make()) for name, task in TASKS.items()}
    for _ in range(ROUNDS):
        new, old = make()
        start = threading.Barrier(THREADS)

        def work(shift, new=new, old=old, start=start):
            names = list(TASKS)
            start.wait()
            return {name: TASKS[name](new, old) for name in names[shift:] + names[:shift]}

        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            for found in pool.map(work, [2 * shift for shift in range(THREADS)]):
                for name in TASKS:
                    assert found[name] == expected[name], name


def test_threads_use_a_snapshot_while_others_are_traced_and_taken(snapshots):
    new, old = snapshots["in memory"]()
    expected = {name: task(new, old) for name, task in TASKS.items()}
    done = threading.Event()

    def trace():
        taken, i = [], 0
        while not done.is_set():
            code = compile(f"x = [bytes(n) for n in range({i % 40})]", f"generated_{i}.py", "exec")
            exec(code, {})
            taken = [memtally.take_snapshot(), *taken[:3]]
            i += 1
        return taken

    memtally.start(8)
    try:
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            tracing = [pool.submit(trace) for _ in range(2)]
            found = {name: task(new, old) for name, task in TASKS.items()}
            done.set()
            for future in tracing:
                assert len(future.result()) > 0
    finally:
        done.set()
        memtally.stop()
    for name in TASKS:
        assert found[name] == expected[name], name


def test_traces_may_be_replaced_while_others_use_them(snapshots):
    new, old = snapshots["in memory"]()
    replacement = old.traces._traces
    sizes = {sum(trace[1] for trace in raw) for raw in (new.traces._traces, replacement)}
    done = threading.Event()

    def replace():
        while not done.is_set():
            new.traces._traces = replacement

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for task in (
            lambda: sum(trace.size for trace in new.traces),
            lambda: sum(each.size for each in new.statistics("lineno")),
            lambda: new.tree().size,
            lambda: sum(trace.size for trace in new.filter_traces([]).traces),
        ):
            for _ in range(5):
                assert task() in sizes
    finally:
        done.set()
        thread.join()
