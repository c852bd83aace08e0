"""A program with ever new call paths under memtally: its memory must level off.

    python soak.py [--minutes 10] [--frames 65535] [--allowed MIB] [--output FILE]

Each turn calls a tree of functions along a path that was never taken before (recursion over several lines),
and compiles, runs and drops a module of its own file name; everything that it allocates is freed again.
Once a tenth of the time is over, which counts as warm-up, the resident set is sampled; the soak fails where
the last fifth of the samples lies, in the median, more than ALLOWED above the first fifth.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import sys
import time

import memtally

OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "build" / "soak.json"
SAMPLES = 100
SHOWN = 20
WARM_UP = 0.1
SOURCE = "def made(n):\n    return [str(i) for i in range(n)]\n\n\nresult = made(20)\n"


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--frames", type=int, default=65535)
    parser.add_argument("--allowed", type=float, default=8, metavar="MIB", help="how much may be added")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    return parser.parse_args()


def rss_mib():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def step(path, depth):
    """Calls itself from one of four lines, as two bits of PATH say, and allocates on the way back."""
    if not depth:
        return [path]
    way, rest = path % 4, path // 4
    if way == 0:
        kept = step(rest, depth - 1)
    elif way == 1:
        kept = step(rest, depth - 1)
    elif way == 2:
        kept = step(rest, depth - 1)
    else:
        kept = step(rest, depth - 1)
    return [kept, float(way)]


def made_code(turn):
    """A module under a name that was never used: its file is new, and with it all lines of it.

    Not the names in it: CPython keeps every name that it ever compiled, some 120 bytes a turn.
    """
    exec(compile(SOURCE, f"<made {turn}>", "exec"), {})


def soak(minutes):
    """Runs; yields (seconds since the start, turns, RSS, memory of the tracer) at even distances."""
    choice = random.Random(1)
    began = time.monotonic()
    end, every = 60 * minutes, 60 * minutes / SAMPLES
    due, turn = every, 0
    while True:
        for _ in range(200):
            step(choice.getrandbits(48), 24)
        made_code(turn)
        turn += 1
        now = time.monotonic() - began
        if now >= due:
            yield (
                round(now, 1),
                turn,
                round(rss_mib(), 2),
                round(memtally.get_tracemalloc_memory() / 2**20, 2),
            )
            due = now + every
        if now >= end:
            return


def grown(samples):
    """How far the end lies above the beginning, in MiB: medians, so that one odd sample decides nothing."""
    kept = [rss for seconds, _, rss, _ in samples[int(WARM_UP * len(samples)) :]]
    fifth = max(1, len(kept) // 5)
    return statistics.median(kept[-fifth:]) - statistics.median(kept[:fifth])


def main():
    args = parse_arguments()
    memtally.start(args.frames)
    samples = []
    print(f"{'seconds':>8}{'turns':>10}{'RSS, MiB':>12}{'tracer, MiB':>13}")
    for sample in soak(args.minutes):
        samples.append(sample)
        if len(samples) % (SAMPLES // SHOWN) == 0:
            print(f"{sample[0]:8.0f}{sample[1]:10,}{sample[2]:12.1f}{sample[3]:13.1f}", flush=True)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    told = {"frames": args.frames, "seconds, turns, RSS MiB, tracer MiB": samples}
    args.output.write_text(json.dumps(told) + "\n", encoding="ascii")
    growth = grown(samples)
    print(
        f"grown by {growth:.1f} MiB after the warm-up; {args.allowed:g} are allowed; samples: {args.output}"
    )
    if growth > args.allowed:
        print("soak.py: FAILED: the memory does not level off", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
