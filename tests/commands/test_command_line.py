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
    assert done.stdout.startswith(
        "usage: memtally run [--frames N] [-o FILE] (SCRIPT | -m MODULE | -c CODE) [ARGS]\n"
    )
    for part in ("examples:", "memtally run -o a.snap script.py", "exit status:", "default: all"):
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
def test_a_wrong_command_line_is_one_line_and_status_2(workshop, words, line):
    workshop.write("x.py", "print('it ran')")
    done = workshop.execute([*MEMTALLY, *words])
    assert done.status == 2
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
