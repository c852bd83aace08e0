"""Help that teaches; one clear line with a documented exit status for every command line that is wrong."""

import sys

import pytest

MEMTALLY = (sys.executable, "-m", "memtally")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]], ids=["bare", "--help", "-h"])
def test_help_names_the_commands_and_shows_an_example(workshop, words):
    done = workshop.execute([*MEMTALLY, *words])
    assert done.status == 0
    assert done.stderr == ""
    assert done.stdout.startswith("usage: memtally")
    assert "    run " in done.stdout
    assert "memtally run script.py" in done.stdout
    assert "import memtally as tracemalloc" in done.stdout


def test_help_of_run_shows_examples_and_exit_statuses(workshop):
    done = workshop.run("--help", environment={"COLUMNS": "80"})
    assert done.status == 0
    assert done.stderr == ""
    assert done.stdout.startswith("usage: memtally run [-o FILE] [--frames N] [--every SECONDS] [--keep N]\n")
    assert "                    (SCRIPT | -m MODULE | -c CODE) [ARGS]\n" in done.stdout
    for part in ("examples:", "memtally run --every 60 service.py", "exit status:", "default: all"):
        assert part in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["bogus"], "memtally: argument COMMAND: invalid choice: 'bogus'"),
        (["--bogus"], "memtally: unrecognized arguments: --bogus (try: memtally --help)"),
        (["run"], "memtally: run: which program? (try: memtally run --help)"),
        (["run", "--"], "memtally: run: which program? (try: memtally run --help)"),
        (["run", "--frames", "3"], "memtally: run: which program? (try: memtally run --help)"),
        (["run", "-m"], "memtally: run: -m expects an argument (try: memtally run --help)"),
        (["run", "-c"], "memtally: run: -c expects an argument (try: memtally run --help)"),
        (["run", "--bogus", "x.py"], "memtally: unrecognized arguments: --bogus (try: memtally run --help)"),
        (["run", "--frame", "1", "x.py"], "memtally: unrecognized arguments: --frame"),
        (["run", "--frames"], "memtally: argument --frames: expected one argument"),
        (
            ["run", "--frames", "0", "x.py"],
            "memtally: argument --frames: '0' is not a number of frames from 1",
        ),
        (["run", "--frames=65536", "x.py"], "memtally: argument --frames: '65536' is not a number of frames"),
        (["run", "--frames", "-1", "x.py"], "memtally: argument --frames: "),
        (["run", "--frames", "1_0", "x.py"], "memtally: argument --frames: '1_0' is not a number of frames"),
        (["run", "--frames", "x", "x.py"], "memtally: argument --frames: 'x' is not a number of frames"),
        (["run", "-o"], "memtally: argument -o/--output: expected one argument"),
        (
            ["run", "--every", "0", "x.py"],
            "memtally: argument --every: '0' is not a number of seconds from 0.01",
        ),
        (["run", "--every", "nan", "x.py"], "memtally: argument --every: 'nan' is not a number of seconds"),
        (["run", "--every=inf", "x.py"], "memtally: argument --every: 'inf' is not a number of seconds"),
        (["run", "--every", "1m", "x.py"], "memtally: argument --every: '1m' is not a number of seconds"),
        (["run", "--keep", "0", "x.py"], "memtally: argument --keep: '0' is not a number of files from 1 on"),
        (["run", "--keep", "-1", "x.py"], "memtally: argument --keep: "),
        (["run", "--on-signal", "NONE", "x.py"], "memtally: argument --on-signal: 'NONE' is not a signal"),
        (["run", "--on-signal", "0", "x.py"], "memtally: argument --on-signal: '0' is not a signal"),
        (
            ["run", "--on-signal", "KILL", "x.py"],
            "memtally: argument --on-signal: 'KILL' is a signal that no",
        ),
        (["run", "--on-signal", "11", "x.py"], "memtally: argument --on-signal: '11' is a signal that no"),
        (
            ["run", "--no-snapshot", "--every", "1", "x.py"],
            "memtally: run: --no-snapshot leaves nothing to write for --every",
        ),
        (
            ["run", "--no-snapshot", "-o", "a", "x.py"],
            "memtally: run: --no-snapshot leaves nothing to write for --output",
        ),
        (
            ["run", "--flamegraph", "-o", "/dev/null", "x.py"],
            "memtally: run: --flamegraph needs a file for -o, and /dev/null is none",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(workshop, words, line):
    workshop.write("x.py", "print('it ran')")
    done = workshop.execute([*MEMTALLY, *words])
    assert done.status == 2
    assert done.stdout == ""
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["run", "-o", "absent/x", "x.py"],
            "memtally: run: cannot write absent/x: no such file or directory",
        ),
        (["run", "-o", "x.py/x", "x.py"], "memtally: run: cannot write x.py/x: not a directory"),
        (["run", "-o", ".", "x.py"], "memtally: run: cannot write .: it is a folder"),
        (["run", "-o", "/sys/x", "x.py"], "memtally: run: cannot write /sys/x: "),
        (["run", "-o", "", "x.py"], "memtally: run: cannot write : "),
        (["run", "-o", "n" * 300, "x.py"], "memtally: run: cannot write nnn"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_line_and_status_1(workshop, words, line):
    workshop.write("x.py", "print('it ran')")
    done = workshop.execute([*MEMTALLY, *words])
    assert done.status == 1
    assert done.stdout == ""
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_a_closed_stderr_does_not_send_errors_elsewhere(workshop):
    done = workshop.execute([*MEMTALLY, "run"], redirect="2>&-")
    assert (done.stdout, done.stderr, done.status) == ("", "", 2)


def test_python_without_site_is_told_that_tracing_needs_it(workshop):
    done = workshop.execute(
        [
            sys.executable,
            "-S",
            "-c",
            "import sys; sys.path[1:1] = eval(sys.argv.pop(1)); "
            "from memtally.__main__ import main; sys.exit(main(['run', '-c', 'print(1)']))",
            repr(sys.path),
        ]
    )
    assert done.status == 1
    assert done.stderr == (
        "memtally: run: python was started with -S, and tracing starts from the site module\n"
    )
