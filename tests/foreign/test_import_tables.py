"""Extensions are seen however they are linked and whenever they are loaded; stop() leaves nothing behind."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import build, can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
LINKED = {
    "lazily": ["-Wl,-z,lazy"],
    "at once": ["-Wl,-z,now"],
    "read-only": ["-Wl,-z,now,-z,relro", "-fno-plt"],
    "writable": ["-Wl,-z,norelro,-z,lazy"],
}
WAYS = ("call", "constant table", "written table", "address", "dlsym")
PRELUDE = """
import os
import memtally as mt
from extension_builder import build, load

def blocks(domain):
    found = mt.take_snapshot().filter_traces([mt.DomainFilter(True, domain)])
    return sorted(trace.size for trace in found.traces)
"""
WAYS_CODE = f"""
import sys
WAYS = {WAYS!r}
options = sys.argv[1:]
mt.start()
mt.stop()
if "before" in options:
    foreign = load("foreign_blocks", *options[:-1])
else:
    mt.start()
    foreign = load("foreign_blocks", *options)
before = [foreign.address_through(way) for way in WAYS]
for round in range(3):
    mt.start()
    assert mt.capabilities()["foreign_domains"] is True, mt.capabilities()
    for number, way in enumerate(WAYS, 1):
        assert foreign.track_through(way, 5, number, number) == 0
        assert blocks(5) == list(range(1, number + 1)), way
    inside = [foreign.address_through(way) for way in WAYS]
    mt.stop()
    assert [foreign.track_through(way, 5, 1, 1) for way in WAYS] == [-2] * len(WAYS)
    after = [foreign.address_through(way) for way in WAYS]
    assert len(set(after)) == 2 and not set(inside[1:]) & set(after[1:]), (inside, after)
    if "before" in options:
        assert before == after
"""


@pytest.mark.parametrize("linked", LINKED)
@pytest.mark.parametrize("when", ["before", "after"])
def test_every_way_to_the_function_is_seen_and_given_back(linked, when):
    arguments = [*LINKED[linked], *(["before"] if when == "before" else [])]
    build("foreign_blocks", *LINKED[linked])
    check(PRELUDE + f"import sys; sys.argv[1:] = {arguments!r}\n" + WAYS_CODE)


def test_what_a_module_does_while_it_is_imported_is_seen():
    code = "mt.start()\nforeign = load('foreign_blocks')\nassert foreign.tracked_at_import == 0\n"
    check(PRELUDE + code + "assert blocks(70) == [70]")


LIBRARY = """
foreign = load("foreign_blocks")
path = build("tracking_library")
early = foreign.open_library(path) if early_too else 0
mt.start()
library = foreign.open_library(path)
assert foreign.call_library(library, "library_track", 5, 0x1000, 10) == 0
assert blocks(5) == [10]
mt.stop()
assert foreign.call_library(library, "library_track", 5, 0x1000, 10) == -2
"""


@pytest.mark.parametrize("early", [False, True])
def test_a_library_that_c_code_loads_is_seen(early):
    check(PRELUDE + f"early_too = {early}" + LIBRARY)


UNLOADING = """
foreign = load("foreign_blocks")
one, two = (build("tracking_library", f"-DWHICH={number}") for number in (1, 2))
mt.start()
for round in range(20):
    for path in (one, two):  # the second may be where the first was
        library = foreign.open_library(path)
        assert foreign.call_library(library, "library_track", 5, round, 10) == 0
        assert foreign.close_library(library) == 0
    assert blocks(5) == [10] * (round + 1)
    if round % 5 == 4:
        mt.stop()
        mt.start()
        for earlier in range(round + 1):
            foreign.track(5, earlier, 10)
with open("/proc/self/maps") as maps:
    assert "tracking_library" not in maps.read()
mt.stop()
library = foreign.open_library(one)
assert foreign.call_library(library, "library_track", 5, 1, 10) == -2
"""


def test_libraries_come_and_go():
    check(PRELUDE + UNLOADING)


CALLERS = """
foreign = load("foreign_blocks")
inner = build("tracking_library", "-DWHICH=3")
outer = build("tracking_library", "-DWHICH=2", "-Wl,--no-as-needed", inner)
library = foreign.open_library(outer)
for tracing in (False, True, False):
    mt.start() if tracing else mt.stop()
    assert foreign.call_library(library, "library_which", 0, 0, 0) == 2
    assert foreign.call_library(library, "library_next", 0, 0, 0) == 3
