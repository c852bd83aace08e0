"""`memtally run`: start the program in an interpreter of its own, with tracing on from the start.

The program is not imported into this process: python itself is executed in its place (same process id), with
switches that make memtally/_startup.py trace and report. So sys.argv, sys.path, `__main__`, tracebacks,
signals and exit statuses are python's own, and nothing of this command's memory is in the program's tables.
"""

import argparse
import os
import site
import sys
from collections.abc import Sequence

from memtally._startup import MAX_FRAMES, RUN_SWITCH, parse_frames
from memtally.commands import USAGE_ERROR, Parser, fail
from memtally.reports.at_exit import partial_name

CANNOT_START = 1
"""Exit status where the interpreter to run the program in cannot be started or traced."""

TAKE_A_VALUE = ("--frames", "-o", "--output")
"""The options of `run` whose value may be the next word."""

HELP = "run a program and show where its memory went"
DESCRIPTION = """\
Run a program as python would, and at its end show which lines held the memory:
when it was at its highest (the peak), and what is still alive at exit. The
tables go to stderr; the program's own output is left alone.
"""
EPILOG = """\
examples:
  memtally run script.py --its-own-options
  memtally run -m http.server 8000     Ctrl-C ends it, then the tables come
  memtally run -c 'import decimal'     which lines does this import cost?
  memtally run -o a.snap script.py     for memtally.Snapshot.load("a.snap")

exit status:
  the program's own; where it cannot be started, python's: 2 for a file that is
  not there, else 1
  2 too for a wrong command line, or a FILE of -o that cannot be written (said
  before the program runs)
  1 too where tracing cannot be started

All options of memtally come before the program; what follows it is its own.
"""


def add_arguments(parser: Parser) -> None:
    parser.usage = "memtally run [--frames N] [-o FILE] (SCRIPT | -m MODULE | -c CODE) [ARGS]"
    parser.program_at = program_at
    parser.add_argument(
        "--frames",
        type=_frames,
        default=MAX_FRAMES,
        metavar="N",
        help=f"how many frames of each traceback to keep, 1 to {MAX_FRAMES} (default: all of them; "
        "the tables need one, a saved snapshot can show the way to it)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="save a snapshot, taken at exit, to FILE")
    program = parser.add_argument_group("the program, one of")
    program.add_argument(
        "script", nargs="?", metavar="SCRIPT", help="a file; a folder or zip with __main__.py"
    )
    program.add_argument("-m", metavar="MODULE", help="a module, as python -m runs it")
    program.add_argument("-c", metavar="CODE", help="a string, as python -c runs it")


def program_at(words: Sequence[str]) -> int:
    """Where the program begins in what follows `memtally run`: python gets all from there on, unread."""
    at = 0
    while at < len(words):
        word = words[at]
        if not word.startswith("-") or word in ("-", "--") or word[:2] in ("-m", "-c"):
            return at
        at += 2 if word in TAKE_A_VALUE else 1
    return len(words)


def execute(options: argparse.Namespace) -> int:
    """Replace this process by the traced program; returns only by SystemExit."""
    program = _program(options.program)
    output = _writable(options.output) if options.output is not None else ""
    if not sys.executable:
        fail("run: this interpreter does not know its own file name (sys.executable is empty)", CANNOT_START)
    if sys.flags.no_site:
        fail("run: python was started with -S, and tracing starts from the site module", CANNOT_START)
    environment = dict(os.environ)
    if not _startup_installed():
        environment["PYTHONPATH"] = _startup_path(environment.get("PYTHONPATH", ""))
    tracing = ["-X", f"memtally={options.frames}", "-X", f"{RUN_SWITCH}={output}"]
    command = [sys.executable, *interpreter_flags(sys.orig_argv, len(sys.argv) - 1), *tracing, *program]
    try:
        os.execve(sys.executable, command, environment)
    except OSError as error:
        fail(f"run: cannot start {sys.executable}: {error.strerror}", CANNOT_START)


def interpreter_flags(orig_argv: Sequence[str], arguments: int) -> list[str]:
    """The switches this interpreter was given (-X dev, -W error, -u, ...), to be given to the next one too.

    ORIG_ARGV is sys.orig_argv; its last ARGUMENTS entries are memtally's own. What stands before them is
    `-m memtally` in one of its spellings, or the path of the console script.
    """
    flags = list(orig_argv[1 : len(orig_argv) - arguments])
    if not flags:
        return flags
    last = flags.pop()
    if last.startswith("-"):  # -mmemtally, -Immemtally
        cluster = last[: last.index("m")]
    elif flags and flags[-1].startswith("-") and not flags[-1].startswith("--") and flags[-1].endswith("m"):
        cluster = flags.pop()[:-1]  # -m memtally, -Im memtally
    else:
        return flags
    return flags if cluster == "-" else [*flags, cluster]


def _frames(text: str) -> int:
    try:
        frames = parse_frames(text)
    except ValueError:
        frames = 0
    if frames == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of frames from 1 to {MAX_FRAMES}")
    return frames


def _program(words: Sequence[str]) -> list[str]:
    """What python is to run, in python's own words; WORDS is what begins at program_at."""
    program = list(words[1:] if words[:1] == ["--"] else words)
    if not program:
        fail("run: which program? (try: memtally run --help)", USAGE_ERROR)
    if program == ["-m"] or program == ["-c"]:
        fail(f"run: {program[0]} expects an argument (try: memtally run --help)", USAGE_ERROR)
    return ["--", *program] if len(program) < len(words) else program


def _writable(name: str) -> str:
    """The absolute path of the file NAME, or an error now rather than after hours of tracing."""
    path = os.path.realpath(name)
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(None, "it is a folder")
        if os.path.exists(path) and not os.access(path, os.W_OK):
            raise PermissionError(None, "permission denied")
        part = partial_name(path)
        if part != path:
            with open(part, "xb"):
                os.unlink(part)
    except OSError as error:
        fail(f"run: cannot write {name}: {(error.strerror or str(error)).lower()}", USAGE_ERROR)
    return path


def _startup_installed() -> bool:
    """Whether memtally-startup.pth lies where the site module looks for it."""
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    return any(os.path.isfile(os.path.join(folder, "memtally-startup.pth")) for folder in folders)


def _startup_path(inherited: str) -> str:
    """A PYTHONPATH whose first folder has the stand-in for the .pth file, which takes itself out again."""
    if sys.flags.ignore_environment:
        fail("run: memtally-startup.pth is not installed, and -E or -I keep its stand-in out", CANNOT_START)
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "startup")
    return folder + os.pathsep + inherited if inherited else folder
