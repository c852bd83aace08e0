"""Flame graphs for tests: of a program with known figures, opened in Chromium where there is one."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

import memtally

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # for browsing

PROGRAM = '''
    """Keeps 6 MB and 2 MB, needs 20 MB more for a moment, and 50 MB one after the other."""
    import sys


    def big():
        return bytearray(6_000_000)  # the big one


    def small():
        return bytearray(2_000_000)


    def spike():
        return len(bytearray(20_000_000))


    def churn():
        for _ in range(50):
            bytearray(1_000_000)


    def evil():
        name = "</script><img src=x onerror=document.title='evil'>"
        names = {}
        exec(compile("def f():\\n    return bytearray(1_000_000)", name + ".py", "exec"), names)
        code = names["f"].__code__.replace(co_name=name, co_qualname=name)
        return exec_code(code)


    def exec_code(code):
        return type(evil)(code, {})()


    def plugin():
        with open("plugin.py", "w") as file:
            file.write("data = bytearray(1_500_000)")
        sys.path.insert(0, ".")
        import plugin  # the fat one

        return plugin


    kept = [big(), small(), evil(), plugin()]
    if "more" in sys.argv:
        kept += [big(), kept.pop(1) and small()]
    spike()
    churn()
'''


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Has program.py, and two snapshots of it; in new.snap `big` was called once more."""
    place = tmp_path_factory.mktemp("flamegraph")
    (place / "program.py").write_text(textwrap.dedent(PROGRAM))
    for name, words in (("old.snap", ["<a&b>"]), ("new.snap", ["more"])):
        command = [sys.executable, "-m", "memtally", "run", "-o", name, "program.py", *words]
        subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=60)
    return place


@pytest.fixture(scope="session")
def page(folder: pathlib.Path) -> pathlib.Path:
    """The flame graph of old.snap."""
    path = folder / "page.html"
    memtally.Snapshot.load(folder / "old.snap").flamegraph(path)
    return path


@pytest.fixture(scope="session")
def diff_page(folder: pathlib.Path) -> pathlib.Path:
    """The flame graph of new.snap, compared with old.snap."""
    path = folder / "diff.html"
    old, new = (memtally.Snapshot.load(folder / name) for name in ("old.snap", "new.snap"))
    new.flamegraph(path, diff=old)
    return path


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A headless Chromium; skips where there is none, or where the gate has another CPython do this."""
    if os.environ.get("MEMTALLY_BROWSER") == "0":
        pytest.skip("MEMTALLY_BROWSER=0: the page does not depend on the interpreter, one of them tries it")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium to look at the page with: apt-get install chromium chromium-driver")
    import browsing

    started = browsing.start(browser, driver, tmp_path_factory.mktemp("chromium"))
    yield started
    started.quit()


@pytest.fixture
def window(chromium: object) -> Iterator[object]:
    """A window of it; whatever a page does in there that it should not fails the test."""
    import browsing

    opened = browsing.Window(chromium)
    yield opened
    assert opened.console() == []
    assert opened.requests() == []
