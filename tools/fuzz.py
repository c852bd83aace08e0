"""`make fuzz`: libFuzzer on the reader of snapshot files, under AddressSanitizer and UBSan.

It begins with the golden files. What it finds out is kept for the next time in build/KEY/fuzz/corpus;
an input that breaks something is in build/KEY/fuzz/found.
"""

import os
import pathlib
import re
import shutil
import time

import environment
import toolchain
from steps import ROOT, Counts, Failed, log_path, quietly, say, show_failure, step

FOLDER = environment.BUILD / "fuzz"
GOLDEN = ROOT / "tests" / "golden"
SECONDS = 600
LONGEST_INPUT = 4096
SLOWEST_SECONDS = 10
MOST_MEGABYTES = 2048
OPTIONS = [
    "-Dextension=false",
    "-Dfuzzers=true",
    "-Db_ndebug=false",
    "-Ddebug=true",
    "-Doptimization=1",
    "-Db_lundef=false",
    "-Db_sanitize=address,undefined",
    "-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=all",
]
RUNS = re.compile(r"^Done (\d+) runs", re.MULTILINE)
COVERED = re.compile(r"^#\d+\s+\w+\s+cov: (\d+)", re.MULTILINE)


def build() -> pathlib.Path:
    """Builds the fuzzer with clang; the program."""
    build_folder = FOLDER / "meson"
    env = {"CC": "clang", **environment.bin_path()}
    if not (build_folder / "build.ninja").exists():
        command = [environment.tool("meson"), "setup", str(build_folder), str(ROOT), *OPTIONS]
        step("configuring the fuzzer", command, log="fuzz-setup", env=env)
    ninja = [environment.tool("ninja"), "-C", str(build_folder)]
    step("building the fuzzer", ninja, log="fuzz-build", env=env)
    return build_folder / "tests" / "fuzz" / "fuzz_snapfile"


def seeded_corpus() -> pathlib.Path:
    """The inputs to begin with: what was found before, and the golden files."""
    corpus = FOLDER / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for path in GOLDEN.glob("*.memtally"):
        shutil.copy(path, corpus / path.name)
    return corpus


def run(seconds: int) -> Counts:
    """Builds the fuzzer and lets it look for so long."""
    if not toolchain.check_fuzzer():
        say("fuzzing: FAILED, it needs clang and its runtime")
        return Counts(failed=1)
    try:
        with environment.locked():
            program = build()
    except Failed:
        say("fuzzing: FAILED, it does not build")
        return Counts(failed=1)
    found = FOLDER / "found"
    found.mkdir(exist_ok=True)
    command: list[str | pathlib.Path] = [
        program,
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={SLOWEST_SECONDS}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-artifact_prefix={found}{os.sep}",
        seeded_corpus(),
    ]
    began = time.monotonic()
    code = quietly(f"fuzzing for {seconds} s", command, log="fuzz")
    output = log_path("fuzz").read_text(encoding="utf-8", errors="replace")
    runs, covered = RUNS.search(output), COVERED.findall(output)
    if code != 0 or runs is None or runs.group(1) == "0":
        show_failure("fuzzing the reader of snapshot files", code, "fuzz")
        say(f"fuzzing: FAILED; inputs that break something are in {found.relative_to(ROOT)}")
        return Counts(failed=1)
    took = time.monotonic() - began
    say(f"fuzzing: {runs.group(1)} inputs in {took:.0f} s, {covered[-1] if covered else 0} edges reached")
    return Counts(passed=1)
