"""memtally.h compiles without a warning, as C11 and as C++17, with gcc and with clang."""

from __future__ import annotations

import importlib.machinery
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import memtally

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "extensions"))
from extension_builder import can_build
from fresh_process import check

pytestmark = pytest.mark.skipif(bool(can_build()), reason=can_build())
EXTENSIONS = Path(__file__).parent.parent / "extensions"
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]
LANGUAGES = {"C11": ["-x", "c", "-std=c11"], "C++17": ["-x", "c++", "-std=c++17"]}
with_every_compiler = pytest.mark.parametrize("compiler", ["gcc", "clang"])
in_both_languages = pytest.mark.parametrize("language", LANGUAGES)
USER = """
#include <memtally.h>
#include <memtally.h>
int use(void);
int use(void) {
    static char block[8];
    Memtally_Traceback *found;
    int sum = Memtally_Import() + Memtally_IsTracing() + Memtally_Track(1, block, sizeof block);
    sum += Memtally_FindTraceback(1, block, &found) + Memtally_Untrack(1, block);
    Memtally_FreeTraceback(found);
    return sum;
}
"""


def compile_strictly(compiler: str, language: str, sources: list[Path], target: Path, *options: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    if language.startswith("C++") and shutil.which("g++") is None:
        pytest.skip("no C++ compiler here")
    include = ["-I", memtally.get_include(), "-isystem", sysconfig.get_path("include")]
    words = [compiler, *LANGUAGES[language], *STRICT, *include, "-fPIC", *options]
    done = subprocess.run(
        [*words, *map(str, sources), "-o", str(target)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@with_every_compiler
@in_both_languages
@pytest.mark.parametrize("define", ["-DPLAIN", "-DPy_LIMITED_API=0x030B0000", "-DMEMTALLY_DISABLE"])
def test_the_header_gives_no_warning(tmp_path: Path, compiler: str, language: str, define: str) -> None:
    source = tmp_path / "user.c"
    source.write_text(USER)
    compile_strictly(compiler, language, [source], tmp_path / "user.o", define, "-c")


@with_every_compiler
@in_both_languages
@pytest.mark.parametrize("level", ["-O0", "-O3"])
def test_an_extension_in_both_languages_reports(
    tmp_path: Path, compiler: str, language: str, level: str
) -> None:
    target = tmp_path / ("reporting" + importlib.machinery.EXTENSION_SUFFIXES[0])
    sources = [EXTENSIONS / "reporting.c", EXTENSIONS / "reporting_more.c"]
    compile_strictly(compiler, language, sources, target, level, "-shared", "-pthread")
    check(f"""
sys.path.insert(0, {str(tmp_path)!r})
import reporting
assert reporting.ask(0, 5, 0x1000, 10) == -3
import memtally
memtally.start()
assert reporting.ask(4, 5, 0x1000, 10, 1) == 0
assert reporting.ask(2, 5, 0x1000, 0, 2)[0] == 10
assert reporting.churn(4, 1000) == 4
""")
