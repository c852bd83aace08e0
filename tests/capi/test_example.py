"""The example extension, installed as a user would install it, with memtally and without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "arena"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example in it. The sources are copied: setuptools builds where they are."""
    folder = tmp_path_factory.mktemp("example")
    sources = folder / "arena"
    sources.mkdir()
    for path in EXAMPLE.iterdir():
        if path.is_file():
            (sources / path.name).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--target", str(folder / "lib"), str(sources)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "lib"


USE = """
sys.path.insert(0, {folder!r})
import arena
def load():
    return [arena.Buffer(1000) for _ in range(3)]
def check_buffers(buffers):
    memoryview(buffers[0])[:3] = b"abc"
    assert bytes(buffers[0])[:4] == b"abc\\0" and bytes(buffers[1])[:3] == b"\\0" * 3
    try:
        arena.Buffer(1 << 20)
    except MemoryError:
        return
    raise AssertionError("there cannot be room")
"""


def test_it_works_without_memtally(installed: Path) -> None:
    check(f"""
sys.modules["memtally"] = None
{USE.format(folder=str(installed))}
buffers = load()
check_buffers(buffers)
assert buffers[0].where() is None
del buffers
assert len(bytes(arena.Buffer(1 << 20))) == 1 << 20
""")


@pytest.mark.parametrize("first", ["memtally, arena", "arena, memtally"])
def test_its_buffers_are_traced(installed: Path, first: str) -> None:
    check(f"""
sys.path.insert(0, {str(installed)!r})
import {first}
{USE.format(folder=str(installed))}
early = arena.Buffer(5)
memtally.start(5)
buffers = load()
check_buffers(buffers)
def traces():
    every = memtally.take_snapshot().traces
    return [trace for trace in every if trace.domain == arena.DOMAIN]
assert [trace.size for trace in traces()] == [1000] * 3
assert {{trace.traceback[-1].function.split(".")[0] for trace in traces()}} == {{"load"}}
(file, line, function), *rest = buffers[0].where()
assert (file, line) == ("<string>", load.__code__.co_firstlineno + 1) and rest[-1][2] == "<module>"
assert early.where() is None
del buffers[1:]
assert len(traces()) == 1
buffers.clear()
assert traces() == []
""")
