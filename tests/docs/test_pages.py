"""The documentation says what is so: its programs run, its commands print what the pages show."""

from __future__ import annotations

import importlib.util
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import pages
import running

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """An empty folder with a short name: in tables there is room for little more than the pages show."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="memtally-"))
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_on_a_page_runs_and_prints_what_the_page_shows(path: pathlib.Path, folder: pathlib.Path) -> None:
    page = pages.read(path)
    for module in page.needs:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"the page needs {module}, which is not installed")
    for command, printed in zip(page.commands, running.outputs_of_commands(page, folder), strict=True):
        compare(f"{path}:{command.first - 1}: $ {command.text}", command.shown, printed, page)
    for part, printed in zip(page.parts, running.outputs_of_program(page, folder), strict=True):
        if part.shown is not None:
            compare(f"{path}:{part.line}", part.shown, printed, page)


def compare(what: str, shown: list[str], printed: list[str], page: pages.Page) -> None:
    """Fails where a page shows what did not come; what another Python prints may differ."""
    if page.output_of not in ("", ".".join(map(str, sys.version_info[:2]))):
        return
    if running.match(shown, printed, list(page.files)) is None:
        pytest.fail("\n".join([what, "-- the page shows", *shown, "-- printed was", *printed]), pytrace=False)


def test_a_file_on_a_page_is_run_by_a_command_on_it() -> None:
    for path in PAGES:
        page = pages.read(path)
        typed = " ".join(command.text for command in page.commands).split()
        assert set(page.files) <= set(typed), f"{path}: nothing runs {set(page.files) - set(typed)}"


def test_what_is_not_run_says_why() -> None:
    for path in PAGES:
        assert all(len(reason) > 10 for reason in pages.read(path).not_run), path


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
    assert (running.match(shown, printed, ["a.py"]) is not None) is agree
