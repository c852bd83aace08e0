"""Starts tracing before the program's first line, as `-X memtally[=N]`, `MEMTALLY=N` or `memtally run` ask.

memtally-startup.pth calls begin() while the interpreter's site module runs, and only when one of them
does. A number of frames that cannot be used ends the process with status 1, as the standard tracer's
switches do; anything else that goes wrong costs one line on stderr and leaves the interpreter untouched.

The file runs in sub-interpreters, too. memtally cannot be imported there (its ImportError has no name, unlike
that of a missing module), and the .pth file says nothing of it: the main interpreter traces for all of them.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is not imported: what this module imports, every traced program pays for
    from typing import NoReturn

    from memtally.running.plan import Plan

MAX_FRAMES = 65535
RUN_SWITCH = "memtally-run"
"""`memtally run` passes `-X memtally-run=PLAN` (memtally/running/plan.py) to the program's interpreter ..."""
RUN_VARIABLE = "MEMTALLY_RUN"
"""... which hands the same PLAN on to its children in the environment."""

_SERVER = "from multiprocessing.forkserver import main"
_TRACKER = "from multiprocessing.resource_tracker import main"
"""In the code that multiprocessing runs in helpers of its own, which are no part of the program."""


def parse_frames(text: str) -> int:
    """The number of frames that TEXT asks for, 0 for "do not trace"; ValueError where it is no such number.

    Reads what C's strtol reads, as the standard ones do: leading blanks and a sign are fine, 1_000 is not.
    """
    if text == "":
        return 0
    if text != text.rstrip() or "_" in text or not text.isascii():
        raise ValueError(text)
    frames = int(text)
    if not 0 <= frames <= MAX_FRAMES:
        raise ValueError(text)
    return frames


def _give_up(switch: str, text: str) -> "NoReturn":
    """End the process at once: most exceptions would only be shown by the site module, and not stop it."""
    if sys.stderr:
        message = f"memtally: {switch}: invalid number of frames: {text!r} (1 to {MAX_FRAMES}; 0 is off)"
        print(message, file=sys.stderr, flush=True)
    os._exit(1)


def _requested_frames() -> int:
    """How many frames the command line or the environment ask for; -X wins, but both must be valid."""
    frames = 0
    variable = "" if sys.flags.ignore_environment else os.environ.get("MEMTALLY", "")
    try:
        frames = parse_frames(variable)
    except ValueError:
        _give_up("MEMTALLY", variable)
    option = sys._xoptions.get("memtally")
    if option is None:
        return frames
    if option is True:
        return 1
    try:
        return parse_frames(str(option))
    except ValueError:
        _give_up("-X memtally=NFRAME", str(option))


def hand_down(name: str, value: str, mine: str, *, visible: bool) -> None:
    """Put NAME=VALUE into the environment of children. The program sees MINE, if it is not to be VISIBLE.

    What is not visible does not disturb the program, but is lost where the program makes a child's
    environment out of its own os.environ.
    """
    os.environ[name] = value if visible else mine
    if not mine and not visible:
        del os.environ[name]
    os.putenv(name, value)


def _hide_run_switches() -> str:
    """Take out what `memtally run` added, so that the program sees its own sys.orig_argv; return the PLAN."""
    text = str(sys._xoptions.pop(RUN_SWITCH))
    sys._xoptions.pop("memtally", None)
    at = sys.orig_argv.index(f"{RUN_SWITCH}={text}")
    del sys.orig_argv[at - 3 : at + 1]  # -X memtally=N -X memtally-run=PLAN
    return text


def _runs(code: str) -> bool:
    """Whether this interpreter was started as multiprocessing starts one, with CODE in what -c is to run."""
    return any(code in word for word in sys.orig_argv)


def _inherited_plan() -> "Plan | None":
    """What `memtally run` was asked for in the process that started this one; None: this one takes no part.

    Takes part who was started by multiprocessing, and everybody where that is asked for. Who does not, tells
    nobody of the run.
    """
    text = os.environ.pop(RUN_VARIABLE, "")
    if _runs(_TRACKER) or not (text.startswith("follow,") or _runs("from multiprocessing.")):
        return None
    from memtally.running import plan

    try:
        return plan.from_text(text)
    except ValueError:  # of another version of memtally
        return None


def _join_run() -> "Plan | None":
    """Take part in the run that this interpreter belongs to, if there is one."""
    if RUN_SWITCH in sys._xoptions:
        from memtally.running import plan

        joined: Plan | None = plan.from_text(_hide_run_switches())
    else:
        joined = None if sys.flags.ignore_environment else _inherited_plan()
    if joined:
        from memtally.running import process

        hand_down(RUN_VARIABLE, joined.text(), "", visible=joined.follow)
        process.begin(joined, silent=_runs(_SERVER))
    return joined


def _start() -> "Plan | None":
    """Start tracing, if somebody asks for it; the plan of the run that this interpreter takes part in."""
    frames = _requested_frames()
    if frames == 0 and (sys.flags.ignore_environment or RUN_VARIABLE not in os.environ):
        return None
    from memtally import _core

    if _core.is_tracing():
        return None
    joined = _join_run()
    if joined and joined.as_tracemalloc:
        from memtally import replace_tracemalloc

        replace_tracemalloc()
    frames = joined.frames if joined else frames
    if frames == 0:
        return None
    try:
        # A run takes snapshots, and the classes for that are no part of the program: they come before.
        (_core.start if joined else _core._start_early)(frames)
    except Exception as error:
        if sys.stderr:
            print(f"memtally: not tracing: {str(error) or type(error).__name__}", file=sys.stderr)
    return joined


def begin() -> "Plan | None":
    """Do what was asked for; the plan of the run that this interpreter takes part in.

    Only the first time: site reads the .pth file again where its folder is named twice. Where there is no
    such plan, this module goes: it would take 17 KB of each traced program, and nothing asks for it any more.
    """
    package = vars(sys.modules["memtally"])
    joined = None if "_begun" in package else _start()
    package["_begun"] = True
    if joined is None:
        sys.modules.pop(__name__, None)
        package.pop("_startup", None)
    return joined
