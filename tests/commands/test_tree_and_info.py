"""`memtally tree` and `memtally info`, and what all commands print on a terminal."""

import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

import pytest
from commanding import lines, trace

import memtally

MEMTALLY = (sys.executable, "-m", "memtally")


def test_calls_stand_below_their_callers_the_largest_first(desk):
    main, load, save = ("main.py", 9), ("load.py", 1), ("save.py", 2)
    desk.save("a.snap", [trace(3072, load, main), trace(512, save, main), trace(512, main)])
    assert desk.run("tree", "a.snap").out.splitlines() == [
        "live: 4.0 KiB in 3 blocks",
        "  bytes   share      own  blocks  call  place",
        "4.0 KiB  100.0%    512 B       3  ?     main.py:9",
        "3.0 KiB   75.0%  3.0 KiB       1    ?   load.py:1",
        "  512 B   12.5%    512 B       1    ?   save.py:2",
    ]


def test_calls_below_the_cut_are_left_out_and_added_up(desk):
    main = ("main.py", 1)
    desk.save(
        "a.snap", [trace(900, ("big.py", 1), main)] + [trace(10, (f"s{n}.py", 1), main) for n in range(10)]
    )
    rows = desk.run("tree", "a.snap", "--cut", "5").out.splitlines()[2:]
    assert [row.split()[-1] for row in rows[:2]] == ["main.py:1", "big.py:1"]
    assert "(10 smaller calls)" in rows[2]
    assert len(rows) == 3
    assert len(desk.run("tree", "a.snap", "--cut", "0").out.splitlines()) == 2 + 12
    for cut in ("101", "-1", "much", "nan"):
        assert desk.run("tree", "a.snap", f"--cut={cut}").status == 2


def test_a_deep_recursion_fits_a_line(desk):
    desk.save("a.snap", [trace(10, *[("deep.py", 1)] * 3000)], 5000)
    rows = desk.run("tree", "a.snap").out.splitlines()
    assert len(rows) == 3002
    assert max(map(len, rows)) < 200
    assert "(2999) ?" in rows[-1]


def test_info_tells_when_what_and_how_much(desk):
    memtally.start(7)
    kept = [bytes(1000) for _ in range(100)]
    memtally.take_snapshot().dump("a.snap")
    memtally.stop()
    assert kept
    text = desk.run("info", "a.snap").out
    for part in (
        "taken ",
        "program ",
        f"python              {sys.version.split()[0]}",
        "lost                no traces",
    ):
        assert part in text
    assert re.search(r"frames +7 of each", text)
    assert re.search(r"<= 2\.0 KiB +10\d +10\d\.\d KiB  #+", text)
    report = json.loads(desk.run("info", "a.snap", "--json").out)
    assert set(report["views"]) == {"live", "peak", "total"}
    assert report["lost_traces"] == 0
    assert sum(bin["count"] for bin in report["block_sizes"]) == report["views"]["live"]["count"]
    assert sum(bin["size"] for bin in report["block_sizes"]) == report["views"]["live"]["size"]


def test_info_counts_blocks_by_powers_of_two():
    sizes = [0, 0, 1, 2, 3, 4, 5, 8, 9, 1024, 1025, 2**40]
    snapshot = memtally.Snapshot([trace(size, ("a.py", 1)) for size in sizes], 1)
    assert snapshot.block_sizes() == [
        (0, 2, 0),
        (1, 1, 1),
        (2, 1, 2),
        (4, 2, 7),
        (8, 2, 13),
        (16, 1, 9),
        (1024, 1, 1024),
        (2048, 1, 1025),
        (2**40, 1, 2**40),
    ]


def test_only_live_blocks_have_single_sizes():
    memtally.start()
    peak = memtally.take_snapshot(view="peak")
    memtally.stop()
    with pytest.raises(ValueError, match="only the view 'live' knows single blocks, not 'peak'"):
        peak.block_sizes()


