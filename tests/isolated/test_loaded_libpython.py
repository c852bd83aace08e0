"""A libpython that a program loads at run time: the place of its thread-local variables cannot be known."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pytest

import memtally

LIBRARY = pathlib.Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "")
COMPILER = shutil.which("cc") or shutil.which("gcc")
PROGRAM = """
#include <dlfcn.h>
int main(int count, char **words) {
    void *library = dlopen(words[1], RTLD_NOW | RTLD_GLOBAL);
    int (*run)(int, char **) = library ? (int (*)(int, char **))dlsym(library, "Py_BytesMain") : 0;
    return run ? run(count - 1, words + 1) : 99;
}
"""
CODE = """
import sys, faulthandler
faulthandler.dump_traceback_later(40, exit=True)
import memtally as mt
mt.start(3)
def one(x):
    return [x * 1.5]
def two(x):
    return [x * 2.5]
old = [[n * 0.5] for n in range(500)]  # what free lists had from before the start
new = [[n * 0.5] for n in range(500)]
del new
for n in range(300):
    for make in (one, two):
        made = make(n + 0.5)  # the list and the float come out of free lists, and were the other one's before
        line = make.__code__.co_firstlineno + 1
        assert mt.get_object_traceback(made)[-1].lineno == line, (n, make)
        if mt.capabilities()["exact_free_lists"]:
            assert mt.get_object_traceback(made[0])[-1].lineno == line, (n, make)
        del made
held, line = [bytes(n) for n in range(1000)], sys._getframe().f_lineno
del held[::2]
(there,) = [s for s in mt.take_snapshot().statistics("lineno") if s.traceback[0].lineno == line]
print(there.count >= 500, mt.capabilities()["fast_thread_state"], mt.capabilities()["lost_traces"])
"""


@pytest.mark.skipif(
    not LIBRARY.is_file() or ".so" not in LIBRARY.name, reason="this CPython has no shared libpython"
)
@pytest.mark.skipif(COMPILER is None, reason="no C compiler")
def test_tracing_is_as_exact_where_the_thread_state_must_be_asked_for(tmp_path: pathlib.Path) -> None:
    (tmp_path / "loader.c").write_text(PROGRAM)
    assert COMPILER is not None
    subprocess.run([COMPILER, "-o", tmp_path / "loader", tmp_path / "loader.c", "-ldl"], check=True)
    environment = {
        **os.environ,
        "PYTHONHOME": sys.base_prefix,
        "PYTHONPATH": os.path.dirname(os.path.dirname(memtally.__file__)),
    }
    done = subprocess.run(
        [tmp_path / "loader", LIBRARY, "-c", CODE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "False", "0"], done.stdout
    assert done.stderr == ""
