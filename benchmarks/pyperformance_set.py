"""The benchmarks of pyperformance that are run under the tracers, and how one of them is run.

Each is pyperformance's own script, started as pyperf starts its workers: one process, one task, a fixed
number of loops. LOOPS are set so that a value takes about a tenth of a second untraced: the standard tracer
with 25 frames makes that four seconds.

Chosen: what runs in one process with the standard library and a few packages that are pure Python. Left out:
those that start processes (2to3, concurrent_imap, python_startup), need a server, a network, a database
library or compiled packages (dask, fastapi, tornado, sqlalchemy, mako, xdsl), that do not run on CPython
3.13 (django, sympy), that take seconds for one loop (bpe_tokeniser, docutils, mdp, networkx, tomli_loads),
pickle in pure Python (it wants to be the first to import pickle, and memray is before it), and variants of
one program that allocate alike (most of async_tree, pickle, scimark, regex).
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import NamedTuple

import tracers

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT = 600


class Benchmark(NamedTuple):
    """A script of pyperformance, its arguments, and how many loops make one value."""

    script: str
    loops: int
    arguments: tuple[str, ...] = ()


BENCHMARKS = {
    "argparse_subparsers": Benchmark("argparse", 6, ("subparsers",)),
    "async_generators": Benchmark("async_generators", 1),
    "async_tree": Benchmark("async_tree", 1, ("none",)),
    "asyncio_tcp": Benchmark("asyncio_tcp", 1),
    "chameleon": Benchmark("chameleon", 6),
    "chaos": Benchmark("chaos", 2),
    "comprehensions": Benchmark("comprehensions", 5000),
    "coroutines": Benchmark("coroutines", 4),
    "crypto_pyaes": Benchmark("crypto_pyaes", 2),
    "decimal_pi": Benchmark("decimal_pi", 1),
    "deepcopy": Benchmark("deepcopy", 250),
    "deltablue": Benchmark("deltablue", 30),
    "fannkuch": Benchmark("fannkuch", 1),
    "float": Benchmark("float", 1),
    "gc_collect": Benchmark("gc_collect", 50),
    "generators": Benchmark("generators", 3),
    "genshi": Benchmark("genshi", 4),
    "go": Benchmark("go", 1),
    "hexiom": Benchmark("hexiom", 16),
    "html5lib": Benchmark("html5lib", 2),
    "json_dumps": Benchmark("json_dumps", 10),
    "json_loads": Benchmark("json_loads", 200),
    "logging_format": Benchmark("logging", 1400, ("format",)),
    "meteor_contest": Benchmark("meteor_contest", 1),
    "nbody": Benchmark("nbody", 1),
    "nqueens": Benchmark("nqueens", 1),
    "pathlib": Benchmark("pathlib", 3),
    "pickle": Benchmark("pickle", 300, ("pickle",)),
    "pidigits": Benchmark("pidigits", 1),
    "pyflate": Benchmark("pyflate", 1),
    "raytrace": Benchmark("raytrace", 1),
    "regex_compile": Benchmark("regex_compile", 1),
    "regex_v8": Benchmark("regex_v8", 5),
    "richards": Benchmark("richards", 2),
    "scimark_fft": Benchmark("scimark", 1, ("fft",)),
    "spectral_norm": Benchmark("spectral_norm", 1),
    "sqlglot_parse": Benchmark("sqlglot_v2", 70, ("parse",)),
    "sqlite_synth": Benchmark("sqlite_synth", 35_000),
    "telco": Benchmark("telco", 7),
    "typing_runtime_protocols": Benchmark("typing_runtime_protocols", 500),
    "unpickle": Benchmark("pickle", 200, ("unpickle",)),
    "xml_etree_process": Benchmark("xml_etree", 1, ("process",)),
    "yaml": Benchmark("yaml", 16),
}
# A cross-section for a quick look: objects, text, numbers, generators, coroutines, C code.
QUICK = (
    "chaos",
    "coroutines",
    "deltablue",
    "float",
    "generators",
    "json_loads",
    "pidigits",
    "regex_compile",
    "xml_etree_process",
)


def scripts() -> pathlib.Path:
    """Where the installed pyperformance keeps its benchmarks."""
    import pyperformance

    return pathlib.Path(pyperformance.__file__).parent / "data-files" / "benchmarks"


def run(name: str, tracer: str, values: int, warmups: int) -> tuple[float, int]:
    """Seconds per value, best of VALUES after WARMUPS, and the process's peak RSS in KiB."""
    benchmark = BENCHMARKS[name]
    script = scripts() / ("bm_" + benchmark.script) / "run_benchmark.py"
    with tempfile.TemporaryDirectory() as folder:
        timing, memory = pathlib.Path(folder, "timing.json"), pathlib.Path(folder, "memory")
        with open(timing, "wb") as pipe:
            words = tracers.command(tracer, sys.executable, os.path.join(folder, "records"))
            words += [str(HERE / "pyperformance_child.py"), str(memory), str(script), *benchmark.arguments]
            words += ["--worker", "--worker-task=0", f"--loops={benchmark.loops}", f"--warmups={warmups}"]
            words += [f"--values={values}", f"--pipe={pipe.fileno()}"]
            done = subprocess.run(
                words,
                pass_fds=[pipe.fileno()],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=folder,
                timeout=TIMEOUT,
                check=False,
            )
        if done.returncode != 0:
            told = done.stderr.decode(errors="replace").strip()[-500:]
            raise RuntimeError(told or f"exit code {done.returncode}")
        return seconds_per_value(json.loads(timing.read_text())), int(memory.read_text())


def seconds_per_value(written: dict) -> float:
    """The least of the values that a worker wrote; pyperf has divided them by the number of loops."""
    (run_,) = written["benchmarks"][0]["runs"]
    known = (
        written.get("metadata", {}) | written["benchmarks"][0].get("metadata", {}) | run_.get("metadata", {})
    )
    return min(run_["values"]) * known["loops"] * known.get("inner_loops", 1)
