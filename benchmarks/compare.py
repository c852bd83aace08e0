"""Run time and memory of tracing, side by side in one run.

    python compare.py [--quick] [--suites NAME,...] [--workloads FILE] [--only a,b] [--rounds N]
                      [--peer-rounds N] [--output FILE] [TRACER ...]

Three suites: `shared` (workloads.py), `others` (other_workloads.py) and `pyperformance`
(pyperformance_set.py). The first tracer is what the others are compared with, `off` by default; tracers.py
names them all.

Every workload runs in a fresh process per tracer, the tracers in turn (A B C, A B C, ...), and each figure
is the best of all rounds: the machine's speed drifts, so only ratios mean anything. The peers, which are
slow and need no second decimal, take part in the first rounds only (--peer-rounds). Progress goes to stderr,
tables to stdout, and everything measured to a JSON file. A workload that fails under a tracer is told and
left out of that tracer's means.
"""

import argparse
import datetime
import json
import math
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import machine
import other_workloads
import pyperformance_set
import tables
import tracers
import workloads

HERE = pathlib.Path(__file__).resolve().parent
OUTPUT = HERE.parent / "build" / "bench.json"
SUITES = ("shared", "others", "pyperformance")
QUICK_SUITES = ("shared", "pyperformance")
PEERS = ("std", "memray")
TIMEOUT = 900

Measure = Callable[[str, str], tuple[float, int]]  # (workload, tracer) -> seconds, peak RSS in KiB


class Suite(NamedTuple):
    """Workloads that share a table."""

    title: str
    names: list[str]
    measure: Measure


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a look in under five minutes: few repeats")
    parser.add_argument("--suites", default="", help=f"of {','.join(SUITES)} (default: all; quick: two)")
    parser.add_argument("--workloads", help="a file like workloads.py, measured instead of the suites")
    parser.add_argument("--only", default="", help="the workloads to run, by name, of whatever suite")
    parser.add_argument("--rounds", type=int, help="default: 5; quick: 1")
    parser.add_argument("--peer-rounds", type=int, default=1, help="rounds in which the peers take part")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="where the JSON goes")
    parser.add_argument("tracers", nargs="*", metavar="TRACER", help="default: " + " ".join(tracers.DEFAULT))
    args = parser.parse_args()
    args.tracers = args.tracers or tracers.DEFAULT
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.suites = args.suites.split(",") if args.suites else (QUICK_SUITES if args.quick else SUITES)
    try:
        for spec in args.tracers:
            tracers.parse(spec)
        if unknown := set(args.suites) - set(SUITES):
            raise ValueError(f"no suite {', '.join(sorted(unknown))}: {', '.join(SUITES)}")
    except ValueError as error:
        parser.error(str(error))
    return args


def is_peer(tracer: str) -> bool:
    return tracer.partition(":")[0] in PEERS


def workload_measure(file: str | pathlib.Path, repeat: int) -> Measure:
    """Runs a workload of a file like workloads.py in a process of its own."""

    def measure(name: str, tracer: str) -> tuple[float, int]:
        words = [sys.executable, str(file), tracer, name, str(repeat)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip()[-500:] or f"exit {done.returncode}")
        result = json.loads(done.stdout)
        return result[name], result["peak_rss_kib"]

    return measure


def names_in(file: str) -> list[str]:
    """The names of the workloads in a file."""
    import runpy

    return list(runpy.run_path(file)["WORKLOADS"])


