"""An extension with memtally.h needs no memtally, does not import it, and finds it whenever it comes."""

from __future__ import annotations

import ctypes
import os
import runpy
import subprocess
import sys

import pytest

import memtally

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
HERE = os.path.dirname(os.path.abspath(__file__))
LOAD = """
import os, sys
from extension_builder import load
TRACK, UNTRACK, FIND, IS_TRACING = range(4)
def all_ways(*request):
    answers = {reporting.ask(*request, how) for how in range(4)}
    assert len(answers) == 1, answers
    return answers.pop()
"""


def test_without_memtally_every_call_says_so_and_nothing_is_imported():
    check(f"""{LOAD}
sys.modules["memtally"] = sys.modules["memtally._core"] = None  # as if it were not installed
reporting = load("reporting")
reporting.again()
for what in (TRACK, UNTRACK, FIND):
    assert all_ways(what, 5, 0x1000, 10) == -3
assert all_ways(IS_TRACING, 0, 0, 0) == 0
assert not [name for name, module in sys.modules.items() if "memtally" in name and module is not None]
""")


@pytest.mark.parametrize("option", ["", "MEMTALLY_SAFE"])
def test_memtally_may_come_after_the_extension(option: str) -> None:
    check(
        f"""{LOAD}
reporting = load("reporting")
assert all_ways(TRACK, 5, 0x1000, 10) == -3
import memtally
assert all_ways(TRACK, 5, 0x1000, 10) == -2
memtally.start()
assert all_ways(TRACK, 5, 0x1000, 10) == 0
assert [trace.size for trace in memtally.take_snapshot().traces if trace.domain == 5] == [10]
""",
        env={option: "1"} if option else None,
    )


def test_memtally_may_come_before_the_extension():
    check(f"""{LOAD}
import memtally
memtally.start()
reporting = load("reporting")
assert all_ways(TRACK, 5, 0x1000, 10) == 0
assert reporting.ask(FIND, 5, 0x1000)[0] == 10
""")


def test_tracing_may_begin_with_the_program():
    check(
        f"""{LOAD}
reporting = load("reporting")
assert all_ways(IS_TRACING, 0, 0, 0) == 1
assert all_ways(TRACK, 5, 0x1000, 10) == 0
""",
        "-X",
        "memtally",
    )


def test_two_extensions_and_a_second_import_of_memtally_share_one_slot():
    check(f"""{LOAD}
from extension_builder import build
import importlib, shutil, tempfile
reporting = load("reporting")
with tempfile.TemporaryDirectory() as folder:
    path = shutil.copy(build("reporting"), folder)
    spec = importlib.util.spec_from_file_location("reporting", path)
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    import memtally
    memtally.start()
    for name in [name for name in sys.modules if name.startswith("memtally")]:
        del sys.modules[name]
    import memtally as again
    assert again is not memtally and again.is_tracing()
    assert reporting.ask(TRACK, 5, 0x1000, 10) == 0
    assert other.ask(FIND, 5, 0x1000)[0] == 10
""")


INTERPRETERS = (
    LOAD
    + """
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    def make(own_gil):
        return interpreters.create("isolated" if own_gil else "legacy")
else:
    import _xxsubinterpreters as interpreters
    def make(own_gil):
        return interpreters.create(isolated=own_gil)
def run(own_gil, code):
    which = make(own_gil)
    error = interpreters.run_string(which, "import sys; sys.path[:] = %r\\n" % sys.path + code)
    assert error is None, error
    interpreters.destroy(which)
CODE = '''
from extension_builder import load
reporting = load("reporting")
for how in range(4):
    assert reporting.ask(0, 5, 0x1000 + how, 10, how) == EXPECTED, reporting.ask(0, 5, 0x1000 + how, 10, how)
    reporting.ask(2, 5, 0x1000 + how, 0, how)
'''
"""
)
own_gil = pytest.mark.parametrize(
    "own_gil",
    [
        pytest.param(False, id="shared GIL"),
        pytest.param(
            True,
            id="own GIL",
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="one GIL for all before 3.12"),
        ),
    ],
)


@own_gil
def test_an_extension_that_only_another_interpreter_has_is_not_connected(own_gil: bool) -> None:
    check(f"""{INTERPRETERS}
import memtally
memtally.start()
run({own_gil}, CODE.replace("EXPECTED", "-3"))
reporting = load("reporting")
assert all_ways(TRACK, 5, 0x1000, 10) == 0
""")


@own_gil
def test_an_extension_that_the_main_interpreter_has_reports_from_all(own_gil: bool) -> None:
    check(f"""{INTERPRETERS}
reporting = load("reporting")
import memtally
memtally.start(3)
run({own_gil}, CODE.replace("EXPECTED", "0"))
traces = [trace for trace in memtally.take_snapshot().traces if trace.domain == 5]
assert [trace.size for trace in traces] == [10] * 4
names = {{trace.traceback[-1].filename for trace in traces}}
assert names in ({{"<string>", "<unknown>"}}, {{"<script>", "<unknown>"}}), traces
""")


@pytest.mark.parametrize(("start", "said"), [(True, "late 0 0 <unknown> 0"), (False, "late -2 -2 none -2")])
def test_reports_are_welcome_after_python_has_ended(start: bool, said: str) -> None:
    stdout = check(f"""{LOAD}
reporting = load("reporting")
reporting.report_at_exit()
import memtally
if {start}:
    memtally.start()
""")
    assert stdout == said + "\n"


def test_reports_are_welcome_in_a_forked_child():
    check(
        f"""{LOAD}
reporting = load("reporting")
import memtally
memtally.start()
reporting.ask(TRACK, 5, 0x1000, 10)
child = os.fork()
if child == 0:
    good = reporting.ask(FIND, 5, 0x1000)[0] == 10 and reporting.ask(TRACK, 5, 0x2000, 10, 2) == 0
    os._exit(0 if good else 1)
assert os.waitpid(child, 0)[1] == 0
""",
        "-W",
        "ignore::DeprecationWarning",
    )


def test_an_extension_links_nothing_and_exports_nothing_of_memtallys():
    listed = subprocess.run(
        ["nm", "--dynamic", build("reporting")], capture_output=True, text=True, check=True
    )
    assert "emtally" not in listed.stdout
    assert "PyInit_reporting" in listed.stdout


def test_the_capsule_has_the_table_of_functions():
    class Table(ctypes.Structure):
        _fields_ = [
            ("version", ctypes.c_uint32),
            ("size", ctypes.c_uint32),
            ("functions", ctypes.c_void_p * 5),
        ]

    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = Table.from_address(get(memtally._core._C_API, b"memtally._core._C_API"))
    assert (table.version, table.size) == (1, ctypes.sizeof(Table))
    assert all(table.functions)


def test_get_include_has_the_header_installed_or_in_the_source_tree():
    tree = os.path.dirname(os.path.dirname(HERE))
    in_tree = runpy.run_path(os.path.join(tree, "memtally", "_include.py"))["get_include"]()
    assert in_tree == os.path.join(tree, "include")
    assert os.path.isfile(os.path.join(in_tree, "memtally.h"))
    folder = memtally.get_include()
    assert os.path.isabs(folder)
    with open(os.path.join(folder, "memtally.h"), encoding="ascii") as installed:
        assert "Memtally_Track" in installed.read()
