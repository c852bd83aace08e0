"""The files of a run: what they are called, and how they appear, whole and without replacing what is there.

    rows.4242.memtally                  the program itself, at its exit
    rows.4242.000001.memtally ...       its series
    rows.4242-4250.memtally             a child with the process id 4250, at its exit
    rows.4242-4250.000001.memtally ...  the child's series
    rows.4242.html                      the flame graph

Functions of names alone, but for `publish`, `place`, `remove` and what looks into the folder. Any thread may
call them; one process calls them for one file at a time.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import memtally

SUFFIX = ".memtally"


LONGEST_NAME = 50
"""Characters of a script's name that its files keep."""


def default_file(folder: str, name: str, process: int, replace: bool) -> str:
    """The snapshot in FOLDER of the program NAME (a script's or a module's) that is PROCESS.

    A number is added where FOLDER has files of an earlier process by that number, unless these may be
    REPLACEd: in a container, every process may be number 1.
    """
    plain = "".join(character if character.isprintable() else "_" for character in name.removesuffix(".py"))
    stem = f"{plain.lstrip('.-')[:LONGEST_NAME] or 'program'}.{process}"
    taken = () if replace else _names_beside(os.path.join(folder, stem))
    for count in range(1, len(taken) + 2):
        counted = stem if count == 1 else f"{stem}_{count}"
        if not any(other.startswith((counted + ".", counted + "-")) for other in taken):
            break
    return os.path.join(folder, counted + SUFFIX)


def try_beside(file: str) -> None:
    """OSError where no new file can be made beside FILE, under the name of FILE or another as long."""
    if len(os.fsencode(os.path.basename(file))) > 255 or not os.path.basename(file):
        raise FileNotFoundError(None, "not a file name")
    part = part_beside(file)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    os.unlink(part)


def own_file(file: str, main: int, process: int) -> str:
    """The snapshot of PROCESS at its exit, where FILE is that of the process MAIN."""
    stem, suffix = os.path.splitext(file)
    return file if process == main else f"{stem}-{process}{suffix}"


def numbered(file: str, number: int) -> str:
    """The NUMBERth of the series that belongs to FILE. Names sort as their numbers do."""
    stem, suffix = os.path.splitext(file)
    return f"{stem}.{number:06}{suffix}"


def page(file: str) -> str:
    """The flame graph that belongs to FILE."""
    name = os.path.splitext(file)[0] + ".html"
    return name if name != file else name + ".html"


def highest_number(file: str) -> int:
    """The highest number that a series of FILE has used in its folder; 0 where there is none."""
    stem, suffix = os.path.splitext(os.path.basename(file))
    highest = 0
    for name in _names_beside(file):
        if name.startswith(stem + ".") and name.endswith(suffix):
            number = name[len(stem) + 1 : len(name) - len(suffix)]
            if number.isdecimal() and number.isascii():
                highest = max(highest, int(number))
    return highest


def other_processes(file: str) -> int:
    """How many processes besides the main one have written something of the run whose main file is FILE."""
    stem, suffix = os.path.splitext(os.path.basename(file))
    found = set()
    for name in _names_beside(file):
        if name.startswith(stem + "-") and name.endswith(suffix):
            number = name[len(stem) + 1 :].partition(".")[0]
            if number.isdecimal():
                found.add(number)
    return len(found)


def is_special(file: str) -> bool:
    """Whether FILE is a device or a pipe: there is nothing to replace then, and only one name for it."""
    return os.path.exists(file) and not os.path.isfile(file)


def publish(snapshot: "memtally.Snapshot", file: str, replace: bool) -> str:
    """Write the snapshot to FILE and return the name it got; OSError names FILE.

    Unless it may be REPLACEd, what has the name stays, and the snapshot gets the next name that is free. In
    any case the name is that of a complete file, or of none; what is interrupted leaves nothing behind.
    """
    part = file if replace or is_special(file) else part_beside(file)
    try:
        try:
            snapshot.dump(part)
            return file if part == file else place(part, file, replace)
        finally:
            if part != file:
                remove(part)
    except OSError as error:
        raise OSError(error.errno, error.strerror, file) from None


def part_beside(file: str) -> str:
    """A name for what is to become FILE, of this process alone."""
    return os.path.join(os.path.dirname(file), f".memtally-{os.getpid()}.part")


def place(part: str, file: str, replace: bool) -> str:
    """Give the complete file PART the name FILE, or the next one that is free, and return that."""
    if replace:
        os.replace(part, file)
        return file
    for name in _with_counts(file):
        try:
            os.link(part, name)  # unlike a renaming, this fails where somebody was faster
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            if os.path.lexists(name):
                continue
            os.rename(part, name)
            return name
        remove(part)
        return name
    raise AssertionError  # the names do not end


def _with_counts(file: str) -> "Iterator[str]":
    stem, suffix = os.path.splitext(file)
    yield file
    count = 2
    while True:
        yield f"{stem}_{count}{suffix}"
        count += 1


def _names_beside(file: str) -> list[str]:
    try:
        return os.listdir(os.path.dirname(file))
    except OSError:
        return []


def remove(file: str) -> None:
    """Remove FILE, if it is there."""
    try:
        os.unlink(file)
    except OSError:
        return
