"""Interpreters where memtally's start-up file, its extension, or both are missing."""

import os
import pathlib
import shutil
import site
import subprocess
import sys
import venv

import pytest

import memtally

PACKAGE = pathlib.Path(memtally.__file__).parent
FOLDERS = [pathlib.Path(folder) for folder in site.getsitepackages()]
STARTUP_FILE = next(file for folder in FOLDERS if (file := folder / "memtally-startup.pth").is_file())


class Bare:
    """An environment with nothing installed; memtally comes through PYTHONPATH, so without its .pth file."""

    def __init__(self, folder):
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = str(folder / "bin" / "python")
        (self.site_packages,) = folder.glob("lib/python*/site-packages")

    def run(self, *words, path=str(PACKAGE.parent), cwd=None):
        kept = {key: value for key, value in os.environ.items() if key not in ("MEMTALLY", "PYTHONPATH")}
        if path:
            kept["PYTHONPATH"] = path
        return subprocess.run(
            [self.python, *words],
            env=kept,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def bare(tmp_path):
    return Bare(tmp_path / "bare")


SEES = """
import os, sys
kept = [bytes(1000) for _ in range(100)]
print(sys.path, sys.argv, sys.orig_argv, sys._xoptions, os.environ.get("PYTHONPATH"))
print([name for name in sys.modules if name.endswith("customize")], getattr(sys, "customized", None))
print([folder for folder in sys.path_importer_cache if "memtally/startup" in folder])
"""


def test_run_needs_no_startup_file_and_the_program_sees_no_difference(bare, tmp_path):
    (tmp_path / "program.py").write_text(SEES)
    plain = bare.run("program.py", "one", cwd=tmp_path)
    ours = bare.run("-m", "memtally", "run", "program.py", "one", cwd=tmp_path)
    assert (ours.stdout, ours.returncode) == (plain.stdout, 0)
    assert plain.stderr == ""
    assert ours.stderr.startswith("\nmemtally: at the peak")
    assert "program.py:3" in ours.stderr


def test_run_without_the_startup_file_and_without_PYTHONPATH_leaves_none(bare, tmp_path):
    (tmp_path / "program.py").write_text(SEES)
    (bare.site_packages / "memtally").symlink_to(PACKAGE)
    plain = bare.run("program.py", path="", cwd=tmp_path)
    ours = bare.run("-m", "memtally", "run", "program.py", path="", cwd=tmp_path)
    assert (ours.stdout, ours.returncode) == (plain.stdout, 0)
    assert "program.py:3" in ours.stderr


def test_run_without_the_startup_file_keeps_the_users_sitecustomize(bare, tmp_path):
    (tmp_path / "program.py").write_text(SEES)
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.customized = __file__\n")
    path = f"{tmp_path}{os.pathsep}{PACKAGE.parent}"
    plain = bare.run("program.py", path=path, cwd=tmp_path)
    ours = bare.run("-m", "memtally", "run", "program.py", path=path, cwd=tmp_path)
    assert "sitecustomize.py" in plain.stdout
    assert (ours.stdout, ours.returncode) == (plain.stdout, 0)


def test_run_without_the_startup_file_lets_the_users_sitecustomize_fail_as_it_does(bare, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import absent_module\n")
    path = f"{tmp_path}{os.pathsep}{PACKAGE.parent}"
    ours = bare.run("-m", "memtally", "run", "-c", "print('runs')", path=path)
    assert (ours.stdout, ours.returncode) == ("runs\n", 0)
    assert "absent_module" in ours.stderr
    assert "memtally: at the peak" in ours.stderr


CHILDREN = """
import multiprocessing, os, subprocess, sys
def work():
    print(os.getpid(), os.environ.get("PYTHONPATH"), sys._xoptions, flush=True)
if __name__ == "__main__":
    for method in ("spawn", "forkserver"):
        child = multiprocessing.get_context(method).Process(target=work)
        child.start()
        child.join()
    subprocess.run([sys.executable, "-c", "import os, sys; print(os.getpid(), 'memtally' in sys.modules)"])
"""


@pytest.mark.parametrize("follow", [[], ["--follow"]], ids=["", "followed"])
def test_run_without_the_startup_file_finds_the_children_too(bare, tmp_path, follow):
    (tmp_path / "program.py").write_text(CHILDREN)
    done = bare.run("-m", "memtally", "run", *follow, "program.py", cwd=tmp_path)
    spawned, forked, other = (line.split() for line in done.stdout.splitlines())
    if not follow:
        assert spawned[1:] == forked[1:] == [str(PACKAGE.parent), "{}"]
    assert other[1:] == [str(bool(follow))]
    names = {path.name.partition("-")[2] for path in tmp_path.glob("*.memtally")}
    expected = {
        "",
        *(f"{process[0]}.memtally" for process in (spawned, forked, *([other] if follow else ()))),
    }
    assert names == expected


def test_run_isolated_without_the_startup_file_says_what_is_missing(bare):
    (bare.site_packages / "memtally").symlink_to(PACKAGE)
    done = bare.run("-Im", "memtally", "run", "-c", "print('runs')")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr == (
        "memtally: run: memtally-startup.pth is not installed, and -E or -I keep its stand-in out\n"
    )


def test_the_switches_do_nothing_without_the_startup_file(bare):
    done = bare.run("-X", "memtally", "-c", "import sys; print('memtally' in sys.modules)")
    assert (done.stdout, done.stderr, done.returncode) == ("False\n", "", 0)


def broken(bare):
    """Install a memtally whose extension is missing, with its start-up file."""
    shutil.copy(STARTUP_FILE, bare.site_packages)
    package = bare.site_packages / "memtally"
    package.mkdir()
    shutil.copy(PACKAGE / "_startup.py", package)
    (package / "__init__.py").write_text("from memtally._core import start\n")


def test_a_missing_extension_costs_one_line_where_tracing_was_asked_for(bare):
    broken(bare)
    done = bare.run("-X", "memtally", "-c", "print('runs')", path="")
    assert (done.stdout, done.returncode) == ("runs\n", 0)
    assert done.stderr == "memtally: not tracing: No module named 'memtally._core'\n"


def test_a_missing_extension_costs_nothing_where_it_was_not(bare):
    broken(bare)
    done = bare.run("-c", "print('runs')", path="")
    assert (done.stdout, done.stderr, done.returncode) == ("runs\n", "", 0)


def test_a_startup_file_left_behind_costs_one_line_where_tracing_was_asked_for(bare):
    shutil.copy(STARTUP_FILE, bare.site_packages)
    done = bare.run("-X", "memtally=3", "-c", "print('runs')", path="")
    assert (done.stdout, done.returncode) == ("runs\n", 0)
    assert done.stderr == "memtally: not tracing: No module named 'memtally'\n"


@pytest.mark.parametrize(("text", "told"), [("'no room'", "no room"), ("", "MemoryError")])
def test_tracing_that_cannot_start_costs_one_line(bare, text, told):
    broken(bare)
    (bare.site_packages / "memtally" / "__init__.py").write_text("")
    (bare.site_packages / "memtally" / "_core.py").write_text(
        f"def is_tracing(): return False\ndef _start_early(frames): raise MemoryError({text})\n"
    )
    done = bare.run("-X", "memtally", "-c", "print('runs')", path="")
    assert (done.stdout, done.returncode) == ("runs\n", 0)
    assert done.stderr == f"memtally: not tracing: {told}\n"


def test_the_startup_file_is_one_line_that_is_run_and_not_a_path():
    lines = STARTUP_FILE.read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("import ")


START_FILES = pytest.mark.skipif(sys.version_info < (3, 15), reason="3.15 brought .start files (PEP 829)")


def test_no_start_file_is_installed_that_would_silence_the_startup_file():
    assert not STARTUP_FILE.with_suffix(".start").exists()


@START_FILES
def test_start_files_of_others_run_when_tracing_is_on(bare):
    shutil.copy(STARTUP_FILE, bare.site_packages)
    (bare.site_packages / "aaa.start").write_text("asked_early:go\n")
    (bare.site_packages / "asked_early.py").write_text(
        "import memtally\ndef go(): print('early', memtally.is_tracing())\n"
    )
    done = bare.run("-X", "memtally", "-c", "print('runs')")
    assert (done.stdout, done.stderr) == ("early True\nruns\n", "")


@START_FILES
def test_the_startup_file_gives_no_warning_where_start_files_are_known(bare):
    shutil.copy(STARTUP_FILE, bare.site_packages)
    done = bare.run(
        "-W", "error", "-X", "dev", "-X", "memtally", "-c", "import memtally; print(memtally.is_tracing())"
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
