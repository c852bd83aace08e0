"""Run time and memory of tracing, side by side in one run.

    python compare.py [--python PYTHON] [--workloads FILE] [--only a,b] [--rounds N] [--json]
                      [TRACER ...]        (default: off std:1 memtally:1 std:25 memtally:25)

Every workload runs in a fresh process per tracer, the tracers in turn (A B C, A B C, ...), and
each figure is the best of all rounds: the machine's speed drifts, so only ratios mean anything.
`share` is the tracer's added time as a share of what the standard tracer adds with as many frames.
"""

import argparse
import json
import math
import os
import runpy
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--workloads", default=os.path.join(HERE, "workloads.py"))
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("tracers", nargs="*", default=["off", "std:1", "memtally:1", "std:25", "memtally:25"])
    return parser.parse_args()


def measure(args, names):
    """Best seconds and least peak RSS in KiB, by tracer and workload."""
    best = {tracer: {} for tracer in args.tracers}
    memory = {tracer: {} for tracer in args.tracers}
    for _ in range(args.rounds):
        for name in names:
            for tracer in args.tracers:
                out = subprocess.run(
                    [args.python, args.workloads, tracer, name], check=True, stdout=subprocess.PIPE
                ).stdout
                result = json.loads(out)
                best[tracer][name] = min(best[tracer].get(name, math.inf), result[name])
                memory[tracer][name] = min(memory[tracer].get(name, math.inf), result["peak_rss_kib"])
    return best, memory


def ratios_to(base, values):
    """Each tracer's values as multiples of the base tracer's, and their geometric means."""
    ratios = {t: {n: v[n] / values[base][n] for n in v} for t, v in values.items()}
    means = {t: math.exp(sum(map(math.log, r.values())) / len(r)) for t, r in ratios.items()}
    return ratios, means


def shares_of_standard(geomean):
    shares = {}
    for tracer in geomean:
        name, _, frames = tracer.partition(":")
        peer = "std:" + (frames or "1")
        if name not in ("off", "std") and peer in geomean:
            shares[tracer] = (geomean[tracer] - 1) / (geomean[peer] - 1)
    return shares


def show(report, base):
    others = [tracer for tracer in report["seconds"] if tracer != base]
    names = list(report["seconds"][base])
    width = max(map(len, names)) + 2
    print(" " * width + "".join("%14s" % t for t in [base, *others]))
    for name in names:
        row = name.ljust(width) + "%12.3f s" % report["seconds"][base][name]
        print(row + "".join("%13.2fx" % report["ratio"][t][name] for t in others))
    for label, key in (("geomean", "geomean"), ("peak RSS", "rss_geomean")):
        print(label.ljust(width) + " " * 14 + "".join("%13.2fx" % report[key][t] for t in others))
    if report["share"]:
        told = ", ".join("%s %.1f %%" % (t, 100 * s) for t, s in report["share"].items())
        print("share of the standard tracer's overhead: " + told)


def main():
    args = parse_arguments()
    names = [n for n in args.only.split(",") if n] or list(runpy.run_path(args.workloads)["WORKLOADS"])
    best, memory = measure(args, names)
    base = args.tracers[0]
    ratios, geomean = ratios_to(base, best)
    _, rss_geomean = ratios_to(base, memory)
    report = {
        "seconds": best,
        "peak_rss_kib": memory,
        "ratio": ratios,
        "geomean": geomean,
        "rss_geomean": rss_geomean,
        "share": shares_of_standard(geomean),
    }
    if args.json:
        json.dump(report, sys.stdout, indent=1)
        print()
    else:
        show(report, base)


if __name__ == "__main__":
    main()
