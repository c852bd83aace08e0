"""Interpreters that memtally does not know are refused in one sentence; all places name the same versions."""

import importlib
import pathlib
import re
import subprocess
import sys

import pytest

from memtally import _interpreter

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRETEND = """
import sys
class Version(tuple):
    major, minor = property(lambda self: self[0]), property(lambda self: self[1])
sys.version_info = Version({version})
sys.abiflags = {flags!r}
"""


def import_as(version, flags="", name="cpython"):
    pretend = PRETEND.format(version=version, flags=flags) + f"sys.implementation.name = {name!r}\n"
    return subprocess.run(
        [sys.executable, "-c", pretend + "import memtally; print('imported')"], capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("version", "flags", "name", "told"),
    [
        ((3, 16, 0, "final", 0), "", "cpython", "and this is CPython 3.16"),
        ((4, 0, 0, "final", 0), "", "cpython", "and this is CPython 4.0"),
        ((3, 10, 9, "final", 0), "", "cpython", "and this is CPython 3.10"),
        (
            (3, 15, 0, "final", 0),
            "t",
            "cpython",
            "with the GIL, and this is a free-threaded build of CPython 3.15",
        ),
        ((3, 11, 0, "final", 0), "", "pypy", "and this is pypy 3.11"),
    ],
)
def test_an_unknown_interpreter_is_refused_in_one_sentence(version, flags, name, told):
    done = import_as(version, flags, name)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: memtally knows CPython 3.11 to 3.15")
    assert last.endswith(told)


def test_this_interpreter_is_known():
    assert _interpreter.refusal() == ""
    assert import_as(tuple(sys.version_info)).stdout == "imported\n"


def test_all_places_name_the_same_versions():
    oldest, newest = _interpreter.OLDEST[1], _interpreter.NEWEST[1]
    places = {
        "pyproject.toml": rf'requires-python = ">=3\.{oldest},<3\.{newest + 1}"',
        "meson.build": rf"knows CPython 3\.{oldest} to 3\.{newest},",
        "src/cpython/compat.h": rf"_HEX >= 0x03{newest + 1:02X}0000\n#error .* 3\.{oldest} to 3\.{newest}\"",
        "tools/toolchain.py": rf"NEWER = \(3, {newest + 1}\)",
        "README.md": rf"CPython 3\.{oldest} to 3\.{newest}",
    }
    for name, pattern in places.items():
        assert re.search(pattern, (ROOT / name).read_text(encoding="utf-8")), name
    classifiers = re.findall(r'Python :: 3\.(\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert list(map(int, classifiers)) == list(range(oldest, newest + 1))
    adapters = (ROOT / "src/cpython/frames").glob("frames_3*.h")
    assert {path.name for path in adapters} == {f"frames_3{minor}.h" for minor in range(oldest, newest + 1)}


def test_a_built_module_of_another_version_is_refused():
    """The module asks CPython itself which version it is; here by a library that answers otherwise."""
    core = importlib.import_module("memtally._core")
    assert core.__file__ is not None
    code = f"""
import ctypes, importlib.util, sys
version = ctypes.c_ulong.in_dll(ctypes.pythonapi, "Py_Version")
page = ctypes.addressof(version) & -4096
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(page), ctypes.c_size_t(8192), 3) == 0
version.value += 1 << 16
spec = importlib.util.spec_from_file_location("memtally._core", {core.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: memtally was built for CPython {}.{}, and this is CPython ".format(*sys.version_info)
    )
