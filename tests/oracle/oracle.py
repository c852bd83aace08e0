"""The differential oracle: runs a script with the standard tracer and memtally on at once and compares them.

    python tests/oracle/oracle.py [--first std|memtally] [--frames N] [options] SCRIPT [ARGS...]

Both tracers hook the allocators, so their hooks stack and both see every event. Both are cleared at one
instant before the script's first line and read at one instant after its last, with nothing allocated in
between by this file except what the four reading calls themselves return. What is left out, and why:

- The standard tracer's hash tables come from malloc() directly, memtally's memory from mmap(): not traced.
- The standard tracer's records (one per block) and tracebacks come from the RAW allocator it found when it
  started. When it starts last, that is memtally: these blocks then show up in memtally's snapshot, and are
  taken out by their exact number and size (`without_std_memory`). In that order the peaks are not compared,
  and the counts only with the sums of the snapshots. When it starts first, memtally never sees them.
- `take_snapshot` of memtally freezes columns and makes one object; `_tracemalloc._get_traces` makes its list
  with its own tracing held off. What memtally sees of the latter comes after memtally's snapshot was frozen;
  what the standard tracer sees of the former has a line of *this file* on top. Blocks whose top frame is in
  this file are left out on both sides; this is the only filter, so this file does nothing but run and read.
- Both readings could take dead blocks from CPython's free lists and so give them a line of this file on one
  side only: the lists they take from (pairs, lists, dicts) are emptied before.
- A thread gives its own state back after it let go of the GIL: another may allocate just then, between the
  hooks of the two tracers, and the peaks differ by that. Programs with threads say `# oracle: --no-peak`.

Exit code: 0 everything agrees, 1 it does not, 2 the oracle could not run (usage, script failed, no tracer).
"""

from __future__ import annotations

import _tracemalloc
import argparse
import builtins
import gc
import importlib
import importlib.util
import os
import sys
import types
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
FREE_LIST = 2100  # a little over the longest free list of CPython (tuples of one length)


