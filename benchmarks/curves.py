"""What an allocation costs against what it should not depend on: curves, as JSON and as SVG.

    python curves.py [--only NAME,...] [--large] [--rounds N] [--peer] [--folder FOLDER]

    blocks      the number of live blocks: 100 thousand to 5 million (--large: to 50 million, 2 GiB of memory)
    depth       the depth of the stack of which only the top changes: 10 to 1,000 calls
    paths       the number of call paths that are known already
    threads     the number of threads that allocate in turns, with the GIL
    raw         the number of threads that allocate in the RAW domain at once, without the GIL

Each point is a process of its own that times the same work many times over and reports the best, in
processor time (`raw`, where waiting is the point: by the clock). The tracers take turns, and a point is the
best of all rounds. The y axis is nanoseconds per pair of allocate and free, the program's own work included:
what tracing costs is the distance from `off`. --peer adds the standard tracer.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

import machine
import native

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE.parent / "docs" / "curves"
TRACERS = ["off", "memtally:1", "memtally:25", "memtally:65535"]
PEERS = ["std:1", "std:25"]
THREADS = [1, 2, 4, 8, 16]
CURVES = {
    "blocks": ("live blocks", [100_000, 300_000, 1_000_000, 2_000_000, 5_000_000]),
    "depth": ("calls on the stack", [10, 30, 100, 300, 1_000]),
    "paths": ("call paths known", [1, 10, 100, 1_000, 10_000, 100_000]),
    "threads": ("threads, one GIL", THREADS),
    "raw": ("threads without the GIL", THREADS),
}
LARGE = [10_000_000, 20_000_000, 50_000_000]
TIMEOUT = 900

Points = dict[str, list[tuple[int, float]]]  # tracer -> (x, nanoseconds per pair)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(CURVES))
    parser.add_argument("--large", action="store_true", help="more live blocks; needs 2 GiB of memory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help="the standard tracer as well")
    parser.add_argument("--folder", type=pathlib.Path, default=FOLDER)
    args = parser.parse_args()
    args.only = args.only.split(",")
    if unknown := set(args.only) - set(CURVES):
        parser.error(f"no curve {', '.join(sorted(unknown))}: {', '.join(CURVES)}")
    return args


def measure_point(curve: str, x: int, tracer: str, modules: pathlib.Path) -> float:
    """Nanoseconds per pair, from a process of its own."""
    words = [sys.executable, str(HERE / "curve_points.py"), curve, str(x), tracer]
    done = subprocess.run(
        words,
        env=os.environ | {"PYTHONPATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"curves.py: {curve} at {x} under {tracer}: {done.stderr.strip()[-500:]}")
    return float(done.stdout)


def measure_curve(curve: str, xs: list[int], tracers: list[str], rounds: int) -> Points:
    """All points of a curve, the tracers in turn at each."""
    modules = native.build()
    best = {tracer: dict.fromkeys(xs, math.inf) for tracer in tracers}
    for number in range(1, rounds + 1):
        for x in xs:
            print(f"{curve}, round {number} of {rounds}: {x:,}", file=sys.stderr, flush=True)
            for tracer in tracers:
                best[tracer][x] = min(best[tracer][x], measure_point(curve, x, tracer, modules))
    return {tracer: [(x, round(y, 2)) for x, y in row.items()] for tracer, row in best.items()}


def draw(curve: str, label: str, points: Points, target: pathlib.Path) -> None:
    """One curve as a small SVG; text stays text, and nothing in it changes from run to run but the data."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": curve, "font.size": 9})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3), layout="constrained")
    for tracer, row in points.items():
        axes.plot(*zip(*row), marker="o", markersize=3, label=tracer)
    axes.set_xscale("log")
    xs = [x for x, _ in next(iter(points.values()))]
    axes.set_xticks(xs, [f"{x:,}" for x in xs], rotation=30 if max(xs) > 10_000 else 0)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel(label)
    axes.set_ylabel("ns per allocate and free")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, ncols=2)
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)


def show(curve: str, label: str, points: Points) -> None:
    xs = [x for x, _ in next(iter(points.values()))]
    print(f"\n{curve}: nanoseconds per allocate and free\n{label:26}" + "".join(f"{x:>13,}" for x in xs))
    for tracer, row in points.items():
        print(f"{tracer:26}" + "".join(f"{y:13.1f}" for _, y in row))


def main() -> int:
    args = parse_arguments()
    args.folder.mkdir(parents=True, exist_ok=True)
    tracers = TRACERS + (PEERS if args.peer else [])
    for curve in args.only:
        label, xs = CURVES[curve]
        xs = xs + (LARGE if args.large and curve == "blocks" else [])
        points = measure_curve(curve, xs, tracers, args.rounds)
        show(curve, label, points)
        draw(curve, label, points, args.folder / f"{curve}.svg")
        told = {"machine": machine.describe(), "rounds": args.rounds, "x": label, "ns": points}
        (args.folder / f"{curve}.json").write_text(json.dumps(told) + "\n", encoding="utf-8")
    print(f"\ncurves and figures: {args.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
