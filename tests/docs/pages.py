"""What a page of the documentation holds that can be run: its programs, its commands, and what they print.

A fenced block is one of four kinds:

- ```python that begins with `# NAME.py`: a file of that name, for the page's commands;
- ```python otherwise: a part of the page's program. All parts of a page are one program, in one namespace;
- ```console: commands after `$ `, each followed by what it prints, where a line `...` stands for any lines;
- ```text right after a part of the program: what that part prints.

Comments in the page, which readers do not see, say the rest:

- `<!-- first: CODE -->` is a part of the program that is not shown, `<!-- file NAME: TEXT -->` a file,
  `<!-- typed: COMMAND -->` a command;
- `<!-- needs: MODULE -->` what the page cannot be run without;
- `<!-- not run: REASON -->` before a block: why it is not run.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^<!-- (first|file [\w.]+|typed|needs|not run): ?(.*?) ?-->$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/]+\.(?:py|ini|toml))\n")
KINDS = ("python", "console", "text", "c", "")
"""What a fence may be called: a misspelt `pyton` would never run."""


@dataclasses.dataclass
class Block:
    """A fenced block: its kind, its text, the line where the text begins, where it is in the page."""

    kind: str
    text: str
    line: int
    start: int
    end: int


@dataclasses.dataclass
class Command:
    """A command, and the lines that the page shows as its output, which are lines FIRST on of the page.

    SHOWN is None where the page does not show the command itself.
    """

    text: str
    shown: list[str] | None
    first: int


@dataclasses.dataclass
class Part:
    """A part of the page's program; SHOWN is what it prints, None where the page does not say."""

    code: str
    line: int
    shown: list[str] | None = None


@dataclasses.dataclass
class Page:
    """All that can be run."""

    path: pathlib.Path
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    commands: list[Command] = dataclasses.field(default_factory=list)
    parts: list[Part] = dataclasses.field(default_factory=list)
    needs: list[str] = dataclasses.field(default_factory=list)
    not_run: list[str] = dataclasses.field(default_factory=list)


def read(path: pathlib.Path) -> Page:
    """The page in a file. ValueError for what is neither run nor excused."""
    text = path.read_text(encoding="utf-8")
    page = Page(path)
    excuse = last = None
    for match in sorted([*FENCE.finditer(text), *COMMENT.finditer(text)], key=lambda match: match.start()):
        line = text.count("\n", 0, match.start()) + 1
        if match.re is COMMENT:
            excuse = _remark(page, match[1], match[2], line)
            continue
        block = Block(match[1], match[2], line + 1, match.start(), match.end())
        if block.kind not in KINDS:
            raise ValueError(f"{path}:{line}: a block of kind {block.kind!r}: expected one of {KINDS}")
        if excuse is None:
            _take(page, block, last, text)
        excuse, last = None, block
    return page


def _remark(page: Page, kind: str, text: str, line: int) -> str | None:
    """Takes what a comment says; the reason not to run the block after it, if that is what it says."""
    if kind == "first":
        page.parts.append(Part(text.lstrip("\n"), line + 1))
    elif kind == "needs":
        page.needs.append(text)
    elif kind.startswith("file "):
        page.files[kind.removeprefix("file ")] = text.lstrip("\n") + "\n"
    elif kind == "typed":
        page.commands.append(Command(text, None, line + 1))
    else:
        page.not_run.append(text)
        return text
    return None


def _take(page: Page, block: Block, last: Block | None, text: str) -> None:
    """Adds a block to what is run."""
    file = FILE.match(block.text)
    if block.kind == "python" and file:
        page.files[file[1]] = block.text
    elif block.kind == "python":
        page.parts.append(Part(block.text, block.line))
    elif block.kind == "console":
        page.commands += _commands(block)
    elif block.kind == "text" and page.parts and last is not None and last.kind == "python":
        between = text[last.end : block.start]
        page.parts[-1].shown = block.text.splitlines() if not between.strip() else None


def _commands(block: Block) -> list[Command]:
    """The commands of a console block, each with its output."""
    commands: list[Command] = []
    shown: list[str] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            shown = []
            commands.append(Command(line[2:], shown, number + 1))
        elif commands:
            shown.append(line)
        else:
            raise ValueError(f"line {number}: a console block that begins without a command: {line!r}")
    return commands
