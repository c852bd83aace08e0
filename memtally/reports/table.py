"""A plain table of the lines that hold the most memory: how much, how often, where, and the line itself.

On a terminal it fits the width: in one line a row where that is wide enough, else with the source line below.
Anywhere else it is plain text in full length that does not depend on the surroundings.

This runs at the end of programs of all kinds, some of which have a token.py or a types.py of their own. So it
imports only what has been there since the start (and unicodedata), and reads source files without linecache.
"""

import os
import sys

from memtally.reports.grid import BOLD, WORD_HEADINGS, Style, align, printable
from memtally.reports.grid import style_of as style_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from memtally import Frame, Statistic

LIMIT = 10
"""Rows in a table; what the others hold together is the last row."""
LONGEST_FILE = 1 << 24
"""Bytes of a source file that is still read for its lines."""
NOWHERE = {"<unknown>": "(no Python frame)", "<forgotten>": "(forgotten call paths)"}
"""Files that are none: what C code allocated on its own, and call paths that were added up."""
HEADINGS = ("bytes", "share", "blocks", "average", *WORD_HEADINGS)


def lines(title: str, statistics: "Sequence[Statistic]", style: Style) -> list[str]:
    """The table of the first LIMIT of STATISTICS (by line, largest first), as lines without newlines."""
    size = sum(row.size for row in statistics)
    count = sum(row.count for row in statistics)
    heading = f"{title}, {size_text(size)} in {plural(count, 'block')}"
    if not statistics:
        return [style.paint(BOLD, heading)]
    files: dict[str, list[bytes]] = {}
    rows = [HEADINGS, *(_cells(row, size, files) for row in statistics[:LIMIT])]
    others = statistics[LIMIT:]
    if others:
        rest = plural(len(others), "other line")
        rest_size, rest_count = sum(row.size for row in others), sum(row.count for row in others)
        rows.append((*number_cells(rest_size, rest_count, size), f"({rest})", "", ""))
    return [style.paint(BOLD, heading), *align(rows, style)]


def most(statistics: "Sequence[Statistic]") -> str:
    """Where the most of STATISTICS (by line, largest first) is, in half a sentence; "" if there are none."""
    size = sum(row.size for row in statistics)
    if size == 0:
        return ""
    frame = statistics[0].traceback[0]
    function = f" in {frame.function}" if frame.function else ""
    return printable(f"{statistics[0].size / size:.1%} of it from {place(frame)}{function}")


def size_text(size: float) -> str:
    """SIZE bytes for people: "512 B", "1.5 KiB", "20.0 MiB"."""
    if size < 1023.5:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1023.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:,.1f} TiB"


def plural(number: int, noun: str) -> str:
    """With the noun in its plural form: "1,234 blocks"."""
    ending = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending if number != 1 else ''}"


def _cells(row: "Statistic", total: int, files: "dict[str, list[bytes]]") -> tuple[str, ...]:
    return (*number_cells(row.size, row.count, total), *frame_cells(row.traceback[0], files))


def frame_cells(frame: "Frame", files: "dict[str, list[bytes]]") -> tuple[str, str, str]:
    """Place, function and source line of FRAME; FILES keeps what was read, by name."""
    return (printable(place(frame)), printable(frame.function or ""), printable(_source(frame, files)))


def number_cells(size: int, count: int, total: int) -> tuple[str, ...]:
    """Bytes, share of TOTAL, blocks, average."""
    return size_text(size), f"{size / (total or 1):.1%}", f"{count:,}", size_text(size / (count or 1))


def _real_name(filename: str) -> str:
    """The file of a module that is frozen into the interpreter: "<frozen a.b>" is a/b.py of the library."""
    if filename.startswith("<frozen ") and filename.endswith(">"):
        return os.path.join(os.path.dirname(os.__file__), *filename[8:-1].split(".")) + ".py"
    return filename


def place(frame: "Frame") -> str:
    """File and line."""
    name = file_name(frame)
    return name if frame.filename in NOWHERE else f"{name}:{frame.lineno}"


def file_name(frame: "Frame") -> str:
    """The file as an import would find it: without the folder on sys.path that it lies in."""
    if frame.filename in NOWHERE:
        return NOWHERE[frame.filename]
    name = _real_name(frame.filename)
    folders = [path for path in [os.path.dirname(os.__file__), *sys.path] if isinstance(path, str) and path]
    for folder in sorted(folders, key=len, reverse=True):
        if name.startswith(folder.rstrip(os.sep) + os.sep):
            return name[len(folder.rstrip(os.sep)) + 1 :]
    return name


def _source(frame: "Frame", files: "dict[str, list[bytes]]") -> str:
    """The source line, or "" where there is none to be had; FILES keeps what was read, by name."""
    name = _real_name(frame.filename)
    if name not in files:
        files[name] = _read(name).splitlines()
    content = files[name]
    if not 0 < frame.lineno <= len(content):
        return ""
    line = content[frame.lineno - 1]
    try:
        return line.decode(_encoding(content), "replace").strip()
    except (LookupError, UnicodeError):  # no encoding that python knows for text
        return line.decode("utf-8", "replace").strip()


def _read(name: str) -> bytes:
    """The source file NAME; it may have been named relative to a folder on sys.path, or lie in a zip file."""
    folders = ["", *(path for path in sys.path if isinstance(path, str) and not os.path.isabs(name))]
    for folder in folders:
        try:
            path = os.path.join(folder, name)
            if not os.path.isfile(path) or not 0 < os.path.getsize(path) <= LONGEST_FILE:
                continue  # who made a snapshot file may have put the name of a pipe or a device in it
            with open(path, "rb") as file:
                return file.read()
        except (OSError, ValueError):
            continue
    for module in list(sys.modules.values()):
        known = module.__dict__ if isinstance(module, type(sys)) else {}
        if known.get("__file__") == name:
            try:
                return bytes(known["__loader__"].get_data(name))
            except (AttributeError, KeyError, OSError):
                break
    return b""


def _encoding(content: "Sequence[bytes]") -> str:
    """The encoding that a source file's first lines declare; UTF-8 where they do not."""
    for line in content[:2]:
        comment, _, rest = line.partition(b"coding")
        if comment.lstrip().startswith(b"#") and rest[:1] in (b":", b"="):
            return "".join(rest[1:].decode("ascii", "replace").split()[:1]) or "utf-8"
    return "utf-8"
