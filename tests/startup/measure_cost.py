"""What memtally-startup.pth costs an interpreter that does not use it: measure_cost.py [RUNS]

First the line alone, run as the site module runs it. Then whole interpreters (`-c pass`) in virtual
environments that differ by one file only: none, an empty .pth file, memtally's; and on 3.15 a .start file
(PEP 829), which memtally does not use. They are started in turns, so that all of them see the same machine;
the differences are of medians, and their standard error is shown.
"""

import os
import pathlib
import shutil
import site
import statistics
import subprocess
import sys
import tempfile
import time
import venv

NAME = "memtally-startup.pth"
KINDS = ("no .pth file", "an empty .pth file", NAME)
if sys.version_info >= (3, 15):
    KINDS += ("with a .start file",)


def startup_file():
    """The file as it is installed for this interpreter."""
    return next(path for folder in site.getsitepackages() if (path := pathlib.Path(folder, NAME)).is_file())


def seconds_of_the_line(runs):
    """How long the line takes, in each of RUNS runs; compiling it is part of it, as it is at start-up."""
    line = startup_file().read_text()
    found = []
    for _ in range(runs):
        begin = time.perf_counter()
        exec(line)
        found.append(time.perf_counter() - begin)
    return found


def _commands(scratch):
    for kind in KINDS:
        folder = pathlib.Path(scratch, kind.split()[0])
        venv.create(folder, with_pip=False, symlinks=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        if kind == NAME:
            shutil.copy(startup_file(), packages)
        elif kind.endswith(".start file"):
            (packages / "some.start").write_text("os:getpid\n")
        elif kind != KINDS[0]:
            (packages / "empty.pth").touch()
        yield [str(folder / "bin" / "python"), "-c", "pass"]


def seconds_of_interpreters(runs):
    """{kind: seconds of each of RUNS starts}, the kinds taking turns and the first place going round."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MEMTALLY", "PYTHONPATH")}
    found = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as scratch:
        turns = list(zip(KINDS, _commands(scratch), strict=True))
        for run in range(-5, runs):
            turns = [*turns[1:], turns[0]]
            for kind, command in turns:
                begin = time.perf_counter()
                subprocess.run(command, env=environment, check=True)
                if run >= 0:  # those before warm the caches
                    found[kind].append(time.perf_counter() - begin)
    return found


def _show(name, seconds):
    low, middle, high = (value * 1000 for value in statistics.quantiles(seconds, n=4))
    print(f"{name:24} {middle:8.3f} ms   (middle half: {low:.3f} to {high:.3f})")


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"CPython {sys.version.split()[0]}, medians of {runs} runs")
    _show("the line alone", seconds_of_the_line(runs))
    found = seconds_of_interpreters(runs)
    for kind, seconds in found.items():
        _show(kind, seconds)
    ours = found[NAME]
    for kind in (kind for kind in KINDS if kind != NAME):
        spread = statistics.stdev(b - a for a, b in zip(found[kind], ours, strict=True))
        more = (statistics.median(ours) - statistics.median(found[kind])) * 1000
        print(f"more than {kind:20} {more:.3f} ms   (standard error: {1253 * spread / runs**0.5:.3f})")


if __name__ == "__main__":
    main()
