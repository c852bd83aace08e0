"""What the commands cost on snapshots of a million call paths: processor time and peak memory of each.

    python million.py [--paths N] [--kinds shared,apart] [COMMAND ...]
                      (default: 1000000 paths, both kinds, all commands; COMMAND: leaks, "top A --by line")

Two kinds of snapshots, three of each: in `shared` a path is one call longer than another one, as in programs
(as many nodes as paths, up to 41 calls deep); in `apart` paths have next to nothing in common (4 nodes a
path, and 2 lines). Two more have all three views, as many paths in each, and no path in common: what
`flamegraph --diff` finds hardest. Each command runs in a process of its own. The time is the processor's, of
the program and of the system on its behalf, so that other work on the machine matters less; the memory is the
highest resident set.
"""

import argparse
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zlib

import tables

Traces = list[tuple[int, int, tuple[tuple[str, int], ...]]]

KEYS = ("line", "function", "file", "traceback", "domain", "process")
FORMATS = ("tracemalloc", "json", "csv", "collapsed", "speedscope", "pprof")
COMMANDS = (
    "info A",
    *(f"{what} --by {key}" for what in ("top A", "diff A B", "leaks A B C") for key in KEYS),
    *(
        f"{what} --by {key} --cumulative"
        for what in ("top A", "diff A B", "leaks A B C")
        for key in ("line", "function", "file")
    ),
    "tree A",
    "tree A --cut 0.01",
    *(f"convert A --to {form} -o OUT" for form in FORMATS),
    "flamegraph A -o OUT",
    "flamegraph B --diff A -o OUT",
    "flamegraph Y --diff X -o OUT",
)
"""A, B and C are the snapshots, X and Y those that have three views, OUT is a file."""
SNAPSHOTS = {"A": (0, "app"), "B": (1, "app"), "C": (2, "app"), "X": (0, "app"), "Y": (1, "other")}
"""The step of each, and where its program lies."""


def shared(paths: int, step: int, folder: str) -> Traces:
    chance = random.Random(1)
    files = [f"/srv/{folder}/pkg{i % 17}/mod{i}.py" for i in range(200)]
    known = [((files[0], 1),)]
    while len(known) < paths:
        near = chance.random() < 0.5
        path = known[chance.randrange(max(0, len(known) - 3000) if near else 0, len(known))]
        if len(path) < 41:
            known.append(((chance.choice(files), chance.randrange(1, 400)), *path))
    return [(0, int(chance.paretovariate(1.1) * 40) + step * (i % 3), path) for i, path in enumerate(known)]


def apart(paths: int, step: int, folder: str) -> Traces:
    def path(i: int) -> tuple[tuple[str, int], ...]:
        frames = [
            (f"/srv/{folder}/mod{(i * 7 + d) % 997}.py", (i // 997 + d * 13) % 1500 + 1)
            for d in range(1 + i % 5)
        ]
        return (*frames, (f"/srv/{folder}/leaf{i % 211}.py", i // 211 + 1))

    return [(0, 100 + i % 700 + step * (i % 3), path(i)) for i in range(paths)]


KINDS = {"shared": shared, "apart": apart}


def write(kind: str, paths: int, name: str, file: str) -> None:
    """In a process of its own: a million tuples are not to be in the memory of what starts the commands."""
    import memtally

    memtally.Snapshot(KINDS[kind](paths, *SNAPSHOTS[name]), 65535).dump(file)
    if name in "XY":
        give_three_views(pathlib.Path(file))


def give_three_views(file: pathlib.Path) -> None:
    """Make the rows of a FILE of one view those of the others, too (docs/file-format.md)."""
    data = file.read_bytes()
    start, entries = struct.unpack_from("<QI", data, len(data) - 24)
    directory = [struct.unpack_from("<HHIQQQ", data, start + 32 * i) for i in range(entries)]
    (live,) = [entry for entry in directory if entry[0] == 16]
    kind, flags, checksum, offset, length, count = live
    rows = data[offset : offset + length]
    for view in (1, 2):
        directory.append((kind + view, flags, checksum, start + (view - 1) * length, length, count))
    end = b"".join(struct.pack("<HHIQQQ", *entry) for entry in directory)
    end += struct.pack("<QI", start + 2 * length, len(directory))
    end += struct.pack("<I", zlib.crc32(end)) + data[-8:]
    file.write_bytes(data[:start] + 2 * rows + end)


def run(words: list[str]) -> tuple[float, float]:
    """Seconds and MB of a command."""
    with subprocess.Popen([sys.executable, "-m", "memtally", *words], stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"memtally {' '.join(words)}: exit code {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6


def measure(kind: str, paths: int, commands: list[str], folder: str) -> dict[str, tuple[float, float]]:
    names = {"OUT": os.path.join(folder, "out")}
    for name in SNAPSHOTS:
        names[name] = os.path.join(folder, f"{kind}-{name}.snap")
        if any(name in command.split() for command in commands):
            subprocess.run(
                [sys.executable, __file__, "--write", kind, str(paths), name, names[name]], check=True
            )
    return {command: run([names.get(word, word) for word in command.split()]) for command in commands}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--paths", type=int, default=1_000_000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("commands", nargs="*", metavar="COMMAND")
    args = parser.parse_args()
    if args.write:
        kind, paths, name, file = args.write
        write(kind, int(paths), name, file)
        return
    wanted = [
        command for command in COMMANDS if not args.commands or any(c in command for c in args.commands)
    ]
    kinds = args.kinds.split(",")
    with tempfile.TemporaryDirectory() as folder:
        found = {kind: measure(kind, args.paths, wanted, folder) for kind in kinds}
    rows = [
        [
            f"`{command.removesuffix(' -o OUT')}`",
            *(text for kind in kinds for text in cells(*found[kind][command])),
        ]
        for command in wanted
    ]
    print(tables.table(["", *(head for kind in kinds for head in (f"{kind}: CPU s", "MB"))], rows))


def cells(seconds: float, megabytes: float) -> tuple[str, str]:
    return f"{seconds:.2f}", f"{megabytes:.0f}"


if __name__ == "__main__":
    main()
