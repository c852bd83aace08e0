"""The commands of the Makefile, each a function that returns the exit code."""

import os
import shlex
import sys

import allocator_tests
import core_tests
import cross
import documentation
import environment
import fuzz
import lint
import package
import python_tests
import toolchain
from steps import Counts, Failed, Missing, say


def demo() -> int:
    """Builds memtally and runs the demonstration with it."""
    environment.prepare()
    return environment.run([environment.PYTHON, "demo/run.py", *arguments()])


def test() -> int:
    """Runs every test there is; the last line counts them all."""
    environment.prepare("test")
    counts = Counts()
    if os.environ.get("MEMTALLY_CORE_TESTS") == "0":
        say("MEMTALLY_CORE_TESTS=0: the core's tests are left out")
    else:
        counts += core_tests.run(core_tests.PLAIN)
    counts += python_tests.run()
    return counts.close()


def test_allocators() -> int:
    """Runs some tests (or those of ARGS) under each allocator that CPython can be told to use."""
    environment.prepare("test")
    return allocator_tests.run().close()


def core() -> int:
    """Runs the core's C tests alone: neither the extension nor Python's tests."""
    with environment.locked():
        environment.make_venv()
        environment.require("build")
    return core_tests.run(core_tests.PLAIN).close()


def sanitize() -> int:
    """Runs the core's tests under the sanitizers, each with the real and with tiny constants."""
    with environment.locked():
        environment.make_venv()
        environment.require("build")
    counts = Counts()
    for variant in core_tests.SANITIZERS:
        counts += core_tests.run(variant)
    return counts.close()


def test_elsewhere() -> int:
    """Runs the core's tests for another machine and another C library."""
    with environment.locked():
        environment.make_venv()
        environment.require("build")
    return cross.run().close()


def look_for_crashes() -> int:
    """Lets libFuzzer loose on the reader of snapshot files for ten minutes, or ARGS seconds."""
    with environment.locked():
        environment.make_venv()
        environment.require("build")
    words = arguments()
    return fuzz.run(int(words[0]) if words else fuzz.SECONDS).close()


def check() -> int:
    """Reads the code: format, types, stubs, the house's rules."""
    environment.prepare("lint", "test")
    return lint.run().close()


def reformat() -> int:
    """Lays the files out as `make lint` wants them."""
    with environment.locked():
        environment.make_venv()
        environment.require("lint")
    lint.reformat()
    return 0


def site() -> int:
    """Makes the documentation's site in build/docs, and looks for what is wrong with it."""
    environment.prepare("docs")
    return documentation.run().close()


def archive() -> int:
    """Builds a source archive and a wheel, and tries what they install."""
    environment.prepare("package")
    return package.run().close()


def bench() -> int:
    """Compares run time and memory with no tracer, the standard one and memray."""
    environment.prepare_benchmarks()
    return environment.run([environment.BENCH_PYTHON, "benchmarks/compare.py", *arguments()])


def bench_curves() -> int:
    """Measures what an allocation costs against the size of things, and draws it."""
    environment.prepare_benchmarks()
    return environment.run([environment.BENCH_PYTHON, "benchmarks/curves.py", *arguments()])


def soak() -> int:
    """Runs a program with ever new call paths for MINUTES; fails where its memory does not level off."""
    environment.prepare()
    words = ["--minutes", os.environ.get("MINUTES") or "10", *arguments()]
    return environment.run([environment.PYTHON, "benchmarks/soak.py", *words])


def bench_instructions() -> int:
    """Counts what tracing adds in instructions, and compares with the committed figures."""
    if not toolchain.check_program("valgrind", "valgrind"):
        raise Missing("valgrind counts the instructions: apt-get install valgrind")
    environment.prepare()
    return environment.run([environment.PYTHON, "benchmarks/instructions.py", *arguments()])


def build() -> int:
    """Builds and installs, and says which interpreter has it."""
    environment.prepare()
    say(str(os.path.relpath(environment.PYTHON)))
    return 0


def arguments() -> list[str]:
    """What the user gave in ARGS."""
    return shlex.split(os.environ.get("ARGS", ""))


COMMANDS = {
    "demo": demo,
    "test": test,
    "test-allocators": test_allocators,
    "core": core,
    "sanitize": sanitize,
    "cross": test_elsewhere,
    "fuzz": look_for_crashes,
    "lint": check,
    "format": reformat,
    "docs": site,
    "bench": bench,
    "bench-curves": bench_curves,
    "bench-instructions": bench_instructions,
    "soak": soak,
    "build": build,
    "package": archive,
}


def main(words: list[str]) -> int:
    """Runs the command that is named. 2: something is missing; 1: something failed."""
    try:
        return COMMANDS[words[0]]()
    except Missing as missing:
        print(f"memtally: {missing}", file=sys.stderr)
        return 2
    except Failed:
        return 1
    except KeyboardInterrupt:
        return 130
