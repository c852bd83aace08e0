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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--workloads", default=os.path.join(HERE, "workloads.py"))
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("tracers", nargs="*", default=["off", "std:1", "memtally:1", "std:25", "memtally:25"])
    args = parser.parse_args()

    names = [n for n in args.only.split(",") if n] or list(runpy.run_path(args.workloads)["WORKLOADS"])
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

    base = args.tracers[0]
    ratios = {t: {n: best[t][n] / best[base][n] for n in names} for t in args.tracers}
    geomean = {t: math.exp(sum(math.log(r) for r in ratios[t].values()) / len(names)) for t in args.tracers}
    rss = {t: {n: memory[t][n] / memory[base][n] for n in names} for t in args.tracers}
    rss_geomean = {t: math.exp(sum(math.log(r) for r in rss[t].values()) / len(names)) for t in args.tracers}
    shares = {}
    for tracer in args.tracers:
        name, _, frames = tracer.partition(":")
        peer = "std:" + (frames or "1")
        if name not in ("off", "std") and peer in args.tracers:
            shares[tracer] = (geomean[tracer] - 1) / (geomean[peer] - 1)

    if args.json:
        json.dump(
            {
                "seconds": best,
                "peak_rss_kib": memory,
                "ratio": ratios,
                "geomean": geomean,
                "rss_geomean": rss_geomean,
                "share": shares,
            },
            sys.stdout,
            indent=1,
        )
        print()
        return
    width = max(map(len, names)) + 2
    print(" " * width + "".join("%14s" % t for t in args.tracers))
    for name in names:
        print(
            name.ljust(width)
            + "%12.3f s" % best[base][name]
            + "".join("%13.2fx" % ratios[t][name] for t in args.tracers[1:])
        )
    print("geomean".ljust(width) + " " * 14 + "".join("%13.2fx" % geomean[t] for t in args.tracers[1:]))
    print("peak RSS".ljust(width) + " " * 14 + "".join("%13.2fx" % rss_geomean[t] for t in args.tracers[1:]))
    if shares:
        print(
            "share of the standard tracer's overhead: "
            + ", ".join("%s %.1f %%" % (t, 100 * s) for t, s in shares.items())
        )


if __name__ == "__main__":
    main()
