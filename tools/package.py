"""`make package`: what a user gets.

A source archive is built, installed in a clean environment and tried, and so is the source folder itself. pip
fetches the build tools as it does for anyone.
"""

import pathlib
import subprocess
import sys
import tempfile

import environment
from steps import ROOT, Counts, Failed, say, step

TRY = """
import pathlib, sysconfig, memtally
memtally.start()
block = bytearray(1 << 20)
snapshot = memtally.take_snapshot()
assert memtally.get_object_traceback(block) is not None
assert any(statistic.size >= 1 << 20 for statistic in snapshot.statistics("lineno"))
folder = pathlib.Path(memtally.__file__).parent
assert folder.parent == pathlib.Path(sysconfig.get_path("platlib")), folder
for name in ("py.typed", "_core.pyi"):
    assert (folder / name).is_file(), name
assert (folder.parent / "memtally-startup.pth").is_file()
"""
TRY_STARTUP = "import memtally; assert memtally.is_tracing() and memtally.get_traceback_limit() == 3"


def version() -> str:
    """The version that the installed package tells."""
    command = [environment.PYTHON, "-c", "import importlib.metadata as m; print(m.version('memtally'))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def attempts(folder: pathlib.Path) -> list[tuple[str, list[str]]]:
    """The checks, in order: what each shows, and its command.

    None of them runs in the source folder, so what is imported is what was installed.
    """
    made = folder / "dist"
    build = [environment.PYTHON, "-m", "build", "--sdist", "--outdir", str(made), str(ROOT)]
    checks = [("building the source archive", build)]
    for name, source in (
        ("the source archive", made / f"memtally-{version()}.tar.gz"),
        ("the source folder", ROOT),
    ):
        place = folder / name.split()[-1]
        python = str(place / "bin" / "python")
        checks += [
            (f"making an environment for {name}", [sys.executable, "-m", "venv", str(place)]),
            (f"installing {name}", [python, "-m", "pip", "install", str(source)]),
            (f"tracing with {name}", [python, "-c", TRY]),
            (f"tracing from the start with {name}", [python, "-X", "memtally=3", "-c", TRY_STARTUP]),
            (f"the command of {name}", [str(place / "bin" / "memtally"), "--help"]),
        ]
    return checks


def run() -> Counts:
    """Runs the checks; one that fails does not keep the others from being tried."""
    counts = Counts()
    with tempfile.TemporaryDirectory(prefix="memtally-package-") as name:
        for number, (title, command) in enumerate(attempts(pathlib.Path(name))):
            try:
                step(title, command, log=environment.log(f"package-{number}"), cwd=name)
                counts.passed += 1
            except Failed:
                counts.failed += 1
    say(f"package: {counts}")
    return counts
