"""`make package`: what a user gets.

A source archive is built, installed in a clean environment and tried, and so is the source folder itself:
pip fetches the build tools as it does for anyone. Then a wheel is made of the archive: auditwheel says
which systems it is for, and it is installed without anything else at hand.
"""

import pathlib
import subprocess
import sys
import tempfile

import environment
from steps import ROOT, Counts, Failed, say, step

TRY = ROOT / "tools" / "try_installed.py"
CHECK_WHEEL = ROOT / "tools" / "check_wheel.py"


def version() -> str:
    """The version that the installed package tells."""
    command = [environment.PYTHON, "-c", "import importlib.metadata as m; print(m.version('memtally'))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


Checks = list[tuple[str, list[str]]]


def trials(name: str, folder: pathlib.Path, what: list[str]) -> Checks:
    """The checks of one thing that pip can install (`what`), in an environment of its own."""
    place = folder / name.split()[-1]
    python = str(place / "bin" / "python")
    return [
        (f"making an environment for {name}", [sys.executable, "-m", "venv", str(place)]),
        (f"installing {name}", [python, "-m", "pip", "install", *what]),
        (f"tracing with {name}", [python, str(TRY)]),
        (f"the command of {name}", [str(place / "bin" / "memtally"), "--help"]),
    ]


def attempts(folder: pathlib.Path) -> Checks:
    """The checks, in order: what each shows, and its command. None of them runs in the source folder."""
    made, wheels, tagged = (str(folder / name) for name in ("dist", "wheels", "tagged"))
    archive = f"{made}/memtally-{version()}.tar.gz"
    build = [environment.PYTHON, "-m", "build", "--sdist", "--outdir", made, str(ROOT)]
    pack = [*environment.PIP[:-1], "wheel", "--no-deps", "--wheel-dir", wheels, archive]
    return [
        ("building the source archive", build),
        *trials("the source archive", folder, [archive]),
        *trials("the source folder", folder, [str(ROOT)]),
        ("building the wheel", pack),
        ("looking which systems the wheel is for", [environment.PYTHON, str(CHECK_WHEEL), wheels, tagged]),
        *trials("the wheel", folder, ["--no-index", "--find-links", tagged, "memtally"]),
    ]


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
        say("\n".join(f"package: {path.name}" for path in pathlib.Path(name, "tagged").glob("*.whl")))
    say(f"package: {counts}")
    return counts
