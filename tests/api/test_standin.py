"""memtally in the place of the standard module: `import tracemalloc` gives memtally until that is undone."""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from fresh_process import check, run

GUPPY = importlib.util.find_spec("guppy") is not None
BEGIN = "import memtally\nmemtally.replace_tracemalloc()\nmemtally.start(5)\n"
LEAK = """if True:
    def leak():
        open(__import__('os').devnull)
    leak()
"""


def test_imports_of_all_spellings_give_memtally() -> None:
    check(
        BEGIN
        + """if True:
    import importlib, tracemalloc, _tracemalloc, tracemalloc as spelled
    from tracemalloc import Filter, is_tracing, start
    assert tracemalloc is spelled is memtally is importlib.import_module('tracemalloc')
    assert _tracemalloc is memtally._core and start is memtally.start and Filter is memtally.Filter
    assert is_tracing() and tracemalloc.get_object_traceback(bytes(700)) is not None
    names = {}
    exec('from tracemalloc import *', names)
    assert names['Snapshot'] is memtally.Snapshot
    """
    )


def test_restoring_gives_back_what_was_there_before() -> None:
    check("""if True:
    import tracemalloc as standard, _tracemalloc as inner, memtally, _imp
    create = _imp.create_dynamic
    for _ in range(3):
        memtally.replace_tracemalloc()
        assert sys.modules['tracemalloc'] is memtally
        memtally.restore_tracemalloc()
        assert sys.modules['tracemalloc'] is standard and sys.modules['_tracemalloc'] is inner
        assert _imp.create_dynamic is create
    memtally.restore_tracemalloc()
    assert sys.modules['tracemalloc'] is standard
    """)


def test_restoring_where_nobody_had_imported_the_standard_module_leaves_no_trace() -> None:
    check("""if True:
    import memtally
    assert 'tracemalloc' not in sys.modules
    memtally.replace_tracemalloc()
    import tracemalloc
    memtally.restore_tracemalloc()
    assert 'tracemalloc' not in sys.modules and '_tracemalloc' not in sys.modules
    import tracemalloc
    assert tracemalloc is not memtally and not tracemalloc.is_tracing()
    """)


def test_replacing_twice_is_undone_by_one_restoring() -> None:
    check("""if True:
    import tracemalloc as standard, memtally
    memtally.replace_tracemalloc()
    memtally.replace_tracemalloc()
    memtally.restore_tracemalloc()
    assert sys.modules['tracemalloc'] is standard
    """)


def test_as_a_context_manager_it_undoes_only_what_it_did() -> None:
    check("""if True:
    import tracemalloc as standard, memtally
    with memtally.replace_tracemalloc():
        with memtally.replace_tracemalloc():
            assert sys.modules['tracemalloc'] is memtally
        assert sys.modules['tracemalloc'] is memtally
    assert sys.modules['tracemalloc'] is standard
    try:
        with memtally.replace_tracemalloc():
            raise KeyError
    except KeyError:
        assert sys.modules['tracemalloc'] is standard
    """)


def test_what_somebody_else_put_there_since_stays() -> None:
    check("""if True:
    import types, memtally
    memtally.replace_tracemalloc()
    theirs = sys.modules['tracemalloc'] = types.ModuleType('tracemalloc')
    memtally.restore_tracemalloc()
    assert sys.modules['tracemalloc'] is theirs and '_tracemalloc' not in sys.modules
    """)


def test_tracing_is_neither_started_nor_stopped() -> None:
    check("""if True:
    import memtally
    with memtally.replace_tracemalloc():
        assert not memtally.is_tracing()
        memtally.start(3)
    assert memtally.is_tracing()
    """)


@pytest.mark.parametrize("imported_before", [False, True])
def test_snapshots_of_the_standard_module_are_still_to_be_had(imported_before: bool) -> None:
    check(
        ("import tracemalloc as standard\n" if imported_before else "")
        + BEGIN
        + """if True:
    snapshot = memtally.take_snapshot()
    other = snapshot.to_tracemalloc()
    assert type(other).__module__ == 'tracemalloc' and type(other) is not memtally.Snapshot
    assert len(memtally.Snapshot.from_tracemalloc(other).traces) == len(snapshot.traces)
    import tracemalloc
    assert tracemalloc is memtally
    memtally.restore_tracemalloc()
    import tracemalloc
    assert type(other) is tracemalloc.Snapshot
    """
    )


def test_a_resource_warning_says_where_the_object_was_allocated() -> None:
    done = run(BEGIN + LEAK, "-W", "default")
    assert "ResourceWarning" in done.stderr
    assert "Object allocated at (most recent call last):" in done.stderr
    assert "Enable tracemalloc" not in done.stderr


def test_a_resource_warning_after_restoring_does_not() -> None:
    done = run(BEGIN + "memtally.restore_tracemalloc()\n" + LEAK, "-W", "default")
    assert "Enable tracemalloc to get the object allocation traceback" in done.stderr


def test_a_resource_warning_at_exit_says_it_too() -> None:
    done = run(BEGIN + "kept = open(__import__('os').devnull)\n", "-W", "default")
    assert done.returncode == 0
    assert "ResourceWarning" in done.stderr
    assert "Object allocated at" in done.stderr


def test_unittest_shows_where_the_object_was_allocated() -> None:
    done = run(
        BEGIN
        + """if True:
    import os, unittest
    class Case(unittest.TestCase):
        def test_it(self):
            open(os.devnull)
        def test_warns(self):
            with self.assertWarns(ResourceWarning):
                open(os.devnull)
    unittest.main(argv=['x'])
    """
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Object allocated at") == 1, done.stderr
    assert "OK" in done.stderr


@pytest.mark.skipif(
    not importlib.util.find_spec("test") or not importlib.util.find_spec("test.support"),
    reason="this Python comes without its test suite (Debian: libpython3-testsuite)",
)
@pytest.mark.skipif(sys.version_info < (3, 12), reason="test.support asks tracemalloc from 3.12 on")
def test_the_support_of_cpythons_tests_sees_that_memtally_traces() -> None:
    check(
        """if True:
    import unittest, memtally
    from test import support
    memtally.replace_tracemalloc()
    support._check_tracemalloc()
    memtally.start()
    try:
        support._check_tracemalloc()
    except unittest.SkipTest as skip:
        assert 'tracemalloc' in str(skip)
    else:
        raise AssertionError('not skipped')
    """
    )


@pytest.mark.skipif(not GUPPY, reason="guppy3 has no wheel for this CPython")
@pytest.mark.parametrize("when", ["before", "after"])
def test_guppy_classifies_by_where_memtally_saw_the_allocation(when: str) -> None:
    before, after = ("from guppy import hpy", "") if when == "before" else ("", "from guppy import hpy")
    check(
        f"""if True:
    import memtally
    {before}
    memtally.replace_tracemalloc()
    memtally.start(5)
    {after}
    class Thing:
        pass
    LINE = sys._getframe().f_lineno + 1
    things = [Thing() for _ in range(100)]
    heap = hpy()
    made = heap.iso(*things)
    assert len(made.byprod) == 1 and made.byprod[0].count == 100
    assert repr((made.byprod.kind.arg)) == repr(('<string>', LINE)), made.byprod
    assert f'line {{LINE}}' in str(made.byid[0].prod)
    assert (made & heap.Prod('<string>', LINE)).count == 100
    """,
        timeout=120,
    )
