"""Which files `memtally run` writes without being asked, what they are called, and what they leave alone."""

import base64
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import zlib

import pytest

import memtally


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["rows.py", "an argument"], "rows"),
        (["./lib/../rows.py"], "rows"),
        (["-m", "rows"], "rows"),
        (["-mrows"], "rows"),
        (["-m", "package.part"], "package.part"),
        (["-c", "pass"], "command"),
        (["-cpass", "x"], "command"),
        (["-"], "stdin"),
        (["folder"], "folder"),
        (["folder/"], "folder"),
        (["--", "-dash.py"], "dash"),
        (["two words.py"], "two words"),
        (["n" * 200 + ".py"], "n" * 50),
    ],
)
def test_the_snapshot_goes_to_a_file_named_by_program_and_process(workshop, words, name):
    for file in (
        "rows.py",
        "package/part.py",
        "folder/__main__.py",
        "-dash.py",
        "two words.py",
        "n" * 200 + ".py",
    ):
        workshop.write(file, "import os; print(os.getpid())")
    (workshop.folder / "lib").mkdir()
    done = workshop.run(*words, stdin="import os; print(os.getpid())")
    assert done.status == 0, done.stderr
    [file] = workshop.snapshots()
    assert re.fullmatch(re.escape(name) + r"\.\d+\.memtally", file)
    assert f"{done.stdout.strip()}.memtally" in file
    snapshot = memtally.Snapshot.load(str(workshop.folder / file))
    assert snapshot.view("peak").statistics("lineno")
    assert f"memtally: snapshot saved to {workshop.folder / file}\n" in done.report


def test_the_last_three_lines_say_what_was_found_and_what_shows_more(workshop):
    workshop.write(
        "rows.py", "def load():\n    return [bytes(1000) for _ in range(5000)]\nx = load(); x = len(x)"
    )
    done = workshop.run("rows.py")
    [file] = workshop.snapshots()
    found, saved, more = done.report.splitlines()[-3:]
    share, live = re.fullmatch(
        r"memtally: peak [45]\.\d MiB, (\d+\.\d)% of it from rows\.py:2 in load(?:\.\S+)?; "
        r"live at exit ([\d.]+) KiB",
        found,
    ).groups()
    assert float(share) > 90
    assert float(live) < 500
    assert saved == f"memtally: snapshot saved to {workshop.folder / file}"
    assert more == f"memtally: to see more: memtally top {file} (or tree, flamegraph)"


def test_a_name_that_a_shell_would_split_is_quoted(workshop):
    workshop.write("it's $HOME.py", "pass")
    more = workshop.run("it's $HOME.py").report.splitlines()[-1]
    [file] = workshop.snapshots()
    quoted = more.partition("memtally top ")[2].partition(" (or")[0]
    assert subprocess.check_output(["/bin/sh", "-c", f"printf %s {quoted}"], text=True) == file


def test_a_file_of_the_same_name_is_never_replaced_without_force(workshop):
    def run_where_the_name_is_taken(*options):
        for name in workshop.snapshots():
            os.unlink(workshop.folder / name)
        memtally_run = f"{sys.executable} -m memtally run {' '.join(options)} -c pass"
        done = workshop.execute(["/bin/sh", "-c", f"echo precious >command.$$.memtally; exec {memtally_run}"])
        assert done.status == 0
        return [workshop.folder / name for name in workshop.snapshots()]

    taken, new = run_where_the_name_is_taken()
    assert new.name == taken.name.replace(".memtally", "_2.memtally")
    assert taken.read_text() == "precious\n"
    assert memtally.Snapshot.load(str(new)).traces
    [replaced] = run_where_the_name_is_taken("--force")
    assert memtally.Snapshot.load(str(replaced)).traces


def test_a_file_that_comes_up_while_the_program_runs_is_not_replaced(workshop):
    done = workshop.run("-c", "import os; open(f'command.{os.getpid()}.memtally', 'w').write('precious')")
    first, second = workshop.snapshots()  # _ sorts after .
    assert (workshop.folder / first).read_text() == "precious"
    assert second == first.replace(".memtally", "_2.memtally")
    assert f"snapshot saved to {workshop.folder / second}" in done.report


def test_nothing_but_the_named_files_is_left(workshop):
    workshop.write("rows.py", "pass")
    workshop.run("rows.py")
    workshop.run("--no-snapshot", "rows.py")
    workshop.run("-o", "a.snap", "rows.py")
    names = sorted(os.listdir(workshop.folder))
    assert [re.sub(r"\d+", "PID", name) for name in names] == ["a.snap", "rows.PID.memtally", "rows.py"]


