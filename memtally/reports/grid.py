"""Rows of cells as aligned lines: in one line a row where there is room, else with the source line below;
where numbers leave next to no room beside them, with all words below.

On a terminal it fits the width. Anywhere else it is plain text in full length that does not depend on the
surroundings. As table.py, this may run at the end of any program, and so imports next to nothing.
"""

import os
import unicodedata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

ONE_LINE = 120
"""Columns a terminal needs for place, function and source side by side."""
ROOM = 40
"""Columns beside the numbers that place and function need to be recognised."""
LONGEST = 200
"""Characters of a name or a source line that are shown, even where the width does not matter."""
WORD_HEADINGS = ("place", "function", "source")
WORDS = len(WORD_HEADINGS)
"""How many columns of a row are words, and not numbers: the last ones."""


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


def printable(text: str) -> str:
    """TEXT as it may go to a terminal: names and source lines can hold control characters, or a megabyte."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 3] + "..."
    return "".join(c if c.isprintable() else " " if c == "\t" else ascii(c)[1:-1] for c in text)


def align(rows: "Sequence[tuple[str, ...]]", style: Style, indented: bool = False) -> "Iterator[str]":
    """ROWS as lines: first the headings; columns of numbers, then place, function and source.

    Numbers never get shortened. A column that is empty everywhere is left out. Where there is no room, places
    and functions lose their start, but not places that are INDENTED. There is one line for the headings.
    """
    numbers = len(rows[0]) - WORDS
    widths = [max(columns(row[i]) for row in rows) for i in range(len(rows[0]))]
    used = [i < numbers or any(row[i] for row in rows[1:]) for i in range(len(rows[0]))]
    widths = [width * there for width, there in zip(widths, used, strict=True)]
    indent = sum(widths[:numbers]) + 2 * numbers
    below = style.width is not None and style.width < ONE_LINE
    narrow = style.width is not None and style.width - indent < ROOM
    if narrow:
        indent = 2
    if style.width is not None:
        _squeeze(widths, style.width - indent, below or narrow)
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[:numbers], widths[:numbers], strict=True)]
        words = [
            fit(row[column], widths[column], keep_end=not indented or column != numbers)
            for column in (numbers, numbers + 1)
            if used[column]
        ]
        head = "  ".join(cells if narrow else cells + words)
        source = fit(row[-1], widths[-1], keep_end=False).rstrip() if used[-1] else ""
        if row is rows[0]:
            yield style.paint(DIM, head.rstrip() if below or narrow else f"{head}  {source}".rstrip())
        elif narrow:
            if any(row[:numbers]):
                yield head.rstrip()
            yield (" " * indent + "  ".join(words)).rstrip()
            if source:
                yield " " * indent + style.paint(DIM, source)
        elif not source:
            yield head.rstrip()
        elif below:
            yield head.rstrip()
            yield " " * indent + style.paint(DIM, source)
        else:
            yield f"{head}  {style.paint(DIM, source)}"


def _squeeze(widths: list[int], room: int, below: bool) -> None:
    """Shrink the columns of words in WIDTHS to ROOM; BELOW, the source line has the room for itself."""
    place, function, source = range(len(widths) - WORDS, len(widths))
    most = room - 2 if below or widths[source] == 0 else room * 11 // 20
    if widths[place] + widths[function] > most:
        widths[function] = max(min(widths[function], most * 2 // 5), most - widths[place])
        widths[place] = most - widths[function]
    left = room if below else room - widths[place] - widths[function] - 4
    widths[source] = min(widths[source], left)


def columns(text: str) -> int:
    """How many columns of a terminal TEXT takes."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)


def fit(text: str, width: int, keep_end: bool) -> str:
    """TEXT in exactly WIDTH columns: filled with blanks, or cut with "..." at its start or its end."""
    if columns(text) > width:
        text = text[-width:] if keep_end else text[:width]
        while columns(text) > max(width - 3, 0):
            text = text[1:] if keep_end else text[:-1]
        text = "..." + text if keep_end else text + "..."
    return text + " " * (width - columns(text))
