"""The documentation says what is so: its programs run, its commands print what the pages show."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest

import memtally

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import page_runs
import pages

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHOWN = sys.version_info[:2] == (3, 13)
"""Whether this is the version whose output the pages show: others name comprehensions as functions, say."""
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """An empty folder with a short name: in tables there is room for little more than the pages show."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="memtally-"))
    yield path
    shutil.rmtree(path)


def pages_with(what: str) -> pytest.MarkDecorator:
    """Every page that has some `commands`, or `parts` of a program."""
    chosen = [path for path in PAGES if getattr(pages.read(path), what)]
    return pytest.mark.parametrize("path", chosen, ids=lambda path: path.relative_to(ROOT).as_posix())


def read(path: pathlib.Path) -> pages.Page:
    """A page whose needs are met."""
    page = pages.read(path)
    for module in page.needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"the page needs {module}, which is not installed")
    return page


@pytest.mark.skipif(not SHOWN, reason="the pages show what commands print with CPython 3.13")
@pages_with("commands")
def test_commands_on_a_page_print_what_it_shows(path: pathlib.Path, folder: pathlib.Path) -> None:
    page = read(path)
    for command, printed in zip(page.commands, page_runs.outputs_of_commands(page, folder), strict=True):
        if command.shown is not None:
            compare(f"{path}:{command.first - 1}: $ {command.text}", command.shown, printed, page)


@pages_with("parts")
def test_programs_on_a_page_run_and_print_what_it_shows(path: pathlib.Path, folder: pathlib.Path) -> None:
    page = read(path)
    for part, printed in zip(page.parts, page_runs.outputs_of_program(page, folder), strict=True):
        if part.shown is not None and SHOWN:
            compare(f"{path}:{part.line}", part.shown, printed, page)


def compare(what: str, shown: list[str], printed: list[str], page: pages.Page) -> None:
    """Fails where a page shows what did not come."""
    if page_runs.match(shown, printed, list(page.files)) is None:
        pytest.fail("\n".join([what, "-- the page shows", *shown, "-- printed was", *printed]), pytrace=False)


def test_a_file_on_a_page_is_run_by_a_command_on_it() -> None:
    for path in PAGES:
        page = pages.read(path)
        typed = " ".join(command.text for command in page.commands).split()
        assert set(page.files) <= set(typed), f"{path}: nothing runs {set(page.files) - set(typed)}"


def test_what_is_not_run_says_why() -> None:
    for path in PAGES:
        assert all(len(reason) > 10 for reason in pages.read(path).not_run), path


def test_the_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    there = set(re.findall(r"^\.\. auto(?:function|class):: (\w+)", page, re.MULTILINE))
    assert there == set(memtally.__all__)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_a_page_beside_the_site_lead_to_files(name: str) -> None:
    """Sphinx looks after the links of docs/."""
    text = re.sub(r"`[^`\n]*`", "", (ROOT / name).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize(
    ("shown", "printed", "agree"),
    [
        (["1.5 MiB  a.py:3  f"], ["977 KiB   a.py:3  f"], True),
        (["1.5 MiB  a.py:3  f"], ["1.5 MiB  a.py:4  f"], False),
        (["1.5 MiB  a.py:3  f"], ["1.5 MiB  a.py:3  g"], False),
        (["12 B  json/decoder.py:360"], ["12 B  json/decoder.py:345"], True),
        (["first", "...", "last"], ["first", "more", "and more", "last"], True),
        (["first", "..."], ["first"], True),
        (["first"], ["first", "more"], False),
        (["first", "last"], ["first"], False),
        ([], ["an error"], False),
    ],
)
def test_a_page_agrees_with_what_differs_in_numbers_only(
    shown: list[str], printed: list[str], agree: bool
) -> None:
    assert (page_runs.match(shown, printed, ["a.py"]) is not None) is agree
