"""Counts the instructions that tracing takes per pair of allocate and free; compares with instructions.json.

    python instructions.py [--update] [--only PATTERN,...] [--tracers TRACER,...] [--jobs N]

Each pattern of patterns.py runs below valgrind's callgrind, once untraced and once per tracer. The process
does N pairs and then 2N, and only the difference of the two counts, so that whatever happens once cancels
out. Two figures per pattern:

    tracing   instructions inside memtally's extension and in what it calls, the allocator below not included
    added     those of the whole process, less those of the untraced one

`tracing` is the same from run to run, whatever runs beside it, and in whatever folder: callgrind has no
clock, addresses are valgrind's own, hashes are seeded, and the environment is empty. So it is what
instructions.json holds, and what may not rise by more than 3 %. `added` is shown beside it and not compared:
pymalloc takes a longer way at the edges of its pools, and which blocks lie there hangs on every string that
was made before, the project's path among them.

The figures depend on the compiler and on the CPython; instructions.json says which they were measured with,
and figures of others are shown and not compared. `--update` writes the file.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile

import native

import memtally._core

HERE = pathlib.Path(__file__).resolve().parent
FIGURES = HERE / "instructions.json"
PATTERNS = ("short_loop", "deep_stack", "call_heavy", "realloc", "free_list", "raw")
TRACERS = ("memtally:1", "memtally:25")
PAIRS = 1_000
ALLOWED = 0.03
SHOWN = 0.001
MODULE = "/memtally/_core."
# The allocator that memtally's hooks pass calls on to: what it does, it does untraced as well.
BELOW = re.compile(r"\w*(Malloc|Calloc|Realloc|Free)$|(malloc|calloc|realloc|free)$")


Counts = dict[str, dict[str, float]]  # tracer -> pattern -> instructions per pair


class CallgrindFailed(Exception):
    """valgrind or the program under it failed; the text says how."""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="write instructions.json instead of comparing")
    parser.add_argument("--only", default=",".join(PATTERNS), help="patterns to count")
    parser.add_argument("--tracers", default=",".join(TRACERS), help="tracers to count them under")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def totals_of(dump: pathlib.Path) -> tuple[int, int]:
    """The instructions in one of callgrind's files: all of them, and those of tracing.

    A name is written in full once, as `(number) name`, and as `(number)` from then on; `fn` and `ob` are the
    function and the shared object where what follows ran, `cfn` and `cob` those that it calls. The line after
    `calls=` holds the whole cost of that call.
    """
    everything = tracing = 0
    names: dict[tuple[str, str], str] = {}
    place = {"ob": "", "fn": "", "cob": "", "cfn": ""}
    call = False
    for line in dump.read_text(encoding="utf-8", errors="replace").splitlines():
        named = re.match(r"(c?(ob|fn))=(\(\d+\))(?: (.*))?", line)
        if named:
            where, kind, number, name = named.groups()
            names.setdefault((kind, number), name)
            place[where] = names[kind, number]
        elif line.startswith("calls="):
            call = True
        elif re.match(r"[\d+*-]", line):
            cost = int(line.split()[-1])
            everything += 0 if call else cost
            if MODULE in place["ob"] and (not call or leaves_for_help(place)):
                tracing += cost
            if call:
                place["cob"], call = "", False
    return everything, tracing


def leaves_for_help(place: dict[str, str]) -> bool:
    """Whether a call from memtally goes elsewhere, and not to the allocator below."""
    return place["cob"] not in ("", place["ob"]) and not BELOW.match(place["cfn"])


def per_pair(pattern: str, tracer: str, modules: pathlib.Path) -> tuple[float, float]:
    """Instructions per pair: in the whole process, and those of tracing."""
    with tempfile.TemporaryDirectory(prefix="memtally-") as folder:
        out = pathlib.Path(folder, "counts")
        done = subprocess.run(
            [shutil.which("valgrind"), "--tool=callgrind", "--dump-line=no", "--dump-before=getppid"]
            + [f"--callgrind-out-file={out}", sys.executable, "-s", HERE / "patterns.py"]
            + [pattern, str(PAIRS), tracer],
            env={"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "PYTHONPATH": str(modules)},
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        # Parts end at calls of getppid: 1 the start, 2 and 3 warm-up, 4 with N pairs, 5 with twice as many.
        once, twice = out.with_name("counts.4"), out.with_name("counts.5")
        if done.returncode != 0 or not twice.exists():
            raise CallgrindFailed(
                f"{pattern} under {tracer}: exit code {done.returncode}\n{done.stderr[-2000:]}"
            )
        (all_once, tracing_once), (all_twice, tracing_twice) = totals_of(once), totals_of(twice)
        return (all_twice - all_once) / PAIRS, (tracing_twice - tracing_once) / PAIRS


def count(patterns: list[str], tracers: list[str], jobs: int | None) -> tuple[Counts, Counts]:
    """What tracing takes, and what it adds to the process."""
    modules = native.build()
    work = [(pattern, tracer) for pattern in patterns for tracer in ("off", *tracers)]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        found = dict(zip(work, pool.map(lambda pair: per_pair(*pair, modules), work)))
    tracing = {t: {p: round(found[p, t][1], 2) for p in patterns} for t in tracers}
    added = {t: {p: round(found[p, t][0] - found[p, "off"][0], 2) for p in patterns} for t in tracers}
    return tracing, added


def conditions() -> dict[str, str]:
    """What the figures depend on: they are compared only where all of it is the same."""
    module = pathlib.Path(memtally._core.__file__).read_bytes()
    compiler = re.search(rb"GCC: \([^)]*\) [\d.]+|clang version [\d.]+", module)
    shared = "shared" if sysconfig.get_config_var("Py_ENABLE_SHARED") else "static"
    return {
        "python": f"{platform.python_version()}{sys.abiflags}, {shared}, {platform.python_compiler()}",
        "compiler": compiler[0].decode() if compiler else "unknown",
        "machine": platform.machine(),
    }


def compare(tracing: Counts, added: Counts, committed: Counts) -> int:
    """Shows the figures beside the committed ones; the number of those that rose too far."""
    risen = 0
    print(f"{'instructions per pair':24}{'tracing':>10}{'committed':>11}{'added':>10}")
    for tracer, patterns in tracing.items():
        for pattern, figure in patterns.items():
            before = committed.get(tracer, {}).get(pattern)
            row = f"{tracer} {pattern}".ljust(24) + f"{figure:10.1f}"
            row += f"{'-' if before is None else format(before, '.1f'):>11}{added[tracer][pattern]:10.1f}"
            if before is not None:
                change = round(figure / before - 1, 6)
                row += f"  {100 * change:+.1f} %" if abs(change) >= SHOWN else ""
                row += "  FAILED" if change > ALLOWED else ""
                risen += change > ALLOWED
            print(row)
    return risen


def save(counts: Counts, found: dict[str, str], figures: dict[str, dict]) -> None:
    """Writes the file: what was counted takes the place of what was there for this version of CPython."""
    version = "%d.%d" % sys.version_info[:2]
    old = figures.get(version, {})
    merged = old.get("counts", {}) if old.get("conditions") == found else {}
    for tracer, patterns in counts.items():
        merged.setdefault(tracer, {}).update(patterns)
    figures[version] = {"conditions": found, "counts": merged}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="ascii")
    print(f"written: {FIGURES.name}")


def close(passed: int, failed: int, skipped: int) -> int:
    """The closing line, as all parts of the gate have it, and the exit code."""
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def main() -> int:
    args = parse_arguments()
    if shutil.which("valgrind") is None:
        print("instructions.py: needs valgrind: apt-get install valgrind", file=sys.stderr)
        return 2
    patterns, tracers = args.only.split(","), args.tracers.split(",")
    try:
        tracing, added = count(patterns, tracers, args.jobs)
    except CallgrindFailed as error:
        print(f"instructions.py: {error}", file=sys.stderr)
        return close(0, 1, 0)
    figures = json.loads(FIGURES.read_text(encoding="ascii")) if FIGURES.exists() else {}
    entry = figures.get("%d.%d" % sys.version_info[:2], {})
    found = conditions()
    number = len(patterns) * len(tracers)
    if args.update:
        compare(tracing, added, entry.get("counts", {}))
        save(tracing, found, figures)
        return 0
    if entry.get("conditions") != found:
        compare(tracing, added, {})
        print(f"not compared: these are of {found}, {FIGURES.name} has {entry.get('conditions', 'none')}")
        return close(0, 0, number)
    risen = compare(tracing, added, entry["counts"])
    if risen:
        print(f"More than {100 * ALLOWED:.0f} % above {FIGURES.name}. Where the rise is worth it:")
        print("    make bench-instructions ARGS=--update")
    return close(number - risen, risen, 0)


if __name__ == "__main__":
    sys.exit(main())
