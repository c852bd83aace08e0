"""The virtual environment and the build of one interpreter, .venv/KEY and build/KEY: made when needed, kept.

Whoever holds the lock of a KEY may change these two folders; nobody needs it to use them.
"""

import collections.abc
import contextlib
import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys
import sysconfig
import tempfile

import toolchain
from steps import ROOT, Command, say, step

PACKAGE_INPUTS = ("src", "include", "memtally", "meson.build", "meson.options", "pyproject.toml", "LICENSE")


def key() -> str:
    """Names this interpreter: two of the same version in different places are two."""
    place = hashlib.sha256(os.path.realpath(sys.base_exec_prefix).encode()).hexdigest()[:6]
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{sys.implementation.name}-{version}{getattr(sys, 'abiflags', '')}-{place}"


VENV = ROOT / ".venv" / key()
BUILD = ROOT / "build" / key()
PYTHON = str(VENV / "bin" / "python")
PIP = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install"]
BENCH_VENV = VENV.with_name(VENV.name + "-bench")  # memtally beside what it is compared with
BENCH_PYTHON = str(BENCH_VENV / "bin" / "python")


def tool(name: str) -> str:
    """The path of a tool of the environment."""
    return str(VENV / "bin" / name)


def bin_path() -> dict[str, str]:
    """The environment variables with which the tools of the virtual environment are found first."""
    return {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


@contextlib.contextmanager
def locked() -> collections.abc.Iterator[None]:
    """Keeps a second `make` for the same interpreter waiting until this one has built."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  another make is building; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def log(name: str) -> str:
    """The name of a log of this interpreter."""
    return f"{key()}-{name}"


def make_venv(venv: pathlib.Path = VENV) -> None:
    """The virtual environment. A half-made one (interrupted) is made anew."""
    stamp = venv / "complete"
    if stamp.exists() and (venv / "bin" / "python").exists():
        return
    toolchain.check_interpreter()
    toolchain.check_compiler()
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    step(f"making .venv/{venv.name}", command, log=log("venv"))
    stamp.touch()


def require(kind: str, venv: pathlib.Path = VENV) -> None:
    """Installs tools/requirements-KIND.txt into the environment, unless they are there already."""
    wanted = (ROOT / "tools" / f"requirements-{kind}.txt").read_text(encoding="ascii")
    stamp = venv / f"requirements-{kind}"
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    names = wanted.split()
    command = [str(venv / "bin" / "python"), *PIP[1:], *names]
    step(f"installing the tools to {kind}", command, log=log(f"requirements-{kind}"))
    stamp.write_text(wanted, encoding="ascii")


def fingerprint() -> str:
    """Changes when a file that the package is made of, or a flag, changes."""
    digest = hashlib.sha256(repr((werror(), os.environ.get("CC"), os.environ.get("CFLAGS"))).encode())
    for name in PACKAGE_INPUTS:
        place = ROOT / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and path.suffix not in (".pyc", ".so"):
                status = path.stat()
                digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def werror() -> bool:
    """Whether a compiler's warning ends the build."""
    return os.environ.get("WERROR", "") not in ("0", "false", "no")


def install() -> None:
    """Builds memtally in build/KEY/meson and installs it, if something changed since the last time."""
    stamp = BUILD / "installed"
    wanted = fingerprint()
    if stamp.exists() and (VENV / "installed").exists() and stamp.read_text(encoding="ascii") == wanted:
        link_into_tree()
        return
    stamp.unlink(missing_ok=True)
    command = [*PIP, *build_options(), "--force-reinstall"]
    if (BUILD / "meson" / "build.ninja").exists():
        # Compiled beforehand, errors are shown as the compiler writes them and not wrapped up by pip.
        step("compiling", [tool("ninja"), "-C", str(BUILD / "meson")], log=log("compile"), env=bin_path())
    step("building memtally", [*command, "."], log=log("build"), env=bin_path())
    (VENV / "installed").touch()
    stamp.write_text(wanted, encoding="ascii")
    link_into_tree()


def build_options() -> list[str]:
    """The options with which pip builds memtally in build/KEY/meson."""
    settings = [f"build-dir={BUILD / 'meson'}", "setup-args=-Ddebug=true"]
    settings += [f"setup-args=-Dwerror={'true' if werror() else 'false'}"]
    options = [word for setting in settings for word in ("--config-settings", setting)]
    return ["--no-build-isolation", "--no-deps", *options]


def install_for_benchmarks() -> None:
    """Installs the same build into the benchmarks' environment, if something changed since the last time."""
    stamp = BENCH_VENV / "installed"
    wanted = fingerprint()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    with tempfile.TemporaryDirectory() as folder:
        make = [*PIP[:-1], "wheel", *build_options(), "--wheel-dir", folder, "."]
        step("packing memtally for the benchmarks", make, log=log("bench-wheel"), env=bin_path())
        (wheel,) = pathlib.Path(folder).glob("*.whl")
        install = [BENCH_PYTHON, *PIP[1:], "--no-deps", "--force-reinstall", str(wheel)]
        step("installing memtally for the benchmarks", install, log=log("bench-install"))
    stamp.write_text(wanted, encoding="ascii")


def link_into_tree() -> None:
    """Links the built module into memtally/.

    So `import memtally` works in the root folder too, where Python finds the folder before the installation.
    """
    name = "_core" + sysconfig.get_config_var("EXT_SUFFIX")
    built = BUILD / "meson" / "src" / name
    link = ROOT / "memtally" / name
    target = os.path.relpath(built, link.parent)
    if link.is_symlink() and os.readlink(link) == target:
        return
    fresh = link.with_name(f".{name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


def prepare(*kinds: str) -> None:
    """Everything that a command needs: the environment, its tools, memtally built and installed."""
    with locked():
        make_venv()
        for kind in ("build", *kinds):
            require(kind)
        install()


def prepare_benchmarks() -> None:
    """The benchmarks' environment: memtally as `prepare` builds it, and what it is compared with."""
    prepare()
    with locked():
        make_venv(BENCH_VENV)
        require("bench", BENCH_VENV)
        install_for_benchmarks()


def run(command: Command) -> int:
    """Runs a command with the tools of the environment, its output shown as it comes."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, env=os.environ | bin_path(), check=False).returncode