"""


def test_dlsym_still_sees_who_calls_it():
    check(PRELUDE + CALLERS)


RUNPATH = """
import ctypes, shutil, tempfile
with tempfile.TemporaryDirectory() as folder:
    shutil.copy(build("tracking_library"), os.path.join(folder, "libneighbour.so"))
    opener = build("foreign_blocks", "-Wl,--enable-new-dtags,-rpath,$ORIGIN")
    place = os.path.join(folder, os.path.basename(opener))
    shutil.copy(opener, place)
    import importlib.util
    spec = importlib.util.spec_from_file_location("foreign_blocks", place)
    foreign = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(foreign)
    for tracing in (False, True):
        mt.start() if tracing else mt.stop()
        assert foreign.open_library("libneighbour.so")  # found where its caller lies
"""


def test_dlopen_still_sees_who_calls_it():
    check(PRELUDE + RUNPATH)


def test_a_function_that_the_program_wrote_into_its_table_stays_there():
    code = """
        foreign = load("foreign_blocks")
        foreign.write_table()
        for _ in range(3):
            assert foreign.track_through("written table", 5, 1, 1) == 4712
            mt.is_tracing() or mt.start()
            assert foreign.track_through("written table", 5, 1, 1) == 4712
            assert foreign.track_through("call", 5, 1, 1) == 0
            mt.stop()
        mt.start()
    """
    check(PRELUDE + __import__("textwrap").dedent(code))


CTYPES = """
import ctypes
mt.start()
track = ctypes.pythonapi.PyTraceMalloc_Track
track.argtypes = ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t
assert track(5, 0x1000, 10) == 0
assert blocks(5) == [10]
mt.stop()
assert track(5, 0x1000, 10) == -2
mt.start()
assert track(5, 0x1000, 20) == 0
assert blocks(5) == [20]
"""


def test_ctypes_is_seen_where_it_asked_while_tracing():
    check(PRELUDE + CTYPES)


REFUSED = """
foreign = load("foreign_blocks", "-Wl,-z,now,-z,relro")
try:
    foreign.forbid_writing()
except OSError as error:
    print("skip", error)
    raise SystemExit
mt.start()
problem = mt.capabilities()["foreign_domains"]
assert "foreign_blocks" in problem and "Operation not permitted" in problem, problem
assert mt.is_tracing()
assert foreign.track_through("constant table", 5, 1, 1) == -2
assert foreign.track_through("written table", 5, 2, 2) == 0  # on another page
assert blocks(5) == [2]
mt.stop()
mt.start()
assert mt.capabilities()["foreign_domains"] == problem
"""


def test_an_import_table_that_cannot_be_written_to_is_told_of_and_left():
    said = check(PRELUDE + REFUSED)
    if said.startswith("skip"):
        pytest.skip(f"no seccomp here: {said}")


SAFE = """
foreign = load("foreign_blocks")
before = [foreign.address_through(way) for way in ("constant table", "address", "dlsym")]
assert "MEMTALLY_SAFE" in mt.capabilities()["foreign_domains"]
mt.start()
assert "MEMTALLY_SAFE" in mt.capabilities()["foreign_domains"]
assert foreign.track(5, 0x1000, 10) == -2
assert before == [foreign.address_through(way) for way in ("constant table", "address", "dlsym")]
assert blocks(5) == []
os.environ["MEMTALLY_SAFE"] = "0"
os.putenv("MEMTALLY_SAFE", "0")
assert "MEMTALLY_SAFE" in mt.capabilities()["foreign_domains"]  # until the next start
mt.stop()
mt.start()
assert mt.capabilities()["foreign_domains"] is True
assert foreign.track(5, 0x1000, 10) == 0
"""


def test_safe_mode_writes_to_no_import_table():
    check(PRELUDE + SAFE, env={"MEMTALLY_SAFE": "1"})


def test_safe_mode_is_off_where_the_environment_is_not_looked_at():
    code = "import memtally; memtally.start(); assert 'MEMTALLY_SAFE' not in str(memtally.capabilities())"
    check(code, "-E", env={"MEMTALLY_SAFE": "1"})


LOADING = """
import threading
foreign = load("foreign_blocks")
paths = [build("tracking_library", f"-DWHICH={number}") for number in range(1, 5)]
going = True

def come_and_go(path, domain):
    while going:
        library = foreign.open_library(path)
        if mt.is_tracing():
            foreign.call_library(library, "library_track", domain, 0x1000, domain)
        foreign.close_library(library)

threads = [threading.Thread(target=come_and_go, args=pair) for pair in zip(paths, range(5, 9))]
sys.setswitchinterval(1e-5)
for thread in threads:
    thread.start()
foreign.start_churn()
for _ in range(40):
    mt.start()
    for _ in range(20):
        mt.take_snapshot()
    mt.stop()
going = False
for thread in threads:
    thread.join()
foreign.stop_churn()
"""


def test_starting_and_stopping_while_threads_load_and_unload_disturbs_nobody():
    for number in range(1, 5):
        build("tracking_library", f"-DWHICH={number}")
    check(PRELUDE + LOADING)
