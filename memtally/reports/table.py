"""A plain table of the lines that hold the most memory: how much, how often, where, and the line itself.

On a terminal it fits the width: in one line a row where that is wide enough, else with the source line below.
Anywhere else it is plain text in full length that does not depend on the surroundings.

This runs at the end of programs of all kinds, some of which have a token.py or a types.py of their own. So it
imports only what has been there since the start (and unicodedata), and reads source files without linecache.
"""

import os
import sys
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    from memtally import Frame, Statistic

LIMIT = 10
"""Rows in a table; what the others hold together is the last row."""
ONE_LINE = 120
"""Columns a terminal needs for place, function and source side by side."""
HEADINGS = ("bytes", "share", "blocks", "average", "place", "function", "source")
LONGEST = 200
"""Characters of a name or a source line that are shown, even where the width does not matter."""
NUMBERS = 4
"""How many of the columns are numbers; these never get shortened."""


class Style:
    """How to write a table: in WIDTH columns (None: as wide as it gets), with or without COLOUR."""

    def __init__(self, width: int | None = None, colour: bool = False) -> None:
        self.width = width
        self.colour = colour

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


BOLD, DIM = "1", "2"


def style_of(stream: "TextIO") -> Style:
    """The style that fits STREAM and the environment (COLUMNS, NO_COLOR, TERM)."""
    if not stream.isatty():
        return Style()
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() else 0
    if width == 0:
        try:
            width = os.get_terminal_size(stream.fileno()).columns or 80
        except OSError:
            width = 80
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
    return Style(max(width, 40), colour)


def lines(title: str, statistics: "Sequence[Statistic]", style: Style) -> list[str]:
    """The table of the first LIMIT of STATISTICS (by line, largest first), as lines without newlines."""
    size = sum(row.size for row in statistics)
    count = sum(row.count for row in statistics)
    heading = f"{title}, {size_text(size)} in {_plural(count, 'block')}"
    if not statistics:
        return [style.paint(BOLD, heading)]
    files: dict[str, list[bytes]] = {}
    rows = [HEADINGS, *(_cells(row, size, files) for row in statistics[:LIMIT])]
    others = statistics[LIMIT:]
    if others:
        rest = _plural(len(others), "other line")
        rest_size, rest_count = sum(row.size for row in others), sum(row.count for row in others)
        rows.append((*_number_cells(rest_size, rest_count, size), f"({rest})", "", ""))
    return [style.paint(BOLD, heading), *_align(rows, style)]


def size_text(size: float) -> str:
    """SIZE bytes for people: "512 B", "1.5 KiB", "20.0 MiB"."""
    if size < 1023.5:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1023.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:,.1f} TiB"


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)


def _cells(row: "Statistic", total: int, files: "dict[str, list[bytes]]") -> tuple[str, ...]:
    frame = row.traceback[0]
    words = (_place(frame), frame.function or "", _source(frame, files))
    return (*_number_cells(row.size, row.count, total), *map(_printable, words))


def _number_cells(size: int, count: int, total: int) -> tuple[str, ...]:
    return size_text(size), f"{size / (total or 1):.1%}", f"{count:,}", size_text(size / (count or 1))


def _real_name(filename: str) -> str:
    """The file of a module that is frozen into the interpreter: "<frozen a.b>" is a/b.py of the library."""
    if filename.startswith("<frozen ") and filename.endswith(">"):
        return os.path.join(os.path.dirname(os.__file__), *filename[8:-1].split(".")) + ".py"
    return filename


def _place(frame: "Frame") -> str:
    """File and line, the file as an import would find it: without the folder on sys.path that it lies in."""
    if frame.filename == "<unknown>":
        return "(no Python frame)"
    name = _real_name(frame.filename)
    folders = [path for path in [os.path.dirname(os.__file__), *sys.path] if isinstance(path, str) and path]
    for folder in sorted(folders, key=len, reverse=True):
        if name.startswith(folder.rstrip(os.sep) + os.sep):
            name = name[len(folder.rstrip(os.sep)) + 1 :]
            break
    return f"{name}:{frame.lineno}"


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
            with open(os.path.join(folder, name), "rb") as file:
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


def _printable(text: str) -> str:
    """TEXT as it may go to a terminal: names and source lines can hold control characters, or a megabyte."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 3] + "..."
    return "".join(c if c.isprintable() else " " if c == "\t" else ascii(c)[1:-1] for c in text)


def _align(rows: list[tuple[str, ...]], style: Style) -> "Iterable[str]":
    widths = [max(_columns(row[i]) for row in rows) for i in range(len(HEADINGS))]
    indent = sum(widths[:NUMBERS]) + 2 * NUMBERS
    below = style.width is not None and style.width < ONE_LINE
    if style.width is not None:
        _squeeze(widths, max(style.width - indent, 24), below)
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[:NUMBERS], widths[:NUMBERS], strict=True)]
        for column in (NUMBERS, NUMBERS + 1):
            cells.append(_fit(row[column], widths[column], keep_end=True))
        head = "  ".join(cells)
        source = _fit(row[-1], widths[-1], keep_end=False).rstrip()
        if row is HEADINGS:
            yield style.paint(DIM, head.rstrip() if below else f"{head}  {source}")
        elif not source:
            yield head.rstrip()
        elif below:
            yield head.rstrip()
            yield " " * indent + style.paint(DIM, source)
        else:
            yield f"{head}  {style.paint(DIM, source)}"


def _squeeze(widths: list[int], room: int, below: bool) -> None:
    """Shrink the columns of words in WIDTHS to ROOM; BELOW, the source line has the room for itself."""
    place, function, source = range(NUMBERS, NUMBERS + 3)
    most = room - 2 if below else room * 11 // 20
    if widths[place] + widths[function] > most:
        widths[function] = max(min(widths[function], most * 2 // 5), most - widths[place])
        widths[place] = most - widths[function]
    left = room if below else room - widths[place] - widths[function] - 4
    widths[source] = min(widths[source], left)


def _columns(text: str) -> int:
    """How many columns of a terminal TEXT takes."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def _fit(text: str, width: int, keep_end: bool) -> str:
    """TEXT in exactly WIDTH columns: filled with blanks, or cut with "..." at its start or its end."""
    if _columns(text) > width:
        text = text[-width:] if keep_end else text[:width]
        while _columns(text) > max(width - 3, 0):
            text = text[1:] if keep_end else text[:-1]
        text = "..." + text if keep_end else text + "..."
    return text + " " * (width - _columns(text))
