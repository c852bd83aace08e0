"""`-X memtally` and MEMTALLY start tracing as `-X tracemalloc` and PYTHONTRACEMALLOC do, side by side."""

import os
import subprocess
import sys

import pytest

LIMIT = "import {0}; print({0}.is_tracing(), {0}.is_tracing() and {0}.get_traceback_limit())"
VALUES = ["", "0", "1", "2", "25", "65535", " 5", "+5", "007", "-0"]
BAD_VALUES = ["-1", "x", "5x", "5 ", "1.5", "1_0", "0x10", "65536", "99999", str(2**30), "9" * 40, "\u0665"]


def python(*words, **environment):
    """Run a fresh interpreter without switches of the surroundings; (stdout, stderr, status)."""
    kept = {key: value for key, value in os.environ.items() if key not in ("MEMTALLY", "PYTHONTRACEMALLOC")}
    done = subprocess.run(
        [sys.executable, *words], env={**kept, **environment}, capture_output=True, text=True, timeout=60
    )
    return done.stdout, done.stderr, done.returncode


def both(words, variable=None):
    """Run with the standard tracer's switches and with ours, which WORDS call TRACER; VARIABLE is a value."""
    outcomes = []
    for tracer, name in (("tracemalloc", "PYTHONTRACEMALLOC"), ("memtally", "MEMTALLY")):
        environment = {} if variable is None else {name: variable}
        switches = [word.replace("TRACER", tracer) for word in words]
        outcomes.append(python(*switches, "-c", LIMIT.format(tracer), **environment))
    return outcomes


@pytest.mark.parametrize("value", VALUES)
def test_the_option_means_what_the_standard_one_means(value):
    standard, ours = both(["-X", f"TRACER={value}"])
    assert ours == standard
    assert ours[2] == 0


def test_the_bare_option_keeps_one_frame():
    standard, ours = both(["-X", "TRACER"])
    assert ours == standard == ("True 1\n", "", 0)


@pytest.mark.parametrize("value", VALUES)
def test_the_variable_means_what_the_standard_one_means(value):
    standard, ours = both([], variable=value)
    assert ours == standard
    assert ours[2] == 0


@pytest.mark.parametrize("value", BAD_VALUES)
def test_a_bad_option_ends_the_interpreter_with_one_line(value):
    standard, ours = both(["-X", f"TRACER={value}"])
    assert ours[0] == standard[0] == ""
    assert ours[2] == standard[2] == 1
    assert ours[1].startswith("memtally: -X memtally=NFRAME: invalid number of frames: ")
    assert ours[1].count("\n") == 1


@pytest.mark.parametrize("value", BAD_VALUES)
def test_a_bad_variable_ends_the_interpreter_with_one_line(value):
    standard, ours = both([], variable=value)
    assert ours[0] == standard[0] == ""
    assert ours[2] == standard[2] == 1
    assert ours[1].startswith("memtally: MEMTALLY: invalid number of frames: ")
    assert ours[1].count("\n") == 1


@pytest.mark.parametrize(
    ("words", "variable"),
    [
        (["-X", "TRACER=3"], "7"),
        (["-X", "TRACER"], "7"),
        (["-X", "TRACER=0"], "7"),
        (["-X", "TRACER="], "7"),
        (["-X", "TRACER=3"], "0"),
        (["-X", "TRACER=3"], ""),
        (["-E"], "7"),
        (["-I"], "7"),
        (["-E"], "x"),
        (["-E", "-X", "TRACER=3"], "7"),
        (["-I", "-X", "TRACER=3"], "x"),
        (["-s"], "7"),
        (["-P"], "7"),
    ],
)
def test_the_option_wins_over_the_variable_which_E_and_I_ignore(words, variable):
    standard, ours = both(words, variable=variable)
    assert ours == standard
    assert ours[2] == 0


def test_a_bad_variable_is_an_error_even_where_the_option_wins():
    standard, ours = both(["-X", "TRACER=3"], variable="x")
    assert standard[2] == ours[2] == 1
    assert ours[1].startswith("memtally: MEMTALLY: invalid number of frames: 'x'")


def test_of_two_options_the_last_one_counts():
    assert python("-X", "memtally=3", "-X", "memtally=4", "-c", LIMIT.format("memtally"))[0] == "True 4\n"


def test_without_site_there_is_no_tracing():
    out, err, status = python("-S", "-X", "memtally", "-c", "import sys; print('memtally' in sys.modules)")
    assert (out, err, status) == ("False\n", "", 0)


@pytest.mark.parametrize("environment", [{}, {"MEMTALLY": ""}], ids=["no variable", "an empty variable"])
def test_an_interpreter_that_does_not_use_it_imports_nothing_of_it(environment):
    code = "import sys; print([name for name in sys.modules if 'memtally' in name])"
    assert python("-c", code, **environment) == ("[]\n", "", 0)


def test_tracing_is_on_before_the_first_line_and_before_sitecustomize(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("kept = bytes(123456)\n")
    (tmp_path / "program.py").write_text(
        "kept = bytes(234567)\n"
        "import memtally, sys\n"
        "for block in (kept, sys.modules['sitecustomize'].kept):\n"
        "    print(memtally.get_object_traceback(block)[-1].filename)\n"
    )
    out, err, status = python("-X", "memtally", str(tmp_path / "program.py"), PYTHONPATH=str(tmp_path))
    assert (err, status) == ("", 0)
    assert out.splitlines() == [str(tmp_path / "program.py"), str(tmp_path / "sitecustomize.py")]


def test_the_variable_reaches_children_and_the_option_does_not():
    child = "import subprocess, sys; print(subprocess.run([sys.executable, '-c', {!r}], {}).stdout)".format(
        LIMIT.format("memtally"), "capture_output=True, text=True"
    )
    assert python("-c", child, MEMTALLY="3")[0].strip() == "True 3"
    assert python("-X", "memtally=3", "-c", child)[0].strip() == "False False"


def test_switches_do_not_print_tables():
    assert python("-X", "memtally", "-c", "print('x')") == ("x\n", "", 0)


def test_python_runs_on_where_stderr_is_closed():
    for value, status in (("3", 0), ("x", 1)):
        words = ["/bin/sh", "-c", '"$@" 2>&-', "sh", sys.executable, "-X", f"memtally={value}", "-c", "pass"]
        done = subprocess.run(words, capture_output=True, text=True)
        assert (done.stdout, done.returncode) == ("", status)


SUBINTERPRETERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
sys.stdout.flush()
for _ in range(3):
    one = interpreters.create()
    failure = interpreters.run_string(one, "import sys; print('inside', flush=True)")
    assert not failure, failure
    interpreters.destroy(one)
import memtally
print(memtally.is_tracing(), memtally.get_traceback_limit())
"""


def test_a_program_with_subinterpreters_runs_under_memtally_run():
    run = ("-m", "memtally", "run", "--no-snapshot", "--frames", "3")
    out, err, status = python("-W", "ignore", *run, "-c", SUBINTERPRETERS)
    assert (out, status) == ("inside\n" * 3 + "True 3\n", 0)
    assert err.startswith("\nmemtally: at the peak")


@pytest.mark.parametrize("switch", [["-X", "memtally=3"], []], ids=["option", "variable"])
def test_subinterpreters_start_in_silence_and_leave_the_tracing_alone(switch):
    out, err, status = python("-W", "ignore", *switch, "-c", SUBINTERPRETERS, MEMTALLY="3")
    assert (err, status) == ("", 0)
    assert out == "inside\n" * 3 + "True 3\n"
