"""`make demo`: a real program under memtally, the import swap, and a flame graph; about ten seconds.

python demo/run.py         with an interpreter that has memtally installed
"""

import os
import pathlib
import subprocess
import sys
import textwrap

FOLDER = pathlib.Path(__file__).resolve().parent
BUILD = FOLDER.parent / "build"


def say(text: str) -> None:
    """Print TEXT without its indentation, and with nothing of it left in the buffer."""
    print(textwrap.dedent(text.removeprefix("\n")), flush=True)


def show_where_memory_goes() -> None:
    say("""
        $ memtally run -o build/library_tour.memtally demo/library_tour.py

        A program that parses Python's own library in four threads, compiles and
        unparses it, and serves an index of it with asyncio. Every allocation is
        traced. First its own output, then memtally's tables:
    """)
    BUILD.mkdir(exist_ok=True)
    options = ["-o", str(BUILD / "library_tour.memtally")]
    program = str(FOLDER / "library_tour.py")
    subprocess.run([sys.executable, "-m", "memtally", "run", *options, program], check=True)
    say("""

        The first table is the moment when memory was at its highest: the syntax
        trees of all modules at once. The second is what was alive when the program
        ended: the trees are gone; rebuilt code and index are left, and what was
        imported (importlib). `place` is the line that allocated.
    """)


def time_of(tracer: str) -> tuple[float, list[str]]:
    """(seconds, top lines) of demo/swap.py with TRACER; the best of three runs."""
    runs = []
    for _ in range(3):
        command = [sys.executable, str(FOLDER / "swap.py"), tracer]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        seconds, *top = done.stdout.splitlines()
        runs.append((float(seconds), top))
    return min(runs)


def show_the_import_swap() -> None:
    say("""
        The same tracer is a module with tracemalloc's names. demo/swap.py with
        either import, 25 frames, and the largest line that each of them found:
    """)
    plain, _ = time_of("nothing")
    for tracer, line in (
        ("tracemalloc", "import tracemalloc"),
        ("memtally", "import memtally as tracemalloc"),
    ):
        seconds, top = time_of(tracer)
        place, _, found = top[0].partition(": ")
        print(f"{line:32} {seconds:5.2f} s, {seconds / plain:5.2f} times the untraced")
        print(f"    {'/'.join(place.split('/')[-2:])}: {found}", flush=True)


def has_display() -> bool:
    """Whether somebody sits in front of this machine's screen, so that a browser can show them something."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_the_flame_graph() -> None:
    say("""
        The flame graph of the first program, one HTML file (memtally flamegraph):
    """)
    page = str(BUILD / "library_tour.flamegraph.html")
    command = [
        sys.executable,
        "-m",
        "memtally",
        "flamegraph",
        str(BUILD / "library_tour.memtally"),
        "-o",
        page,
    ]
    subprocess.run([*command, *(["--open"] if has_display() else [])], check=True)


def main() -> None:
    show_where_memory_goes()
    show_the_import_swap()
    say("""

        Try next:
          memtally run your_script.py         or: memtally run -m your_module
          import memtally as tracemalloc      in your own program; nothing else changes
          python -X memtally your_script.py   traces from the first line, for your own
                                              calls of memtally.take_snapshot()
    """)
    show_the_flame_graph()


if __name__ == "__main__":
    main()