def test_a_folder_that_cannot_be_written_is_one_line_and_the_program_runs(workshop):
    workshop.folder = pathlib.Path("/sys")
    done = workshop.run("-c", "print('it ran'); raise SystemExit(3)")
    assert (done.stdout, done.status) == ("it ran\n", 3)
    first, *rest = done.stderr.splitlines()
    assert first.startswith("memtally: run: no snapshot: cannot write in /sys: ")
    assert "-o FILE" in first
    assert rest[1].startswith("memtally: at the peak")
    assert rest[-1].startswith("memtally: peak ")


def test_a_folder_that_was_removed_is_one_line_and_leaves_the_exit_status_alone(workshop):
    (workshop.folder / "gone").mkdir()
    command = (
        f"cd gone && exec {sys.executable} -m memtally run -c 'import os; os.rmdir(os.getcwd()); exit(3)'"
    )
    done = workshop.execute(["/bin/sh", "-c", command])
    assert done.status == 3
    assert re.search(r"^memtally: snapshot not saved: .*gone/command.*: No such file", done.stderr)
    assert "memtally: at the peak" in done.stderr


def test_a_program_that_changes_its_folder_has_its_snapshot_where_it_began(workshop):
    (workshop.folder / "sub").mkdir()
    done = workshop.run("-c", "import os; os.chdir('sub')")
    [file] = workshop.snapshots()
    assert done.report.splitlines()[-1].endswith(f"memtally top {file} (or tree, flamegraph)")


def test_quiet_writes_the_file_and_says_nothing(workshop):
    done = workshop.run("--quiet", "-c", "print('out')")
    assert (done.stdout, done.stderr, done.status) == ("out\n", "", 0)
    assert len(workshop.snapshots()) == 1


def test_quiet_still_says_what_went_wrong(workshop):
    done = workshop.run("--quiet", "-o", "/dev/full", "-c", "pass")
    assert done.stderr.startswith("memtally: snapshot not saved: /dev/full: No space left")
    assert done.stderr.count("\n") == 1


def test_a_signal_that_ends_the_program_comes_after_the_report(workshop):
    done = workshop.run("-c", "import os, signal; x = bytes(100000); os.kill(os.getpid(), signal.SIGTERM)")
    assert done.status == -signal.SIGTERM
    assert "memtally: live at exit" in done.report
    assert len(workshop.snapshots()) == 1


def test_a_program_that_listens_to_the_signal_itself_is_left_alone(workshop):
    workshop.write(
        "program.py",
        """
        import os, signal
        signal.signal(signal.SIGTERM, lambda *a: print("mine"))
        os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        """,
    )
    done = workshop.side_by_side("program.py")
    assert (done.stderr, done.status) == ("", -signal.SIGTERM)


@pytest.mark.parametrize(("options", "name"), [([], "program.PID"), (["-o", "a.snap"], "a")])
def test_the_flame_graph_is_drawn_beside_whatever_modules_the_program_has(workshop, options, name):
    for module in ("json", "typing", "html", "base64", "threading", "zlib"):
        workshop.write(f"{module}.py", "raise SystemExit('mine')")
    (workshop.folder / "sub").mkdir()
    workshop.write(
        "program.py", "def load():\n    return bytes(1000000)\nx = load()\nimport os; os.chdir('sub')"
    )
    done = workshop.run("--flamegraph", *options, "program.py")
    assert done.program_stderr == ""
    [page] = workshop.folder.glob("*.html")
    assert re.sub(r"\d+", "PID", page.stem) == name
    [packed] = re.findall(r'\{"deflate": ?"([^"]+)"\}', page.read_text())
    assert b"return bytes(1000000)" in zlib.decompress(base64.b64decode(packed))
    assert f"memtally: flame graph in {page.name}; to see more: memtally top " in done.report
    assert {path.suffix for path in workshop.folder.iterdir()} <= {".py", ".html", ".memtally", ".snap", ""}
    assert not list(workshop.folder.glob(".*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
def test_a_signal_at_any_moment_leaves_whole_files_or_none(workshop, number, delay):
    workshop.write("program.py", "import time\nx = [str(n) for n in range(300000)]\nprint(1, flush=True)")
    command = [sys.executable, "-m", "memtally", "run", "--every", "0.01", "program.py"]
    with subprocess.Popen(
        command, cwd=workshop.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline()
        time.sleep(delay)
        process.send_signal(number)
        _, errors = process.communicate()
    assert process.returncode in (0, -number)
    assert b"Traceback" not in errors.replace(b"KeyboardInterrupt", b"", 1) or number == signal.SIGINT
    names = set(os.listdir(workshop.folder)) - {"program.py", "__pycache__"}
    assert names == set(workshop.snapshots())
    for name in names:
        memtally.Snapshot.load(str(workshop.folder / name)).statistics("lineno")
