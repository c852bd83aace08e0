"""Starts tracing before the program's first line, as `-X memtally[=N]` or `MEMTALLY=N` ask.

memtally-startup.pth imports this module while the interpreter's site module runs, and only when one of the
two is there. A number of frames that cannot be used ends the process with status 1, as the standard tracer's
switches do; anything else that goes wrong costs one line on stderr and leaves the interpreter untouched.

The file runs in sub-interpreters, too. memtally cannot be imported there (its ImportError has no name, unlike
that of a missing module), and the .pth file says nothing of it: the main interpreter traces for all of them.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing is not imported: what this module imports, every traced program pays for
    from typing import NoReturn

MAX_FRAMES = 65535
RUN_SWITCH = "memtally-run"
"""`memtally run` passes `-X memtally-run=[FILE]`: report at the end, and write the snapshot to FILE."""


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


def _hide_run_switches() -> str:
    """Take out what `memtally run` added, so that the program sees its own sys.orig_argv; return the FILE."""
    output = sys._xoptions.pop(RUN_SWITCH)
    sys._xoptions.pop("memtally", None)
    at = sys.orig_argv.index(f"{RUN_SWITCH}={output}")
    del sys.orig_argv[at - 3 : at + 1]  # -X memtally=N -X memtally-run=FILE
    return str(output)


def _start() -> None:
    frames = _requested_frames()
    if frames == 0:
        return
    import memtally

    if memtally.is_tracing():
        return
    if RUN_SWITCH in sys._xoptions:
        from memtally.reports import at_exit

        at_exit.register(output=_hide_run_switches())
    try:
        memtally.start(frames)
    except Exception as error:
        if sys.stderr:
            print(f"memtally: not tracing: {str(error) or type(error).__name__}", file=sys.stderr)


_start()
