"""What `make bench-instructions` makes of callgrind's files, and when it fails."""

import json
import pathlib
import shutil

import instructions
import pytest

DUMP = """\
version: 1
events: Ir
ob=(1) /lib/libpython.so
fl=(1) ceval.c
fn=(1) evaluate
0 100
+3 20
cob=(2) /site/memtally/_core.so
cfi=(2) hooks.c
cfn=(2) obj_malloc
calls=5 0
0 4000
* 7

ob=(2)
fl=(2)
fn=(2)
0 60
cob=(1)
cfn=(3) _PyObject_Malloc
calls=5 0
0 900
cob=(3) /lib/libc.so
cfn=(4) pthread_mutex_lock
calls=5 0
0 30
cfn=(2)
calls=1 0
0 60
ob=(1)
fn=(3)
0 900
ob=(3)
fn=(4)
0 30
"""


def test_what_memtally_does_and_has_done_for_it_is_tracing(tmp_path):
    dump = tmp_path / "dump"
    dump.write_text(DUMP)
    everything, tracing = instructions.totals_of(dump)
    assert everything == 100 + 20 + 7 + 60 + 900 + 30
    assert tracing == 60 + 30  # the lock counts, the allocator below does not


@pytest.mark.parametrize(("figure", "risen"), [(100.0, 0), (50.0, 0), (103.0, 0), (103.1, 1)])
def test_a_count_may_rise_by_three_percent_and_no_more(figure, risen, capsys):
    tracing, added = {"memtally:1": {"raw": figure}}, {"memtally:1": {"raw": 500.0}}
    assert instructions.compare(tracing, added, {"memtally:1": {"raw": 100.0}}) == risen
    assert ("+3.1 %  FAILED" in capsys.readouterr().out) == bool(risen)


def test_a_pattern_without_a_committed_figure_does_not_fail():
    assert instructions.compare({"memtally:1": {"new": 5.0}}, {"memtally:1": {"new": 5.0}}, {}) == 0


def test_updating_keeps_what_was_not_counted_this_time(tmp_path, monkeypatch):
    figures = tmp_path / "figures.json"
    monkeypatch.setattr(instructions, "FIGURES", figures)
    same = {"compiler": "gcc"}
    instructions.save({"memtally:1": {"raw": 1.0}}, same, {})
    instructions.save({"memtally:1": {"realloc": 2.0}}, same, json.loads(figures.read_text()))
    (entry,) = json.loads(figures.read_text()).values()
    assert set(entry["counts"]["memtally:1"]) == {"raw", "realloc"}
    instructions.save({"memtally:1": {"raw": 3.0}}, {"compiler": "clang"}, {"3.0": entry})
    assert json.loads(figures.read_text())["3.0"] == entry


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
def test_two_counts_are_equal_to_a_tenth_of_a_percent():
    first, _ = instructions.count(["short_loop", "raw"], ["memtally:25"], 2)
    second, _ = instructions.count(["short_loop", "raw"], ["memtally:25"], 1)
    for pattern, figure in first["memtally:25"].items():
        assert second["memtally:25"][pattern] == pytest.approx(figure, rel=0.001)


def test_every_pattern_has_a_committed_figure():
    committed = json.loads(pathlib.Path(instructions.FIGURES).read_text())
    for entry in committed.values():
        for tracer in instructions.TRACERS:
            assert set(entry["counts"][tracer]) == set(instructions.PATTERNS)
