"""`memtally run --every` and `--on-signal`: snapshots of a program that goes on."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

import memtally

GROWS = """
    import sys, time
    kept = []
    def grow():
        kept.append(bytes(100000))
    for _ in range({rounds}):
        grow()
        time.sleep(0.02)
        print(len(kept), flush=True)
"""
ENDLESS = GROWS.format(rounds=100000)


def series(workshop):
    """The numbered snapshots, by number."""
    found = {}
    for name in workshop.snapshots():
        match = re.fullmatch(r".*\.(\d{6})\.memtally", name)
        if match:
            found[int(match[1])] = workshop.folder / name
    return found


def start(workshop, *options, source=ENDLESS):
    """A program under `memtally run` that has printed its first line."""
    workshop.write("program.py", source)
    command = [sys.executable, "-m", "memtally", "run", *options, "program.py"]
    process = subprocess.Popen(command, cwd=workshop.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline()
    return process


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def kill(process):
    process.kill()
    process.communicate()


def bytes_of(path, place):
    rows = memtally.Snapshot.load(str(path)).statistics("function")
    return sum(row.size for row in rows if row.traceback[0].function == place)


def test_a_killed_program_leaves_the_last_snapshots_of_its_series(workshop):
    process = start(workshop, "--every", "0.1", "--keep", "3")
    wait_for(lambda: len(series(workshop)) == 3 and max(series(workshop)) >= 5)
    kill(process)
    found = series(workshop)
    assert len(found) in (3, 4)  # 4: killed between writing the new one and removing the oldest
    assert sorted(found) == list(range(min(found), max(found) + 1))
    sizes = [bytes_of(found[number], "grow") for number in sorted(found)]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0] > 100000
    assert workshop.snapshots() == sorted(path.name for path in found.values())


def test_the_series_stays_beside_the_snapshot_of_the_end(workshop):
    workshop.write("program.py", GROWS.format(rounds=40))
    done = workshop.run("--every", "0.1", "-o", "a.snap", "program.py")
    names = sorted(path.name for path in workshop.folder.glob("*.snap"))
    assert names[-1] == "a.snap"
    assert names[0] == "a.000001.snap"
    assert done.program_stderr == ""
    assert done.report.count("snapshot saved") == 1


def test_numbers_go_on_where_an_earlier_series_ended(workshop):
    workshop.write("program.py", GROWS.format(rounds=20))
    (workshop.folder / "a.000041.snap").write_text("precious")
    workshop.run("--every", "0.1", "--keep", "1", "-o", "a.snap", "program.py")
    names = sorted(path.name for path in workshop.folder.glob("a.*.snap"))
    assert names[0] == "a.000041.snap"
    assert len(names) == 2
    assert (workshop.folder / "a.000041.snap").read_text() == "precious"


def test_a_program_that_never_waits_is_not_spared(workshop):
    source = "print(1, flush=True)\nn = 0\nwhile True:\n    n += 1\n"
    process = start(workshop, "--every", "0.1", source=source)
    wait_for(lambda: len(series(workshop)) >= 2)
    kill(process)


def test_the_program_finds_no_thread_and_forks_without_a_warning(workshop):
    workshop.write(
        "program.py",
        """
        import os, sys, threading, time
        print(threading.active_count(), threading.enumerate())
        for _ in range(20):
            time.sleep(0.01)
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        print("done")
        """,
    )
    plain = workshop.execute([sys.executable, "-W", "always", "program.py"])
    ours = workshop.execute(
        [sys.executable, "-W", "always", "-m", "memtally", "run", "--every", "0.01", "program.py"]
    )
    assert ours.as_python_sees_it() == plain.as_python_sees_it()
    assert series(workshop)


def test_forks_do_not_put_off_the_next_snapshot(workshop):
    source = """
        import os, time
        print(1, flush=True)
        while True:
            if (child := os.fork()) == 0:
                os._exit(0)
            os.waitpid(child, 0)
            time.sleep(0.02)
    """
    process = start(workshop, "--every", "0.3", source=source)
    wait_for(lambda: len(series(workshop)) >= 2)
    kill(process)


def test_memtallys_own_memory_is_in_no_snapshot(workshop):
    process = start(workshop, "--every", "0.05", "--keep", "2")
    wait_for(lambda: series(workshop) and max(series(workshop)) >= 8)
    kill(process)
    snapshot = memtally.Snapshot.load(str(max(series(workshop).items())[1]))
    own = os.path.dirname(memtally.__file__) + "/running/"
    for view in ("live", "peak", "total"):
        rows = snapshot.view(view).statistics("traceback")
        assert [row for row in rows if any(frame.filename.startswith(own) for frame in row.traceback)] == []


def test_a_folder_that_vanishes_is_said_once_and_the_program_goes_on(workshop):
    workshop.write(
        "program.py",
        "import os, time\nos.rmdir('sub')\nfor _ in range(50):\n    time.sleep(0.02)\nprint('went on')",
    )
    (workshop.folder / "sub").mkdir()
    done = workshop.run("--every", "0.1", "-o", "sub/a.snap", "program.py")
    assert done.stdout == "went on\n"
    assert done.stderr.count("snapshot not saved: ") == 2  # of the series, and the last one
    assert done.stderr.count("a.000001.snap: No such file") == 1


def test_modules_of_the_program_that_are_named_as_the_librarys_are_left_alone(workshop):
    names = (
        "json",
        "typing",
        "threading",
        "signal",
        "fnmatch",
        "re",
        "tempfile",
        "datetime",
        "multiprocessing",
    )
    for name in names:
        workshop.write(f"{name}.py", f"print('the program has its own {name}', flush=True)")
    workshop.write(
        "program.py",
        "import json, signal, multiprocessing, os, time\n"
        "if os.fork() == 0: raise SystemExit\n"
        "os.wait()\nos.kill(os.getpid(), 10)\ntime.sleep(0.3)\n",
    )
    done = workshop.run("--every", "0.05", "--on-signal", "USR1", "program.py")
    assert done.program_stderr == ""
    assert done.stdout.count("has its own") == 3
    assert series(workshop)
    assert len(workshop.snapshots()) >= 4


# --- signals


@pytest.mark.parametrize("name", ["USR1", "SIGUSR1", "usr1", str(int(signal.SIGUSR1))])
def test_a_signal_writes_a_snapshot_and_the_program_goes_on(workshop, name):
    process = start(workshop, "--on-signal", name)
    for number in (1, 2):
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: number in series(workshop))  # noqa: B023
        line = process.stderr.readline().decode()
        assert line == f"memtally: snapshot saved to {series(workshop)[number]}\n"
    assert process.stdout.readline()
    assert bytes_of(series(workshop)[1], "grow") > 0
    kill(process)


def test_a_program_that_takes_the_signal_for_itself_has_it(workshop):
    workshop.write(
        "program.py",
        """
        import os, signal
        signal.signal(signal.SIGUSR1, lambda *a: print("mine"))
        os.kill(os.getpid(), signal.SIGUSR1)
        """,
    )
    done = workshop.run("--on-signal", "USR1", "program.py")
    assert done.stdout == "mine\n"
    assert series(workshop) == {}


@pytest.mark.parametrize("name", ["TERM", "HUP"])
def test_a_signal_that_ends_the_program_still_does(workshop, name):
    number = signal.Signals[f"SIG{name}"]
    inherited = signal.signal(number, signal.SIG_DFL)  # under nohup, SIGHUP is ignored, by children too
    process = start(workshop, "--on-signal", name)
    signal.signal(number, inherited)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -number
    assert len(series(workshop)) == 1
    assert len(workshop.snapshots()) == 2
    assert b"memtally: at the peak" in errors


def test_control_c_may_be_the_signal(workshop):
    process = start(workshop, "--on-signal", "INT")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert b"KeyboardInterrupt" in errors
    assert len(series(workshop)) == 1


def test_the_signal_reaches_a_main_thread_that_waits(workshop):
    source = """
        import threading, time
        def work():
            print(1, flush=True)
            time.sleep(1000)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """
    process = start(workshop, "--on-signal", "USR1", source=source)
    process.send_signal(signal.SIGUSR1)
    wait_for(lambda: 1 in series(workshop))
    kill(process)


@pytest.mark.slow  # five seconds of waiting
def test_a_program_that_stays_in_c_code_still_ends_by_sigterm(workshop):
    process = start(workshop, source="print(1, flush=True)\nsum(range(10**12))\n")
    time.sleep(1)  # until it is in there
    began = time.monotonic()
    process.terminate()
    assert process.wait(timeout=30) == -signal.SIGTERM
    assert 3 < time.monotonic() - began < 20
    process.communicate()


def test_a_program_that_waits_for_a_lock_ends_by_sigterm(workshop):
    source = (
        "import threading\nlock = threading.Lock()\nlock.acquire()\nprint(1, flush=True)\nlock.acquire()\n"
    )
    process = start(workshop, source=source)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert b"memtally: at the peak" in errors


def test_ctrl_c_while_a_snapshot_is_waited_for_can_wait_again(workshop):
    """As at the end of a run, where a file of the series would stay half written."""
    workshop.write(
        "program.py",
        """
        import signal, threading, time
        from memtally.running.ticker import Ticker

        def tick():
            ticks.append("begun")
            time.sleep(0.2)  # until the main thread waits
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.2)
            ticks[-1] = "whole"

        main, ticks, ticker = threading.get_ident(), [], Ticker(0.001, tick)
        ticker.start()
        while not ticks:
            time.sleep(0.001)
        try:
            ticker.stop()
        except KeyboardInterrupt:
            print("interrupted")
        ticker.stop()
        print(*set(ticks))
        """,
    )
    assert workshop.execute([sys.executable, "program.py"]).stdout == "interrupted\nwhole\n"