def load_sibling(name: str) -> types.ModuleType:
    """Load a module of this folder without putting the folder on the script's sys.path."""
    spec = importlib.util.spec_from_file_location("_oracle_" + name, os.path.join(HERE, name + ".py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="oracle", description="Compare memtally with the standard tracer.")
    parser.add_argument(
        "--first", choices=("std", "memtally"), default="std", help="which tracer starts first"
    )
    parser.add_argument("--frames", type=int, default=1, metavar="N", help="frames kept by both (default 1)")
    parser.add_argument(
        "--tracer",
        default="memtally",
        metavar="MODULE",
        help="module to compare with the standard one (default memtally)",
    )
    parser.add_argument(
        "--objects",
        type=int,
        default=20000,
        metavar="N",
        help="live objects whose traceback is compared (default 20000, 0 for none)",
    )
    parser.add_argument("--collect", action="store_true", help="empty the free lists before reading")
    parser.add_argument(
        "--no-peak",
        action="store_true",
        help="do not compare peaks (scripts with threads, or that allocate without the GIL)",
    )
    parser.add_argument(
        "--inexact-free-lists",
        action="store_true",
        help="count other tracebacks of free-listed blocks instead of failing",
    )
    parser.add_argument("--show", type=int, default=5, metavar="N", help="differences shown of each kind")
    parser.add_argument("script")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    return parser.parse_args()


def start_both(ours: Any, first: str, frames: int) -> None:
    """Start both tracers and forget at one instant what either saw before."""
    if first == "std":
        _tracemalloc.start(frames)
        ours.start(frames)
    else:
        ours.start(frames)
        _tracemalloc.start(frames)
    gc.collect()
    clear_std = _tracemalloc.clear_traces
    clear_ours = ours.clear_traces
    clear_ours()
    clear_std()


def run_script(path: str, args: list[str]) -> BaseException | None:
    """Run `path` as __main__ would run; its globals stay alive. Returns what it raised, or None."""
    with open(path, "rb") as file:
        source = file.read()
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=path, __builtins__=builtins)
    sys.modules["__main__"] = module
    sys.argv = [path, *args]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except SystemExit as stop:
        return stop if stop.code else None
    except BaseException as error:
        return error
    finally:
        sys.settrace(None)
        sys.setprofile(None)
    return None


class Reading:
    """What both tracers answered at one instant; filled by `read_both`."""

    peaks: tuple[Any, Any]
    counts: tuple[int, ...]  # standard, ours, standard, ours, standard, standard
    ours: Any
    std: Any
    ours_after: Any  # what has gone from `ours` by then may be gone from `std` as well: it lies between


def take(snapshot: Any) -> Any:
    return snapshot()


def read_both(ours: Any, collect: bool) -> Reading:
    """Read both tracers. Everything the reading needs exists before its first call."""
    reading = Reading()
    memory_ours, memory_std = ours.get_traced_memory, _tracemalloc.get_traced_memory
    snapshot_ours, snapshot_std = ours.take_snapshot, _tracemalloc._get_traces  # type: ignore[attr-defined]
    room = bytes(8192)  # the next few small results must not move the peak
    del room
    peak_ours = memory_ours()
    peak_std = memory_std()
    if collect:
        gc.collect()
    gc.disable()
    # Once for practice: what it looks up may push a dead name out of the cache of type attributes, and that
    # must not happen between the two snapshots.
    snapshot_ours()
    # With these free lists empty every result below costs the same, so that counts can be compared exactly,
    # and nothing below takes over a dead block that has a line of the script.
    spare = [[(index, None), [], {}] for index in range(FREE_LIST)]
    room = bytes(8192)
    del room
    std_0 = memory_std()
    ours_1 = memory_ours()
    std_1 = memory_std()
    ours_2 = memory_ours()
    std_2 = memory_std()
    std_3 = memory_std()
    seen_ours = take(snapshot_ours)
    seen_std = take(snapshot_std)
    seen_after = snapshot_ours()
    reading.peaks = (peak_ours, peak_std)
    reading.counts = tuple(count[0] for count in (std_0, ours_1, std_1, ours_2, std_2, std_3))
    reading.ours = seen_ours
    reading.std = seen_std
    reading.ours_after = seen_after
    del spare
    return reading


def main() -> int:
    options = parse_arguments()
    compare = load_sibling("compare")
    if os.path.dirname(options.tracer):
        sys.path.insert(1, os.path.dirname(os.path.abspath(options.tracer)))
        options.tracer = os.path.basename(options.tracer).removesuffix(".py")
    try:
        ours = importlib.import_module(options.tracer)
    except ImportError as error:
        print(f"oracle: cannot import {options.tracer}: {error}", file=sys.stderr)
        return 2
    capabilities = getattr(ours, "capabilities", dict)()
    settings = compare.Settings(
        own_file=run_script.__code__.co_filename,
        reading_lines=(take.__code__.co_firstlineno + 1,),
        peak=not options.no_peak,
        exact_free_lists=capabilities.get("exact_free_lists", True) and not options.inexact_free_lists,
        objects=options.objects,
        show=options.show,
        std_on_top=options.first == "memtally" and capabilities != {},
    )
    title = f"{options.script}  frames={options.frames}  first={options.first}"
    main_before = sys.modules["__main__"]  # kept alive: this file's globals are in use
    start_both(ours, options.first, options.frames)
    raised = run_script(options.script, options.args)
    reading = read_both(ours, options.collect)
    answers = compare.ask(ours, settings)
    _tracemalloc.stop()
    ours.stop()
    outcome = compare.compare(ours, reading, answers, settings)
    assert main_before is not None
    print(outcome.text(title))
    if raised is not None:
        print(f"oracle: the script raised {raised!r}", file=sys.stderr)
        sys.__excepthook__(type(raised), raised, raised.__traceback__)
        return 2
    return 0 if outcome.agrees else 1


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    # Not sys.exit: CPython 3.12.1 itself may hang in its last collection (_asyncio's traverse).
    os._exit(exit_code)
