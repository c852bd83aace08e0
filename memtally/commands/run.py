"""`memtally run`: start the program in an interpreter of its own, with tracing on from the start.

The program is not imported into this process: python itself is executed in its place (same process id), with
switches that make memtally/_startup.py trace, save and report (memtally/running). So sys.argv, sys.path,
`__main__`, tracebacks, signals and exit statuses are python's own, and nothing of this command's memory is in
the program's tables.
"""

import argparse
import math
import os
import signal
import site
import sys
from collections.abc import Sequence

from memtally._startup import MAX_FRAMES, RUN_SWITCH, RUN_VARIABLE, parse_frames
from memtally.commands import USAGE_ERROR, Parser, fail
from memtally.running import files
from memtally.running.plan import Plan

CANNOT_START = 1
"""Exit status where the interpreter to run the program in cannot be started or traced."""
CANNOT_WRITE = 1
"""Exit status where the FILE of -o cannot be written."""

TAKE_A_VALUE = ("--frames", "-o", "--output", "--every", "--keep", "--on-signal")
"""The options of `run` whose value may be the next word."""

SHORTEST, LONGEST = 0.01, 1e9
"""Seconds that --every takes."""

UNUSABLE = (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""Signals that no program can listen to, or that say that it cannot go on."""

HELP = "run a program and show where its memory went"
DESCRIPTION = """\
Run a program as python would, and at its end show which lines held the memory:
when it was at its highest (the peak), and what is still alive at exit. The
tables go to stderr; the program's own output is left alone. A snapshot of all
that is known goes to a file in the current folder, named by script and pid.
"""
EPILOG = """\
examples:
  memtally run script.py --its-own-options
  memtally run -m http.server 8000     Ctrl-C ends it, then the tables come
  memtally run --every 60 service.py   one a minute; kill -9 leaves the last
  memtally run --on-signal USR1 x.py   kill -USR1 PID: a snapshot of this moment
  memtally run --flamegraph script.py  a picture of it, as one HTML file

files:
  script.4242.memtally                 at the end of script.py, process 4242
  script.4242.000001.memtally ...      the series: --every, --on-signal
  script.4242-4250.memtally            the same of its child 4250
  script.4242.html                     the flame graph

exit status:
  the program's own; where it cannot be started, python's: 2 for a file that is
  not there, else 1
  1 too where FILE cannot be written (said before the program runs), or tracing
  cannot be started
  2 too for a wrong command line

All options of memtally come before the program; what follows it is its own.
"""


def add_arguments(parser: Parser) -> None:
    parser.usage = (
        "memtally run [-o FILE] [--frames N] [--every SECONDS] [--keep N]\n"
        "                    [--on-signal SIG] [--flamegraph] [--follow] [--quiet]\n"
        "                    [--force] [--no-snapshot] [--as-tracemalloc]\n"
        "                    (SCRIPT | -m MODULE | -c CODE) [ARGS]"
    )
    parser.program_at = program_at
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the file for the snapshot at exit; it is replaced if it is there (default: a new one, "
        "named by script and pid, in the current folder)",
    )
    parser.add_argument(
        "--frames",
        type=_frames,
        default=MAX_FRAMES,
        metavar="N",
        help=f"how many frames of each traceback to keep, 1 to {MAX_FRAMES} (default: all of them; "
        "the tables need one, a snapshot can show the way to it)",
    )
    _add_series(parser)
    parser.add_argument("--flamegraph", action="store_true", help="draw a flame graph beside the snapshot")
    parser.add_argument(
        "--follow",
        action="store_true",
        help="trace every python that the program starts as well, not only those of multiprocessing",
    )
    parser.add_argument("--quiet", action="store_true", help="write files and errors only, no report")
    parser.add_argument(
        "--force", action="store_true", help="let the default name's file replace one that is there"
    )
    parser.add_argument("--no-snapshot", action="store_true", help="write no file, only the report")
    parser.add_argument(
        "--as-tracemalloc",
        action="store_true",
        help="`import tracemalloc` gives the program memtally, which is tracing already",
    )
    program = parser.add_argument_group("the program, one of")
    program.add_argument(
        "script", nargs="?", metavar="SCRIPT", help="a file; a folder or zip with __main__.py"
    )
    program.add_argument("-m", metavar="MODULE", help="a module, as python -m runs it")
    program.add_argument("-c", metavar="CODE", help="a string, as python -c runs it")


def _add_series(parser: Parser) -> None:
    parser.add_argument(
        "--every",
        type=_seconds,
        metavar="SECONDS",
        help="write a numbered snapshot every so many seconds",
    )
    parser.add_argument(
        "--keep",
        type=_count,
        default=10,
        metavar="N",
        help="how many of the numbered snapshots stay, the last ones (default: 10)",
    )
    parser.add_argument(
        "--on-signal",
        type=_signal_number,
        metavar="SIG",
        help="write a numbered snapshot whenever this signal comes, USR1 say",
    )


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
    _check_combination(options)
    if not sys.executable:
        fail("run: this interpreter does not know its own file name (sys.executable is empty)", CANNOT_START)
    if sys.flags.no_site:
        fail("run: python was started with -S, and tracing starts from the site module", CANNOT_START)
    environment = dict(os.environ)
    environment.pop(RUN_VARIABLE, None)
    if not _startup_installed():
        environment["PYTHONPATH"] = _startup_path(environment.get("PYTHONPATH", ""))
    plan = _plan(options, program)
    tracing = ["-X", f"memtally={options.frames}", "-X", f"{RUN_SWITCH}={plan.text()}"]
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


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not SHORTEST <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from {SHORTEST} on")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of files from 1 on")
    return int(text)


def _signal_number(text: str) -> int:
    """The signal that TEXT names: USR1, SIGUSR1, or its number."""
    name = text.upper()
    known = {sig.name: sig for sig in signal.Signals}
    if text.isascii() and text.isdecimal() and int(text) in signal.valid_signals():
        number = int(text)
    elif name in known or f"SIG{name}" in known:
        number = known.get(name) or known[f"SIG{name}"]
    else:
        raise argparse.ArgumentTypeError(f"{text!r} is not a signal (kill -l lists them)")
    if number in UNUSABLE:
        raise argparse.ArgumentTypeError(f"{text!r} is a signal that no program can go on after")
    return int(number)


def _program(words: Sequence[str]) -> list[str]:
    """What python is to run, in python's own words; WORDS is what begins at program_at."""
    program = list(words[1:] if words[:1] == ["--"] else words)
    if not program:
        fail("run: which program? (try: memtally run --help)", USAGE_ERROR)
    if program == ["-m"] or program == ["-c"]:
        fail(f"run: {program[0]} expects an argument (try: memtally run --help)", USAGE_ERROR)
    return ["--", *program] if len(program) < len(words) else program


def _check_combination(options: argparse.Namespace) -> None:
    """Leave, if one of the options asks for what another forbids."""
    need_file = {
        "--every": options.every,
        "--on-signal": options.on_signal,
        "--flamegraph": options.flamegraph,
        "--output": options.output is not None,
    }
    for name in (name for name, value in need_file.items() if value):
        if options.no_snapshot:
            fail(f"run: --no-snapshot leaves nothing to write for {name}", USAGE_ERROR)
        if name != "--output" and options.output and files.is_special(options.output):
            fail(f"run: {name} needs a file for -o, and {options.output} is none", USAGE_ERROR)


def _plan(options: argparse.Namespace, program: Sequence[str]) -> Plan:
    """The OPTIONS with a file that can be written; leaves where that is the user's, and cannot."""
    if options.no_snapshot:
        file = ""
    elif options.output is not None:
        file = _writable(options.output)
    else:
        file = _default_file(program, options.force)
    return Plan(
        file=file,
        main=os.getpid(),
        frames=options.frames,
        every=options.every or 0.0,
        keep=options.keep,
        signal=options.on_signal or 0,
        quiet=options.quiet,
        flamegraph=options.flamegraph,
        replace=options.force or options.output is not None,
        follow=options.follow,
        as_tracemalloc=options.as_tracemalloc,
    )


def _default_file(program: Sequence[str], force: bool) -> str:
    """A new file in the current folder; "", which is said, where none can be written there."""
    folder = "the current folder"
    try:
        folder = os.getcwd()
        files.try_beside(os.path.join(folder, "x"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        print(
            f"memtally: run: no snapshot: cannot write in {folder}: {reason} (-o FILE writes elsewhere)",
            file=sys.stderr,
        )
        return ""
    return files.default_file(folder, _name(program), os.getpid(), force)


def _name(program: Sequence[str]) -> str:
    """What to call the files of PROGRAM: by its script or its module."""
    words = [word for word in program if word != "--"] if program[0] == "--" else list(program)
    first = words[0]
    if first == "-":
        return "stdin"
    if first.startswith("-c") and program[0] != "--":
        return "command"
    if first.startswith("-m") and program[0] != "--":
        return first[2:] or words[1]
    return os.path.basename(os.path.realpath(first) if first.strip("./") == "" else first.rstrip("/"))


def _writable(name: str) -> str:
    """The absolute path of the file NAME, or an error now rather than after hours of tracing."""
    path = os.path.realpath(name)
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(None, "it is a folder")
        if os.path.exists(path) and not os.access(path, os.W_OK):
            raise PermissionError(None, "permission denied")
        if not files.is_special(path):
            files.try_beside(path)
    except OSError as error:
        fail(f"run: cannot write {name}: {(error.strerror or str(error)).lower()}", CANNOT_WRITE)
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
