"""Children of a program under `memtally run`: each writes a snapshot of its own, named by its process id."""

import os
import re
import signal
import subprocess
import sys

import pytest

import memtally

WORK = """
    import multiprocessing, os, sys, time

    kept = []

    def work(number):
        kept.append(bytes(1_000_000 + number))
        os.write(1, f"{os.getpid()}{os.linesep}".encode())
        return number
"""


def written(workshop):
    """{process id: snapshot} of the main process and its children, by the end."""
    found = {}
    for name in workshop.snapshots():
        match = re.fullmatch(r"[\w]+\.(\d+)(?:-(\d+))?\.memtally", name)
        if match:
            found[int(match[2] or match[1])] = memtally.Snapshot.load(str(workshop.folder / name))
    return found


def functions(snapshot):
    return {row.traceback[0].function: row.size for row in snapshot.statistics("function")}


METHODS = ("fork", "spawn", "forkserver")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ["returns", "exits", "raises"])
def test_a_process_of_multiprocessing_writes_its_own(workshop, method, end):
    last = {"returns": "pass", "exits": "sys.exit(3)", "raises": "1 / 0"}[end]
    workshop.write(
        "program.py",
        WORK
        + f"""
    def main():
        work(1)
        {last}

    if __name__ == "__main__":
        child = multiprocessing.get_context("{method}").Process(target=main)
        child.start()
        child.join()
        print(child.pid, child.exitcode)
    """,
    )
    done = workshop.run("program.py")
    child = int(done.stdout.splitlines()[0])
    found = written(workshop)
    assert len(found) == 2
    assert functions(found[child])["work"] > 1_000_000
    assert done.report.count("memtally: at the peak") == 1
    assert f", that of 1 more process to program.{min(set(found) - {child})}-*.memtally\n" in done.report


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ["with", "close", "terminate"])
def test_every_worker_of_a_pool_writes_its_own(workshop, method, end):
    ending = {
        "with": "",
        "close": "pool.close(); pool.join()",
        "terminate": "pool.terminate(); pool.join()",
    }[end]
    workshop.write(
        "program.py",
        WORK
        + f"""
    if __name__ == "__main__":
        with multiprocessing.get_context("{method}").Pool(3) as pool:
            pool.map(work, range(30), 1)
            {ending or "pass"}
    """,
    )
    done = workshop.run("program.py")
    assert done.status == 0
    assert done.program_stderr == ""
    workers = {int(line) for line in done.stdout.split()}
    found = written(workshop)
    assert workers <= set(found)
    assert len(found) == 4 or end != "close"  # who is ended before it has begun has nothing to write
    assert all(functions(found[worker])["work"] > 1_000_000 for worker in workers)


@pytest.mark.parametrize("method", METHODS)
def test_every_worker_of_an_executor_writes_its_own(workshop, method):
    workshop.write(
        "program.py",
        WORK
        + f"""
    import concurrent.futures
    if __name__ == "__main__":
        context = multiprocessing.get_context("{method}")
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            print(sum(pool.map(work, range(10))))
    """,
    )
    done = workshop.run("program.py")
    assert done.program_stderr == ""
    assert {int(line) for line in done.stdout.split()} - {45} <= set(written(workshop))


def test_a_forked_child_that_leaves_by_exit_writes_and_one_that_leaves_at_once_does_not(workshop):
    workshop.write(
        "program.py",
        WORK
        + """
    for leave in (sys.exit, os._exit):
        if os.fork() == 0:
            work(1)
            leave(3)
        os.wait()
    """,
    )
    done = workshop.run("program.py")
    exits, leaves = map(int, done.stdout.split())
    found = written(workshop)
    assert functions(found[exits])["work"] > 1_000_000
    assert leaves not in found
    assert len(found) == 2
    assert done.report.count("memtally: at the peak") == 1


def test_a_forked_child_goes_on_with_a_series_of_its_own(workshop):
    workshop.write(
        "program.py",
        """
        import os, signal, time
        child = os.fork()
        if child == 0:
            while True:
                time.sleep(0.01)
        def wait_for(process):
            name = f".memtally"
            end = time.monotonic() + 30
            while not any(f"{process}.000002" in name for name in os.listdir()):
                assert time.monotonic() < end
                time.sleep(0.01)
        wait_for(f"program.{os.getpid()}-{child}")
        wait_for(f"program.{os.getpid()}")
        os.kill(child, signal.SIGKILL)
        """,
    )
    done = workshop.run("--every", "0.05", "program.py")
    assert done.status == 0, done.stderr
    assert ", that of 1 more process to " in done.report


