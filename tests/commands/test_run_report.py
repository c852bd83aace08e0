"""What `memtally run` says at the program's end: the tables, the saved snapshot, or that there is nothing."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
import zipfile
from fcntl import ioctl

import pytest

import memtally

HOLDS = """
    import sys

    class Store:
        def fill(self):
            self.kept = [bytes(1000) for _ in range(1000)]

    def pass_through():
        dropped = [bytes(2000) for _ in range(2000)]
        return len(dropped)

    store = Store()
    pass_through()
    store.fill()
"""
KEPT, DROPPED = 1000 * 1033, 2000 * 2033


def tables(report):
    """{title: {place: cells}} of the tables in REPORT, which must be their plain, full-length form."""
    found = {}
    *blocks, closing = report.strip().split("\n\n")
    assert all(line.startswith("memtally: ") for line in closing.splitlines())
    for block in blocks:
        title, head, *rows = block.splitlines()
        assert head.split() == ["bytes", "share", "blocks", "average", "place", "function", "source"]
        starts = [head.index(name) for name in ("place", "function", "source")]
        ends = [*starts[1:], None]
        cells = {}
        for row in rows:
            words = [row[start:end].strip() for start, end in zip(starts, ends, strict=True)]
            numbers = re.split(r"  +", row[: starts[0]].strip())
            cells[words[0]] = [*numbers, *words[1:]]
        found[title.partition(",")[0]] = cells
    return found


def test_the_tables_name_size_share_blocks_average_place_function_and_source(workshop):
    workshop.write("program.py", HOLDS)
    found = tables(workshop.run("program.py").report)
    peak, live = found["memtally: at the peak"], found["memtally: live at exit"]
    size, share, blocks, average, function, source = live["program.py:6"]
    assert size.endswith(" KiB")
    assert abs(float(size.split()[0]) * 1024 - KEPT) < 0.03 * KEPT
    assert 0 < float(share.rstrip("%")) <= 100
    assert 1000 <= int(blocks.replace(",", "")) < 1010
    assert average in ("1.0 KiB", "1023 B")
    assert function in ("Store.fill", "Store.fill.<locals>.<listcomp>")
    assert source == "self.kept = [bytes(1000) for _ in range(1000)]"
    assert "program.py:9" not in live
    assert peak["program.py:9"][0] == "3.9 MiB"
    assert "program.py:6" not in peak


def test_the_largest_line_comes_first_and_the_rest_is_summed_up(workshop):
    lines = "\n".join(f"a{n} = bytes({n * 1000})" for n in range(1, 31))
    workshop.write("program.py", lines)
    live = tables(workshop.run("program.py").report)["memtally: live at exit"]
    places = list(live)
    assert places[:10] == [f"program.py:{n}" for n in range(30, 20, -1)]
    assert re.fullmatch(r"\(\d+ other lines\)", places[10])
    assert len(places) == 11
    assert abs(sum(float(cells[1].rstrip("%")) for cells in live.values()) - 100) < 1


def test_nothing_of_memtally_or_of_runpy_is_in_the_tables(workshop):
    workshop.write("program.py", "x = [str(n) for n in range(10)]")
    for words in (["program.py"], ["-c", "import program"]):
        report = workshop.run(*words).report
        assert "memtally/" not in report.replace("memtally: ", "")
        assert "runpy" not in report


def test_source_lines_come_from_zip_files_and_frozen_modules_too(workshop):
    with zipfile.ZipFile(workshop.folder / "packed.zip", "w") as packed:
        packed.writestr("__main__.py", "import part\nkept = [bytes(900) for _ in range(100)]\n")
        packed.writestr("part.py", "held = [bytes(800) for _ in range(100)]\n")
    live = tables(workshop.run("packed.zip").report)["memtally: live at exit"]
    assert live["packed.zip/__main__.py:2" if "packed.zip/__main__.py:2" in live else "__main__.py:2"][
        -1
    ] == ("kept = [bytes(900) for _ in range(100)]")
    assert live["part.py:1"][-1] == "held = [bytes(800) for _ in range(100)]"
    frozen = [cells for place, cells in live.items() if place.startswith("importlib/_bootstrap")]
    assert frozen
    assert all(cells[-1] for cells in frozen)


def test_source_lines_are_read_in_the_encoding_they_declare(workshop):
    for name, head in (
        ("latin", "# -*- coding: latin-1 -*-"),
        ("plain", "#"),
        ("unknown", "# coding: nonsense"),
    ):
        encoding = "latin-1" if name == "latin" else "utf-8"
        line = "kept = [bytes(90000), 'Grüße']"
        (workshop.folder / f"{name}.py").write_bytes(f"{head}\n\n{line}\n".encode(encoding))
    for name in ("latin", "plain"):
        assert "kept = [bytes(90000), 'Grüße']" in workshop.run(f"{name}.py").report
    workshop.write("program.py", "exec(compile(b'\\n\\nkept = bytes(80000)', 'unknown.py', 'exec'))")
    assert "kept = [bytes(90000), 'Grüße']" in workshop.run("program.py").report


def test_source_lines_are_found_after_the_program_changed_its_folder(workshop):
    workshop.write("sub/program.py", "import os\nos.chdir('/')\nkept = bytes(1000000)\n")
    assert "kept = bytes(1000000)" in workshop.run("sub/program.py").report.split("source")[1]
    os.rename(workshop.folder / "sub/program.py", workshop.folder / "program.py")
    assert "kept = bytes(1000000)" in workshop.run("program.py").report


def test_control_characters_of_the_program_do_not_reach_the_terminal(workshop):
    workshop.write("program.py", "exec(compile('\\n\\nx = bytes(100000)', '\\x1b[31mred\\nfile', 'exec'))")
    done = workshop.run("program.py")
    assert "\x1b" not in done.stderr
    assert r"\x1b[31mred\nfile:3" in done.stderr


def test_endless_source_lines_are_cut_even_in_plain_text(workshop):
    workshop.write("program.py", "x = [bytes(n) for n in (" + "1000, " * 50000 + ")]")
    assert max(map(len, workshop.run("program.py").report.splitlines())) < 400


@pytest.mark.parametrize(
    "end", ["import sys; sys.exit(3)", "int('x')", "raise KeyboardInterrupt", "raise SystemExit"]
)
def test_the_tables_come_however_the_program_ends(workshop, end):
    workshop.write("program.py", f"kept = bytes(100000)\n{end}")
    assert "program.py:1" in workshop.run("program.py").report


@pytest.mark.parametrize(
    "words",
    [
        ["absent.py"],
        ["-m", "absent"],
        ["-m", "empty"],
        ["empty"],
        ["-c", "x ="],
        ["broken.py"],
        ["-m", "broken"],
    ],
    ids=" ".join,
)
def test_a_program_that_never_began_gets_pythons_error_and_no_table(workshop, words):
    workshop.write("broken.py", "x = (")
    (workshop.folder / "empty").mkdir()
    done = workshop.side_by_side(*words)
    assert done.status != 0
    assert done.report == ""
    assert done.stderr != ""


def test_a_broken_zip_file_gets_pythons_error_and_no_table(workshop):
    workshop.write("broken.zip", "PK\3\4 not really")
    assert workshop.side_by_side("broken.zip").report == ""


def test_a_program_that_stopped_the_tracing_is_told_so(workshop):
    workshop.write("program.py", "import memtally; memtally.stop(); print('stopped')")
    done = workshop.run("program.py")
    assert (done.stdout, done.status) == ("stopped\n", 0)
    assert done.stderr == "memtally: no table and no file: the program itself called memtally.stop()\n"
    done = workshop.run("--no-snapshot", "program.py")
    assert done.stderr == "memtally: no table: the program itself called memtally.stop()\n"
    assert sorted(os.listdir(workshop.folder)) == ["program.py"]


def test_a_program_that_traces_for_itself_finds_tracing_on(workshop):
    workshop.write(
        "program.py",
        """
        import memtally
        print(memtally.is_tracing(), memtally.get_traceback_limit())
        memtally.stop()
        memtally.start(3)
        kept = bytes(100000)
        """,
    )
    done = workshop.run("--frames", "7", "program.py")
    assert done.stdout == "True 7\n"
    assert "program.py:6" in done.report


def test_a_snapshot_that_cannot_be_taken_is_one_line_and_leaves_the_exit_status_alone(workshop):
    workshop.write(
        "program.py",
        """
        import memtally
        def fail(**options):
            raise MemoryError("none left")
        memtally.take_snapshot = fail
        raise SystemExit(3)
        """,
    )
    done = workshop.run("program.py")
    assert (done.stderr, done.status) == ("memtally: no table: MemoryError: none left\n", 3)


def test_lost_traces_are_counted_before_the_tables(workshop):
    workshop.write("program.py", "import memtally\nmemtally.capabilities = lambda: {'lost_traces': 1234}\n")
    done = workshop.run("program.py")
    first, rest = done.stderr.split("\n", 1)
    assert first == "memtally: 1,234 allocations are missing below: there was no memory to trace them"
    assert rest.startswith("\nmemtally: at the peak")


# --- the saved snapshot


def test_the_snapshot_is_saved_whole_under_its_name(workshop):
    workshop.write("program.py", HOLDS + "\n    import os; os.mkdir('sub'); os.chdir('sub')")
    done = workshop.run("--frames", "3", "-o", "out.snap", "program.py")
    path = workshop.folder / "out.snap"
    assert f"memtally: snapshot saved to {path}\n" in done.report
    assert sorted(os.listdir(workshop.folder)) == ["out.snap", "program.py", "sub"]
    snapshot = memtally.Snapshot.load(str(path))
    assert snapshot.traceback_limit == 3
    sizes = {stat.traceback[0].lineno: stat.size for stat in snapshot.statistics("lineno")[:1]}
    assert abs(sizes[6] - KEPT) < 0.03 * KEPT


def test_an_older_snapshot_is_replaced_through_a_link(workshop):
    (workshop.folder / "real.snap").write_bytes(b"old")
    (workshop.folder / "link.snap").symlink_to("real.snap")
    assert workshop.run("--output=link.snap", "-c", "pass").status == 0
    assert (workshop.folder / "link.snap").is_symlink()
    assert memtally.Snapshot.load(str(workshop.folder / "real.snap")).statistics("lineno")


def test_devices_are_written_to_and_not_replaced(workshop):
    before = os.stat("/dev/null")
    assert workshop.run("-o", "/dev/null", "-c", "pass").status == 0
    after = os.stat("/dev/null")
    assert (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)


def test_a_full_disk_is_one_line_and_leaves_the_exit_status_alone(workshop):
    done = workshop.run("-o", "/dev/full", "-c", "raise SystemExit(3)")
    assert done.status == 3
    assert re.search(r"^memtally: snapshot not saved: .*No space left", done.stderr, re.MULTILINE)
    assert "memtally: at the peak" in done.stderr


def test_a_folder_that_vanished_is_one_line_and_leaves_the_exit_status_alone(workshop):
    (workshop.folder / "sub").mkdir()
    done = workshop.run("-o", "sub/out.snap", "-c", "import os; os.rmdir('sub'); raise SystemExit(3)")
    assert done.status == 3
    assert done.stderr.startswith("memtally: snapshot not saved: ")
    assert "memtally: at the peak" in done.stderr


def test_a_file_name_that_is_not_utf8_works(workshop):
    name = os.fsdecode(b"\xff out.snap")
    done = workshop.run("-o", name, "-c", "pass")
    assert done.status == 0
    assert (workshop.folder / name).exists()


# --- terminals


def on_a_terminal(workshop, columns, **environment):
    """stderr of `memtally run` where stderr is a terminal of so many columns."""
    workshop.write("program.py", HOLDS)
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", **environment}
    command = [sys.executable, "-m", "memtally", "run", "program.py"]
    with subprocess.Popen(command, cwd=workshop.folder, stderr=theirs, env=environment) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                text += os.read(ours, 65536)
            except OSError:  # how a terminal says that the other side has gone
                break
        assert process.wait() == 0
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


def tables_alone(text):
    """TEXT without the lines below the tables: the commands in them are not to be cut."""
    return text.rpartition("\n\n")[0]


def without_colour(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("columns", [60, 80, 119, 120, 200])
def test_the_tables_fit_the_terminal(workshop, columns):
    text = tables_alone(without_colour(on_a_terminal(workshop, columns)))
    assert max(map(len, text.splitlines())) <= columns
    assert "program.py:6" in text
    below = any(line.strip().startswith("self.kept") for line in text.splitlines())
    assert below == (columns < 120)


def test_columns_of_the_environment_win_over_the_terminals(workshop):
    text = tables_alone(without_colour(on_a_terminal(workshop, 200, COLUMNS="90")))
    assert max(map(len, text.splitlines())) <= 90


def test_colour_is_for_terminals_that_want_it(workshop):
    assert "\x1b[1mmemtally: at the peak" in on_a_terminal(workshop, 100)
    assert "\x1b" not in on_a_terminal(workshop, 100, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(workshop, 100, TERM="dumb")
    assert "\x1b" not in workshop.run("program.py", environment={"TERM": "xterm"}).stderr


def test_plain_text_does_not_depend_on_columns(workshop):
    program = workshop.write("program.py", HOLDS)
    reports = [workshop.run(program, environment={"COLUMNS": str(columns)}).report for columns in (40, 300)]
    layouts = [re.sub(r"[0-9.,]+", "0", tables_alone(report)) for report in reports]
    assert [line.split() for line in layouts[0].splitlines()] == [
        line.split() for line in layouts[1].splitlines()
    ]
