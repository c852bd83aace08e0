"""The core's C tests: built without Python in build/KEY/core-VARIANT, run by `meson test`, counted singly."""

import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import time
from typing import Any

import environment
import toolchain
from steps import ROOT, Counts, Failed, quietly, say, step

OPTIONS = ["-Dextension=false", "-Dcore_tests=true"]


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to build and run the core's tests."""

    name: str
    title: str
    options: list[str]  # meson's
    slower: int = 1  # than usual: how often the time that a test may take
    env: dict[str, str] = dataclasses.field(default_factory=dict)  # for the tests
    brings_cmocka: bool = False  # else it is this machine's


DEBUG = ["-Db_ndebug=false", "-Ddebug=true"]
SANITIZED = [*DEBUG, "-Doptimization=1", "-Db_lundef=false"]
ASAN = ["-Db_sanitize=address,undefined", "-Dc_args=-fno-sanitize-recover=all"]
PLAIN = Variant("plain", "core tests", DEBUG)
SANITIZERS = (
    Variant("asan", "core tests under AddressSanitizer and UBSan", [*SANITIZED, *ASAN], slower=4),
    Variant("tsan", "core tests under ThreadSanitizer", [*SANITIZED, "-Db_sanitize=thread"], slower=4),
)
# ThreadSanitizer's shadow memory collides with the widest randomisation of addresses that kernels offer.
FIXED_ADDRESSES = ["setarch", "-R"]
OK = re.compile(r"^\[ +OK \] ", re.MULTILINE)
BAD = re.compile(r"^\[  (?:FAILED|ERROR) +\] (?!\d+ test)(\S+)", re.MULTILINE)
SKIPPED = re.compile(r"^\[  SKIPPED \] (?!\d+ test)(\S+)", re.MULTILINE)


def configure(variant: Variant) -> pathlib.Path:
    """Makes the build folder of a variant ready, compile commands included; the folder."""
    folder = environment.BUILD / f"core-{variant.name}"
    options = [*OPTIONS, f"-Dwerror={'true' if environment.werror() else 'false'}", *variant.options]
    stamp = folder / "options"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != repr(options):
        again = ["--reconfigure"] if (folder / "build.ninja").exists() else []
        command = [environment.tool("meson"), "setup", *again, str(folder), str(ROOT), *options]
        label = f"configuring the {variant.title}"
        env = environment.bin_path() | variant.env
        step(label, command, log=f"core-{variant.name}-setup", env=env)
        stamp.write_text(repr(options), encoding="utf-8")
    return folder


def build(variant: Variant) -> pathlib.Path:
    """Builds the test programs of a variant, only what changed; its folder."""
    folder = configure(variant)
    command = [environment.tool("ninja"), "-C", str(folder)]
    label = f"building the {variant.title}"
    step(label, command, log=f"core-{variant.name}-build", env=environment.bin_path())
    return folder


def run(variant: Variant) -> Counts:
    """Builds and runs the core's tests; what fails is shown."""
    title = variant.title
    if not variant.brings_cmocka and not toolchain.check_cmocka():
        say(f"{title}: FAILED, they need cmocka")
        return Counts(failed=1)
    try:
        with environment.locked():
            folder = build(variant)
    except Failed:
        say(f"{title}: FAILED, they do not build")
        return Counts(failed=1)
    results = folder / "meson-logs" / "testlog.json"
    results.unlink(missing_ok=True)
    command = [
        environment.tool("meson"),
        "test",
        "-C",
        str(folder),
        "--no-rebuild",
        "-t",
        str(variant.slower),
    ]
    if variant.name == "tsan" and addresses_can_be_fixed():
        command = [*FIXED_ADDRESSES, *command]
    env = environment.bin_path() | variant.env
    began = time.monotonic()
    quietly(f"running the {title}", command, log=f"core-{variant.name}", env=env)
    counts = Counts()
    if results.exists():
        for line in results.read_text(encoding="utf-8").splitlines():
            counts += program_counts(json.loads(line))
    if not counts.passed and not counts.failed:
        say(f"{title}: FAILED, no test ran; see build/logs/core-{variant.name}.log")
        return Counts(failed=1)
    say(f"{title}: {counts} in {time.monotonic() - began:.1f} s")
    return counts


def addresses_can_be_fixed() -> bool:
    """Whether programs can be run without address space randomisation here (some containers forbid it)."""
    if shutil.which(FIXED_ADDRESSES[0]) is None:
        return False
    return subprocess.run([*FIXED_ADDRESSES, "true"], capture_output=True, check=False).returncode == 0


def program_counts(result: dict[str, Any]) -> Counts:
    """What one test program did: its cmocka tests counted one by one, a crash as one failure."""
    output = (result.get("stdout") or "") + (result.get("stderr") or "")
    name = f"{'/'.join(result.get('suite') or [])} {result['name']}".strip()
    bad = set(BAD.findall(output))
    skipped = list(dict.fromkeys(SKIPPED.findall(output)))
    counts = Counts(len(OK.findall(output)), len(bad), len(skipped))
    if result["result"] not in ("OK", "EXPECTEDFAIL", "SKIP") and not bad:
        counts.failed += 1
    elif not counts.passed and not counts.failed and not counts.skipped:
        counts.failed += 1
        output += "\nthe program ran no test"
    for test in skipped:
        say(f"  SKIPPED {name}: {test}")
    if counts.failed:
        say(f"--- {name}: {result['result']}, exit code {result.get('returncode')}\n{output.rstrip()}\n---")
    return counts