def suites(args: argparse.Namespace) -> list[Suite]:
    """What is to be measured, less what --only leaves out."""
    repeat = 1 if args.quick else 3

    def pyperformance_measure(name: str, tracer: str) -> tuple[float, int]:
        once = args.quick or is_peer(tracer)
        return pyperformance_set.run(name, tracer, values=1 if once else 2, warmups=0 if args.quick else 1)

    if args.workloads:
        chosen = [Suite(args.workloads, names_in(args.workloads), workload_measure(args.workloads, repeat))]
    else:
        known = {
            "shared": Suite(
                "Shared workloads", list(workloads.WORKLOADS), workload_measure(HERE / "workloads.py", repeat)
            ),
            "others": Suite(
                "Workloads of other kinds",
                list(other_workloads.WORKLOADS),
                workload_measure(HERE / "other_workloads.py", repeat),
            ),
            "pyperformance": Suite(
                "pyperformance",
                list(pyperformance_set.QUICK if args.quick else pyperformance_set.BENCHMARKS),
                pyperformance_measure,
            ),
        }
        chosen = [known[name] for name in args.suites]
    only = {name for name in args.only.split(",") if name}
    if unknown := only - {name for suite in chosen for name in suite.names}:
        raise SystemExit(f"compare.py: no workload {', '.join(sorted(unknown))}")
    chosen = [s._replace(names=[n for n in s.names if not only or n in only]) for s in chosen]
    return [suite for suite in chosen if suite.names]


def plan(args: argparse.Namespace) -> list[list[str]]:
    """The tracers of each round."""
    base = args.tracers[0]
    return [
        [t for t in args.tracers if at < args.peer_rounds or t == base or not is_peer(t)]
        for at in range(args.rounds)
    ]


def run_suite(suite: Suite, rounds: list[list[str]]) -> dict:
    """Best seconds and least peak RSS by tracer and workload, and what failed."""
    seconds: tables.Values = {tracer: {} for tracer in rounds[0]}
    memory: tables.Values = {tracer: {} for tracer in rounds[0]}
    failures: dict[str, str] = {}
    for number, present in enumerate(rounds, 1):
        for name in suite.names:
            where = f"{suite.title}, round {number} of {len(rounds)}: {name}"
            print(where, end="", file=sys.stderr, flush=True)
            began = time.monotonic()
            for tracer in present:
                if f"{name} under {tracer}" in failures:
                    continue
                try:
                    took, peak = suite.measure(name, tracer)
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    failures[f"{name} under {tracer}"] = str(error)
                    print(f" [failed under {tracer}]", end="", file=sys.stderr)
                    continue
                seconds[tracer][name] = min(took, seconds[tracer].get(name, math.inf))
                memory[tracer][name] = min(peak, memory[tracer].get(name, math.inf))
            print(f" ({time.monotonic() - began:.1f} s)", file=sys.stderr, flush=True)
    return {"seconds": seconds, "peak_rss_kib": memory, "failures": failures}


def report(suite: Suite, result: dict) -> None:
    """Shows a suite's table; adds to RESULT what it was made of."""
    seconds, memory = result["seconds"], result["peak_rss_kib"]
    base = next(iter(seconds))
    result["summary"] = tables.summary(base, seconds, memory)
    shares = tables.shares_of_standard({t: s["time"] for t, s in result["summary"].items()})
    result["share_of_standard"] = shares
    print(f"\n## {suite.title}\n\n{tables.suite_table(seconds, memory)}")
    if shares:
        told = ", ".join(f"{tracer} {100 * share:.1f} %" for tracer, share in shares.items())
        print(f"\nAdded time as a share of the standard tracer's: {told}")
    for where, what in result["failures"].items():
        print(f"\nFailed: {where}: {what}")


def main() -> int:
    args = parse_arguments()
    chosen = suites(args)
    began = time.monotonic()
    everything = {
        "machine": machine.describe(),
        "date": datetime.date.today().isoformat(),
        "quick": args.quick,
        "rounds": args.rounds,
        "peer_rounds": args.peer_rounds,
        "suites": {},
    }
    for key, value in everything["machine"].items():
        print(f"{key}: {value}")
    failed = False
    for suite in chosen:
        result = run_suite(suite, plan(args))
        report(suite, result)
        failed = failed or bool(result["failures"])
        everything["suites"][suite.title] = result
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    print(f"\ntook {(time.monotonic() - began) / 60:.0f} minutes; all figures: {args.output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
