"""When Python has no memory at one point, an operation raises MemoryError and leaves all usable."""

import subprocess
import sys

import pytest

pytest.importorskip("_testcapi", reason="_testcapi makes Python's allocators fail")

PROGRAM = """
import faulthandler, gc, os, pickle, sys, tempfile
import _testcapi
import fnmatch, json, linecache, copyreg  # imported once, not while memory fails
import memtally as m
import memtally

faulthandler.enable()
RAW = [(i % 2, i % 7, ((f"f{i % 5}.py", i % 9 + 1), ("main.py", i)), 2) for i in range(40)]
ODD = [(0, -1, (("a", 1),), 1), (0, 1 << 70, (("b", 1),), 1)]
path = os.path.join(tempfile.mkdtemp(), "snapshot")
m.Snapshot(RAW, 2).dump(path)


def columnar():
    return m.Snapshot.load(path)


s, pickled = columnar(), pickle.dumps(columnar())
filters = [m.Filter(True, "f*", 3, True), m.DomainFilter(False, 1)]


class Own(m.BaseFilter):
    def _match(self, trace):
        return trace[1] > 3


own = [Own(True)]
statistic, change = s.statistics("traceback")[0], s.compare_to(m.Snapshot([], 1), "lineno")[0]
OPERATIONS = {
    "load": columnar,
    "dump": lambda: s.dump(path),
    "statistics": lambda: columnar().statistics("lineno")[0].traceback[0].filename,
    "str": lambda: (str(statistic), repr(statistic), str(change), repr(change)),
    "compare": lambda: s.compare_to(columnar(), "function"),
    "filter": lambda: s.filter_traces(filters),
    "own filter": lambda: s.filter_traces(own),
    "iterate": lambda: [trace.traceback for trace in columnar().traces],
    "index": lambda: columnar().traces[5:30:3],
    "contains": lambda: (s.traces[9] in s.traces, s.traces == columnar().traces),
    "raw list": lambda: columnar().traces._traces,
    "from raw": lambda: m.Snapshot(RAW, 2).statistics("domain"),
    "odd": lambda: m.Snapshot(ODD, 2).statistics("filename", True),
    "odd compare": lambda: m.Snapshot(ODD, 2).compare_to(m.Snapshot(RAW, 2), "traceback"),
    "filter raw": lambda: m.Snapshot(RAW, 2).filter_traces(filters),
    "format": lambda: m.Traceback((("a.py", 1), ("b.py", 2))).format(-1, True),
    "order": lambda: sorted([trace.traceback for trace in columnar().traces]),
    "hash": lambda: {trace: hash(trace.traceback) for trace in columnar().traces},
    "pickle": lambda: pickle.dumps(s),
    "unpickle": lambda: pickle.loads(pickled).traces[3],
    "objects": lambda: (m.Frame(("a", 1)), m.Trace((0, 1, ())), m.Statistic(1, 2, 3), m.Filter(True, "a")),
    "trace": lambda: (m.start(3), bytearray(9999), m.take_snapshot().statistics("lineno"), m.stop()),
}
operation = OPERATIONS[sys.argv[1]]
operation()
failures, quiet = 0, 0
for first in range(3000):
    error = None
    _testcapi.set_nomemory(first, first + 1)
    try:
        operation()
    except BaseException as caught:
        error = caught
    finally:
        _testcapi.remove_mem_hooks()
    m.stop()
    if error is None:
        quiet += 1
        if quiet > 60:
            break
    elif isinstance(error, MemoryError):
        failures, quiet = failures + 1, 0
    else:
        raise error
    del error
operation()
gc.collect()
assert columnar().traces == m.Snapshot(RAW, 2).traces
print("failures", failures)
"""
NAMES = [line.split('"')[1] for line in PROGRAM.splitlines() if line.startswith('    "') and "lambda" in line]


@pytest.mark.parametrize("name", ["load", *NAMES])
def test_every_operation_survives_the_failure_of_any_allocation(name):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name], capture_output=True, text=True, timeout=250, errors="replace"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[1]) > 2