def test_a_file_of_the_standard_module_can_be_asked_the_same(desk):
    memtally.Snapshot(lines(a1=100), 25).to_tracemalloc().dump("standard")
    for words in (["top"], ["tree"], ["info"], ["convert", "--to", "json"], ["diff", "good.snap"]):
        assert desk.run(*words, "standard").status == 0


def on_terminal(folder, *words, columns=80, program=MEMTALLY, **environment):
    """What a command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm", **environment}
    process = subprocess.Popen([*program, *words], cwd=folder, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait() == 0
    return written.decode()


@pytest.mark.parametrize(
    "command", [["top"], ["tree"], ["diff", "good.snap"], ["leaks", "good.snap", "good.snap"]]
)
def test_tables_fit_the_terminal(desk, command):
    deep = tuple((f"/srv/application/{'package/' * 9}module{n}.py", n + 1) for n in range(9))
    desk.save("a.snap", [trace(1000, *deep), trace(3000, *deep[3:])])
    for columns in (60, 80, 130):
        text = on_terminal(desk.folder, *command, "a.snap", columns=columns)
        plain = re.sub(r"\x1b\[\d*m", "", text)
        assert "\x1b[1m" in text
        assert max(map(len, plain.splitlines())) <= columns


def test_numbers_that_fill_the_terminal_leave_places_that_can_be_read(desk):
    desk.save(
        "a.snap",
        [
            trace(700_000 + i, ("/srv/application/orders.py", 10), ("/srv/application/main.py", i))
            for i in range(1, 12)
        ],
    )
    for command in (["top", "--by", "traceback"], ["tree"]):
        lines = on_terminal(desk.folder, *command, "a.snap", columns=50, NO_COLOR="1").splitlines()
        assert max(map(len, lines)) <= 50
        assert any("/orders.py:10" in line for line in lines)


DEEP = 25


@pytest.fixture
def deep_calls(desk):
    """a.snap: step0 calls step1 calls step2 ..., and the last one allocates."""
    steps = "".join(f"def step{n}(): return step{n + 1}()\n" for n in range(DEEP))
    names = {}
    exec(compile(f"{steps}def step{DEEP}(): return bytes(100_000)\n", "steps.py", "exec"), names)
    memtally.start(100)
    kept = names["step0"]()
    memtally.take_snapshot().dump(desk.folder / "a.snap")
    memtally.stop()
    assert kept


@pytest.mark.parametrize("columns", [50, 60, 80, 120])
def test_names_deep_in_the_tree_can_be_read(desk, deep_calls, columns):
    words = ("tree", "a.snap", "--filter", "steps.py")
    text = on_terminal(desk.folder, *words, columns=columns, NO_COLOR="1")
    assert max(map(len, text.splitlines())) <= columns
    assert [word for word in text.split() if word.startswith("step") and ":" not in word] == [
        f"step{n}" for n in range(DEEP + 1)
    ]


def test_a_command_of_many_short_steps_says_what_it_is_at(desk):
    source = (
        "import sys, time; from memtally.commands import progress\n"
        "for step in range(9):\n"
        "    with progress.saying(f'step {step}'):\n"
        "        time.sleep(0.1)\n"
        "        with progress.saying('a part of it'): time.sleep(0.1)\n"
    )
    text = on_terminal(desk.folder, source, program=(sys.executable, "-c"))
    assert re.search(r"memtally: (step \d|a part of it) \.\.\. \d+ s\r\x1b\[K", text)
    assert text.endswith("\r\x1b[K")


def test_colour_is_left_out_where_nobody_wants_it(desk):
    assert "\x1b" not in on_terminal(desk.folder, "top", "good.snap", NO_COLOR="1")
    assert "\x1b" not in on_terminal(desk.folder, "top", "good.snap", TERM="dumb")
    assert "\x1b" not in desk.run("top", "good.snap").out


def test_bytes_for_programs_do_not_go_to_a_terminal(desk):
    ours, theirs = pty.openpty()
    command = [*MEMTALLY, "convert", "good.snap", "--to", "pprof"]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True)
    assert done.stderr == "memtally: convert: pprof is not for a terminal: name a file with -o\n"
    assert done.returncode == 2
    os.close(ours)
    os.close(theirs)
