"""Tries the memtally that this interpreter's environment has: `python tools/try_installed.py`.

For `make package` and for cibuildwheel, in an environment with nothing else in it. Its own folder is the
first that Python looks into, and not the source folder, so what is imported is what was installed.
"""

import pathlib
import subprocess
import sys
import sysconfig

import memtally

STARTED = "import memtally; assert memtally.is_tracing() and memtally.get_traceback_limit() == 3"
HOLDS = "block = bytearray(5 << 20)"


def traces() -> None:
    """A block is found again: by its object, and in a snapshot."""
    memtally.start()
    block = bytearray(1 << 20)
    snapshot = memtally.take_snapshot()
    assert memtally.get_object_traceback(block) is not None
    assert any(statistic.size >= 1 << 20 for statistic in snapshot.statistics("lineno"))
    memtally.stop()


def has_its_files() -> None:
    """It lies where installed packages lie, with its stubs and the start-up file."""
    folder = pathlib.Path(memtally.__file__).parent
    assert folder.parent == pathlib.Path(sysconfig.get_path("platlib")), folder
    for name in ("py.typed", "_core.pyi"):
        assert (folder / name).is_file(), name
    assert (folder.parent / "memtally-startup.pth").is_file()


def starts_with_python() -> None:
    """-X memtally traces from the program's first line."""
    subprocess.run([sys.executable, "-X", "memtally=3", "-c", STARTED], check=True)


def runs_a_program() -> None:
    """`memtally run` shows where the memory went."""
    command = [sys.executable, "-m", "memtally", "run", "-c", HOLDS]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert "at the peak" in shown, shown
    assert "5.0 MiB" in shown, shown


for attempt in (traces, has_its_files, starts_with_python, runs_a_program):
    attempt()
    print(f"ok: {(attempt.__doc__ or '').strip()}")
