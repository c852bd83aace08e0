"""What snapshots cost: time, memory and the longest pause, by the number of live blocks.

    python snapshots.py [--blocks N ...] [--paths N] [--frames N] [--json]
                        (default: --blocks 500000 1000000 2000000 --paths 20000 --frames 25)
    python snapshots.py --blocks 50000000       (on a quiet machine with memory for them)

Each size runs in a process of its own, which keeps that many blocks alive (items of about five blocks,
allocated on some --paths call paths), then times each operation once. Growth is that of the process (RSS)
over the operation, with its result still there. The pause is the longest time for which a second thread,
which does nothing but look at the clock, did not get to do so.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

BLOCKS_EACH = 5.5  # of an item: tuple, list and its storage, int, float, sometimes a second tuple


def rss():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Meter:
    def __init__(self):
        self.rows = {}

    def __call__(self, label, operation):
        gc.collect()
        before, began = rss(), time.perf_counter()
        result = operation()
        self.rows[label] = (time.perf_counter() - began, rss() - before)
        return result


def left(bits, depth, i):
    if depth == 0:
        return (i, [i], float(i))
    return (right if bits & 1 else left)(bits >> 1, depth - 1, i)


def right(bits, depth, i):
    if depth == 0:
        return [i], (i, float(i))
    return (left if bits & 1 else right)(bits >> 1, depth - 1, i)


def allocate(items, paths):
    depth = max(paths - 1, 1).bit_length()
    return [left(i * 2654435761 % paths, depth, i) for i in range(items)]


def longest_pause(operation):
    """Seconds for which another thread stood still, beyond what it stands still anyway."""

    def watch():
        last = time.perf_counter()
        while not done.is_set():
            now = time.perf_counter()
            pauses.append(now - last)
            pauses[:] = [max(pauses)]
            last = now

    pauses, done = [0.0], threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    time.sleep(0.05)
    operation()
    done.set()
    watcher.join()
    return pauses[0]


def measure(blocks, paths, frames):
    import memtally

    meter = Meter()
    took = memtally.take_snapshot
    memtally.start(frames)
    keep = meter("allocating, traced", lambda: allocate(int(blocks / BLOCKS_EACH), paths))
    traced = memtally.get_tracemalloc_memory()
    old = meter("take_snapshot", took)
    pause = longest_pause(took)
    keep += allocate(int(blocks / BLOCKS_EACH / 10), paths)
    new = took()
    ten = meter(
        "ten more, a few blocks later each", lambda: [(took(), keep.append([i]))[0] for i in range(10)]
    )
    memtally.stop()
    del ten
    for key in ("filename", "lineno", "function", "traceback"):
        meter(f"statistics {key}", lambda key=key: old.statistics(key))
    meter("statistics lineno, cumulative", lambda: old.statistics("lineno", True))
    for key in ("lineno", "traceback"):
        meter(f"compare_to {key}", lambda key=key: new.compare_to(old, key))
    filters = [memtally.Filter(False, "<frozen*>"), memtally.Filter(True, "*snapshots.py", all_frames=True)]
    meter("filter_traces, two filters", lambda: old.filter_traces(filters))
    meter("tree", old.tree)
    meter("new - old", lambda: new - old)
    meter("merge of two", lambda: memtally.Snapshot.merge({"old": old, "new": new}))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "snapshot")
        meter("dump", lambda: old.dump(path))
        size = os.path.getsize(path)
        meter("load", lambda: memtally.Snapshot.load(path))
        meter("load, then statistics", lambda: memtally.Snapshot.load(path).statistics("lineno"))
        loaded = memtally.Snapshot.load(path)
        meter("compare_to traceback, other file", lambda: new.compare_to(loaded, "traceback"))
    meter("iterating all traces", lambda: sum(trace.size for trace in old.traces))
    rows = len({trace._trace for trace in old.traces}) if blocks <= 2_000_000 else None
    return {
        "traces": len(old.traces),
        "rows": rows,
        "tracebacks": len(old.statistics("traceback")),
        "tracer": traced,
        "file": size,
        "pause": pause,
        "operations": meter.rows,
    }


def show(results):
    print("| |" + "".join(f" {result['traces']:,} traces |" for result in results))
    print("|---|" + "---|" * len(results))
    rows = {
        "distinct tracebacks": [f"{result['tracebacks']:,}" for result in results],
        "distinct (domain, traceback, size)": [
            f"{result['rows']:,}" if result["rows"] else "not counted" for result in results
        ],
        "the tracer's memory": [f"{result['tracer'] / 1e6:,.0f} MB" for result in results],
        "file": [f"{result['file'] / 1e6:,.2f} MB" for result in results],
        "take_snapshot: longest pause": [f"{result['pause'] * 1e3:,.1f} ms" for result in results],
    }
    for label in results[0]["operations"]:
        rows[label] = [
            f"{seconds * 1e3:,.1f} ms, {max(grown, 0) / 1e6:,.1f} MB"
            for seconds, grown in (result["operations"][label] for result in results)
        ]
    for label, cells in rows.items():
        print(f"| {label} |" + "".join(f" {cell} |" for cell in cells))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--blocks", type=int, nargs="+", default=[500_000, 1_000_000, 2_000_000])
    parser.add_argument("--paths", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.paths, args.frames)))
        return
    results = []
    for blocks in args.blocks:
        options = ["--measure", str(blocks), "--paths", str(args.paths), "--frames", str(args.frames)]
        out = subprocess.run([sys.executable, __file__, *options], check=True, stdout=subprocess.PIPE).stdout
        results.append(json.loads(out))
    if args.json:
        json.dump(results, sys.stdout, indent=1)
        print()
    else:
        show(results)


if __name__ == "__main__":
    main()