def test_a_daemon_that_forks_twice_writes_at_its_end(workshop):
    workshop.write(
        "program.py",
        """
        import os, time
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            kept = bytes(1_000_000)
            raise SystemExit
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
        """,
    )
    assert workshop.run("program.py").stderr == ""
    [name] = workshop.snapshots()
    rows = memtally.Snapshot.load(str(workshop.folder / name)).statistics("lineno")
    assert (rows[0].traceback[0].lineno, rows[0].size > 1_000_000) == (8, True)


def test_a_worker_that_listens_to_sigterm_itself_is_left_alone(workshop):
    workshop.write(
        "program.py",
        WORK
        + """
    import signal
    def main(ready):
        signal.signal(signal.SIGTERM, lambda *a: (print("mine", flush=True), os._exit(7)))
        ready.set()
        time.sleep(30)

    if __name__ == "__main__":
        context = multiprocessing.get_context("fork")
        ready = context.Event()
        child = context.Process(target=main, args=(ready,))
        child.start()
        ready.wait()
        child.terminate()
        child.join()
        print(child.exitcode)
    """,
    )
    done = workshop.side_by_side("program.py")
    assert done.stdout == "mine\n7\n"
    assert len(written(workshop)) == 1


CALLS = """
    import os, subprocess, sys
    code = "import os; kept = bytes(1_000_000); print(os.getpid())"
    subprocess.run([sys.executable, "-c", code])
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "MORE": "1"})
    subprocess.run(f"{sys.executable} -c '{code}'", shell=True)
"""


def test_other_pythons_are_left_alone_unless_they_are_to_be_followed(workshop):
    workshop.write("program.py", CALLS)
    done = workshop.run("program.py")
    assert len(done.stdout.split()) == 3
    assert len(written(workshop)) == 1
    done = workshop.run("--follow", "program.py")
    found = written(workshop)
    for process in map(int, done.stdout.split()):
        assert found[process].statistics("lineno")[0].size > 1_000_000
    assert ", those of 3 more processes to program." in done.report


def test_a_python_that_is_not_followed_finds_nothing_of_the_run(workshop):
    workshop.write(
        "program.py",
        """
        import subprocess, sys
        code = ("import os, sys, subprocess; print('memtally' in sys.modules, sys._xoptions);"
                "print([n for n in os.environ if 'LLY_R' in n], subprocess.getoutput('env | grep LLY_RUN'))")
        subprocess.run([sys.executable, "-c", code])
        """,
    )
    done = workshop.side_by_side("program.py")
    assert done.stdout == "False {}\n[] \n"


def test_children_of_a_quiet_run_are_quiet(workshop):
    workshop.write("program.py", CALLS)
    done = workshop.run("--quiet", "--follow", "program.py")
    assert done.stderr == ""
    assert len(written(workshop)) == 4


@pytest.mark.parametrize("options", [["--no-snapshot"], ["-o", "/dev/null"]])
def test_children_write_nothing_where_there_is_no_file_to_write_beside(workshop, options):
    before = set(os.listdir("/dev"))
    workshop.write("program.py", WORK + "\n    if os.fork() == 0: sys.exit()\n    os.wait()\n")
    assert workshop.run(*options, "program.py").status == 0
    assert workshop.snapshots() == []
    assert {name for name in set(os.listdir("/dev")) - before if "null" in name} == set()


def test_children_of_a_named_file_are_named_after_it(workshop):
    workshop.write("program.py", WORK + "\n    if os.fork() == 0: work(1); sys.exit()\n    os.wait()\n")
    done = workshop.run("-o", "a.snap", "program.py")
    names = sorted(path.name for path in workshop.folder.glob("*.snap"))
    assert names == [f"a-{int(done.stdout)}.snap", "a.snap"]


def test_control_c_reaches_all_processes_and_all_write(workshop):
    workshop.write(
        "program.py",
        WORK
        + """
    def main():
        work(1)
        for _ in range(600):
            time.sleep(0.1)  # a signal just before python sleeps waits until it wakes up

    if __name__ == "__main__":
        child = multiprocessing.get_context("fork").Process(target=main)
        child.start()
        os.write(1, b"0\\n")  # whole, and out of fork, where python would ignore Ctrl-C
        child.join()
    """,
    )
    command = [sys.executable, "-m", "memtally", "run", "program.py"]
    with subprocess.Popen(
        command, cwd=workshop.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
    ) as process:
        child = max(int(process.stdout.readline()) for _ in range(2))
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert set(written(workshop)) == {process.pid, child}
