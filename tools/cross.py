"""`make cross`: the core's C tests for a machine, and for a C library, that this one has not.

    aarch64   Debian's cross compiler; the tests run under qemu-user
    musl      musl-gcc; the tests run as they are

The page size is not the one of this machine either: aarch64 also has pages of 16 and 64 KiB
(tests/core/support.h). cmocka is compiled for both out of Debian's source package. qemu is Debian's too,
and not the one that may be installed: before version 8 it keeps a note for each page that a program
reserves, which is gigabytes here. apt fetches and checks both; they stay in build/KEY/cross.
"""

import dataclasses
import os
import pathlib
import shutil
import tarfile

import core_tests
import environment
import toolchain
from steps import ROOT, Counts, Failed, say, step

FOLDER = environment.BUILD / "cross"
MACHINES = ROOT / "tools" / "cross"
SUITE = "trixie"  # its cmocka and its qemu, whatever Debian this is
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CMOCKA_HAS = ["INTTYPES_H", "MALLOC_H", "SIGNAL_H", "STRINGS_H", "STRSIGNAL", "SIGLONGJMP"]
CMOCKA_HAS += ["GCC_THREAD_LOCAL_STORAGE", "STRUCT_TIMESPEC", "CLOCK_REALTIME"]


@dataclasses.dataclass(frozen=True)
class Target:
    """What the tests are compiled for."""

    name: str
    title: str
    file: str  # meson's option for the machine file
    compiler: str
    needs: tuple[tuple[str, str], ...]  # programs or files, and the Debian package of each
    page: int  # bytes


TARGETS = (
    Target(
        "aarch64",
        "core tests for aarch64 (qemu, pages of 64 KiB)",
        "--cross-file",
        "aarch64-linux-gnu-gcc",
        (
            ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
            ("/usr/aarch64-linux-gnu/include/stdio.h", "libc6-dev-arm64-cross"),
        ),
        65536,
    ),
    Target(
        "musl",
        "core tests with musl (pages of 16 KiB)",
        "--native-file",
        "musl-gcc",
        (("musl-gcc", "musl-tools"),),
        16384,
    ),
)


def is_there(name: str) -> bool:
    """Whether a program, or a file with all of its path, is on this machine."""
    return pathlib.Path(name).exists() if name.startswith("/") else shutil.which(name) is not None


def have(needs: tuple[tuple[str, str], ...]) -> bool:
    """Whether everything needed is there; as root on Debian it is installed."""
    return all(
        is_there(name) or (toolchain.apt_install(package, recommended=False) and is_there(name))
        for name, package in needs
    )


def apt() -> list[str]:
    """apt-get on the packages of SUITE alone, in FOLDER: what this machine has is not touched."""
    place = FOLDER / "apt"
    for name in ("lists/partial", "archives/partial", "parts"):
        (place / name).mkdir(parents=True, exist_ok=True)
    mirror = os.environ.get("DEBIAN_MIRROR") or "http://deb.debian.org/debian"
    line = f"[signed-by={KEYRING}] {mirror} {SUITE} main\n"
    (place / "sources.list").write_text(f"deb {line}deb-src {line}", encoding="ascii")
    (place / "status").touch()
    settings = {
        "Dir::State::lists": place / "lists",
        "Dir::State::status": place / "status",
        "Dir::Cache": place,
        "Dir::Etc::sourcelist": place / "sources.list",
        "Dir::Etc::sourceparts": place / "parts",
        "Dir::Etc::preferencesparts": place / "parts",
        "APT::Sandbox::User": "root",
    }
    return ["apt-get", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]


def fetch() -> None:
    """Debian's qemu and the sources of cmocka, as FOLDER/qemu and FOLDER/cmocka; the first time."""
    complete = FOLDER / "fetched"
    if complete.exists():
        return
    step("reading Debian's lists", [*apt(), "update"], log="cross-lists")
    step("fetching qemu", [*apt(), "download", "qemu-user"], log="cross-qemu", cwd=FOLDER)
    sources = [*apt(), "source", "--download-only", "--tar-only", "cmocka"]
    step("fetching cmocka's sources", sources, log="cross-cmocka", cwd=FOLDER)
    package = newest("qemu-user_*.deb")
    step("unpacking qemu", ["dpkg-deb", "-x", package, FOLDER / "qemu"], log="cross-qemu-unpack")
    shutil.rmtree(FOLDER / "cmocka", ignore_errors=True)
    with tarfile.open(newest("cmocka_*.orig.tar.*")) as packed:
        packed.extractall(FOLDER / "cmocka", filter="data")
    complete.touch()


def newest(pattern: str) -> pathlib.Path:
    """The file of FOLDER that was fetched last."""
    return max(FOLDER.glob(pattern), key=lambda path: path.stat().st_mtime)


def build_cmocka(target: Target) -> pathlib.Path:
    """cmocka for a target; the folder with the file that tells pkg-config of it."""
    place = FOLDER / f"cmocka-{target.name}"
    told = place / "cmocka.pc"
    if told.exists():
        return place
    (sources,) = (FOLDER / "cmocka").iterdir()
    place.mkdir(exist_ok=True)
    has = [f"-DHAVE_{name}" for name in CMOCKA_HAS]
    command = [target.compiler, "-O2", "-g", "-c", *has, f"-I{sources / 'include'}"]
    command += [str(sources / "src" / "cmocka.c"), "-o", str(place / "cmocka.o")]
    step(f"compiling cmocka for {target.name}", command, log=f"cross-{target.name}-cmocka")
    step(
        "packing it", ["ar", "rcs", place / "libcmocka.a", place / "cmocka.o"], log=f"cross-{target.name}-ar"
    )
    told.write_text(
        "Name: cmocka\nDescription: unit tests in C\nVersion: 1\n"
        f"Libs: -L{place} -lcmocka\nCflags: -I{sources / 'include'}\n",
        encoding="utf-8",
    )
    return place


def variant(target: Target, cmocka: pathlib.Path) -> core_tests.Variant:
    """How the core's tests are built and run for a target."""
    options = [*core_tests.DEBUG, target.file, str(MACHINES / f"{target.name}.ini")]
    options += [f"-Dpkg_config_path={cmocka}"]
    path = f"{FOLDER / 'qemu' / 'usr' / 'bin'}{os.pathsep}{environment.bin_path()['PATH']}"
    env = {"PATH": path, "MEMTALLY_TEST_PAGE": str(target.page)}
    return core_tests.Variant(target.name, target.title, options, slower=10, env=env, brings_cmocka=True)


def run_target(target: Target) -> Counts:
    """The tests for one target. What it needs and cannot be had is a failure, not a skip."""
    if not have((("apt-get", "apt"), ("pkg-config", "pkg-config"), *target.needs)):
        say(f"{target.title}: FAILED, something is missing")
        return Counts(failed=1)
    try:
        with environment.locked():
            fetch()
            cmocka = build_cmocka(target)
    except Failed:
        say(f"{target.title}: FAILED, what they need could not be had")
        return Counts(failed=1)
    return core_tests.run(variant(target, cmocka))


def run() -> Counts:
    """The tests for all targets."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    counts = Counts()
    for target in TARGETS:
        counts += run_target(target)
    return counts
