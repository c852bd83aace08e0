"""`make lint`: every check that reads the code instead of running it, each one counted."""

import collections.abc
import concurrent.futures
import os
import pathlib
import subprocess
import sysconfig
import time

import environment
import house_rules
import toolchain
from steps import ROOT, Counts, say

# clang does not know some of gcc's options that stand in the compile commands.
TIDY = ["clang-tidy", "--quiet", "--warnings-as-errors=*", "--extra-arg=-Wno-unknown-warning-option"]


def remarks_of(command: list[str | pathlib.Path]) -> list[str]:
    """Runs a tool; what it says where it finds something wrong, nothing where all is in order."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=os.environ | environment.bin_path(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return []
    return done.stdout.splitlines() or [f"{words[0]}: exit code {done.returncode}"]


def c_format() -> list[str]:
    """The C code is laid out as .clang-format says."""
    files = house_rules.c_files("src", "include", "tests")
    return remarks_of([environment.tool("clang-format"), "--dry-run", "-Werror", *files]) if files else []


def c_tidy() -> list[str]:
    """clang-tidy finds nothing in the C code of src/."""
    if not toolchain.check_program("clang-tidy", "clang-tidy"):
        return ["clang-tidy is missing"]
    files = [path for path in house_rules.c_files("src") if path.suffix == ".c"]
    jobs: list[list[str | pathlib.Path]] = [
        [*TIDY, "-p", environment.BUILD / "meson", file] for file in files
    ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for remarks in pool.map(remarks_of, jobs) for line in remarks]


def python_lint() -> list[str]:
    """ruff finds nothing in the Python code."""
    return remarks_of([environment.tool("ruff"), "check", "--quiet", "."])


def python_format() -> list[str]:
    """The Python code is laid out as ruff does it."""
    return remarks_of([environment.tool("ruff"), "format", "--quiet", "--check", "."])


def python_types() -> list[str]:
    """The package's and the tools' annotations are right."""
    return remarks_of([environment.tool("mypy"), "memtally"]) + remarks_of(
        [environment.tool("mypy"), "tools"]
    )


def stubs() -> list[str]:
    """memtally/_core.pyi says what the built module has."""
    return remarks_of(
        [environment.tool("stubtest"), "--mypy-config-file", "pyproject.toml", "memtally._core"]
    )


def reformat() -> None:
    """Lays all files out as the checks want them, and mends what ruff can mend."""
    files = house_rules.c_files("src", "include", "tests")
    environment.run([environment.tool("clang-format"), "-i", *files])
    environment.run([environment.tool("ruff"), "check", "--quiet", "--fix", "."])
    environment.run([environment.tool("ruff"), "format", "."])


def exports() -> list[str]:
    """The built module exports its entry point and nothing else."""
    name = "_core" + sysconfig.get_config_var("EXT_SUFFIX")
    return list(house_rules.exports_one_symbol(environment.BUILD / "meson" / "src" / name))


def rule(check: collections.abc.Callable[[], house_rules.Remarks]) -> collections.abc.Callable[[], list[str]]:
    """One of the house's rules as a check of this file."""

    def run() -> list[str]:
        return list(check())

    run.__doc__ = check.__doc__
    return run


def checks() -> list[collections.abc.Callable[[], list[str]]]:
    """All checks, the quick ones first."""
    rules = [rule(check) for check in house_rules.RULES]
    return [*rules, exports, c_format, python_lint, python_format, python_types, stubs, c_tidy]


def run() -> Counts:
    """Runs all checks; shows what they find."""
    counts = Counts()
    for check in checks():
        began = time.monotonic()
        remarks = check()
        took = time.monotonic() - began
        title = (check.__doc__ or "").splitlines()[0]
        say(f"  {'FAILED' if remarks else 'ok    '} {title}" + (f" ({took:.1f} s)" if took > 1 else ""))
        for remark in remarks:
            say(f"    {remark}")
        counts += Counts(failed=1) if remarks else Counts(passed=1)
    return counts
