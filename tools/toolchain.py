"""What has to be on the machine already: says in one line what is missing and how to get it on Debian."""

import importlib.util
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile

from steps import Missing, quietly, say, show_failure

NEWER = (3, 16)  # not known yet
COMPILERS = ("cc", "gcc", "clang")


def debian_package(kind: str) -> str:
    """The name of this interpreter's package on Debian: `debian_package("dev")` is python3.11-dev."""
    return f"python{sys.version_info[0]}.{sys.version_info[1]}-{kind}"


def check_interpreter() -> None:
    """The interpreter this runs in: CPython, with a way to make environments."""
    if platform.python_implementation() != "CPython":
        raise Missing(f"needs CPython, {sys.executable} is {platform.python_implementation()}")
    if sys.version_info >= NEWER:
        raise Missing(
            f"knows CPython up to {NEWER[0]}.{NEWER[1] - 1}, {sys.executable} is {sys.version.split()[0]}"
        )
    for module in ("venv", "ensurepip"):
        if not can_be_run(module):
            raise Missing(
                f"{sys.executable} has no module {module}, needed to make .venv: "
                f"apt-get install {debian_package('venv')}"
            )


def can_be_run(module: str) -> bool:
    """Whether `python -m MODULE` finds something; an empty folder of that name is not it."""
    try:
        return importlib.util.find_spec(f"{module}.__main__") is not None
    except ModuleNotFoundError:
        return False


def compiler() -> list[str]:
    """The C compiler as a command, the one that meson will choose."""
    named = os.environ.get("CC")
    if named:
        command = shlex.split(named)
        if shutil.which(command[0]) is None:
            raise Missing(f"no C compiler: CC names {named}, which is not there")
        return command
    for name in COMPILERS:
        if shutil.which(name):
            return [name]
    raise Missing("no C compiler (cc, gcc or clang): apt-get install gcc libc6-dev")


def compiles(source: str, *arguments: str) -> bool:
    """Whether a program can be compiled and linked."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "try.c")
        file.write_text(source, encoding="ascii")
        command = [*compiler(), str(file), "-o", str(file.with_suffix("")), *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def check_compiler() -> None:
    """A C compiler that makes programs, and CPython's headers with the internal ones."""
    include = pathlib.Path(sysconfig.get_path("include"))
    for header in ("Python.h", "internal/pycore_frame.h"):
        if not (include / header).is_file():
            raise Missing(f"no header {include / header}: apt-get install {debian_package('dev')}")
    if not compiles('#include <stdio.h>\nint main(void) { return puts("") < 0; }\n'):
        raise Missing(f"the C compiler {compiler()[0]} makes no programs: apt-get install gcc libc6-dev")


def check_cmocka() -> bool:
    """Whether the C tests can be built; as root on Debian it installs what they need."""
    headers = "".join(f"#include <{name}.h>\n" for name in ("stdarg", "stddef", "stdint", "setjmp", "cmocka"))
    source = headers + "int main(void) { fail(); return 0; }\n"
    return compiles(source, "-lcmocka") or (apt_install("libcmocka-dev") and compiles(source, "-lcmocka"))


def check_fuzzer() -> bool:
    """Whether clang can build what libFuzzer runs; as root on Debian it installs what that needs."""
    source = "int LLVMFuzzerTestOneInput(const char *data, long size) { return !data && size; }\n"

    def works() -> bool:
        if shutil.which("clang") is None:
            return False
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "try.c")
            file.write_text(source, encoding="ascii")
            command = [
                "clang",
                "-fsanitize=fuzzer,address,undefined",
                str(file),
                "-o",
                str(file.with_suffix("")),
            ]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

    return works() or (apt_install("clang") and apt_install("libclang-rt-dev") and works())


def check_program(name: str, package: str) -> bool:
    """Whether a program is on the PATH; as root on Debian it installs it."""
    return bool(shutil.which(name)) or (apt_install(package) and bool(shutil.which(name)))


def may_install() -> bool:
    """Whether packages of the system can be installed from here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(package: str, *, recommended: bool = True) -> bool:
    """Installs a Debian package where that is allowed; otherwise names the command that does it."""
    command = f"apt-get install {package}"
    if not may_install():
        say(f"memtally: {package} is missing: sudo {command}")
        return False
    say(f"  {package} is missing, installing it")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    quietly("apt-get update", ["apt-get", "update"], log="apt-update", env=env)
    words = ["apt-get", "install", "-y", *([] if recommended else ["--no-install-recommends"]), package]
    code = quietly(command, words, log="apt-install", env=env)
    if code != 0:
        show_failure(command, code, "apt-install")
    return code == 0
