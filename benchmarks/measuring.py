"""The inside of a measured process: times workloads under a tracer and reports the peak of its memory."""

import json
import sys
import time

import tracers


def peak_rss_kib() -> int:
    """The process's highest resident set. Not getrusage: that begins with what the parent had."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def measure(tracer, names, workloads, repeat):
    """Seconds per workload (best of REPEAT) and the process's peak."""
    runs = {name: workloads[name]() for name in names}
    tracers.start(tracer)
    result = {}
    for name, run in runs.items():
        best = float("inf")
        for _ in range(repeat):
            begin = time.perf_counter()
            run()
            best = min(best, time.perf_counter() - begin)
        result[name] = best
    result["peak_rss_kib"] = peak_rss_kib()
    return result


def main(workloads):
    """The script part of a file of workloads: TRACER NAME[,NAME...] [REPEAT]."""
    tracer, names, *rest = sys.argv[1:]
    print(json.dumps(measure(tracer, names.split(","), workloads, int(rest[0]) if rest else 3)))
