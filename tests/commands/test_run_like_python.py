"""A program under `memtally run` finds and leaves behind what it finds and leaves behind under python."""

import os
import sys
import zipfile

import pytest

SEES = """
    import os, sys
    ours = ("memtally", "atexit", "encodings.ascii")  # the last: -X dev and any extension module
    modules = sorted(m for m in sys.modules if m not in ours and not m.startswith("memtally."))
    folders = sorted(p for p in sys.path_importer_cache if "/memtally" not in p)
    import threading, signal
    main = sys.modules["__main__"]
    for name in ("__name__", "__file__", "__package__", "__spec__", "__doc__", "__cached__", "__path__"):
        print(name, getattr(main, name, "absent"))
    print("modules", modules)
    print("loader", type(main.__loader__), getattr(main.__loader__, "path", None))
    print("names", sorted(vars(main)))
    print("annotations", getattr(main, "__annotations__", "absent"))
    print("builtins", main.__builtins__ is sys.modules["builtins"], globals() is vars(main))
    print("argv", sys.argv, sys.orig_argv)
    print("path", sys.path, folders)
    print("flags", sys.flags, sys.warnoptions, sys._xoptions)
    print("environ", sorted(os.environ.items()))
    print("files", sorted(os.listdir("/proc/self/fd")))
    print("threads", threading.active_count(), threading.current_thread())
    print("depth", sys._getframe().f_back, sys.getrecursionlimit(), sys.gettrace(), sys.getprofile())
    print("hooks", sys.excepthook, sys.displayhook, sys.unraisablehook, signal.getsignal(signal.SIGINT))
    print("streams", sys.stdin, sys.stdout, sys.stderr, sys.stdout.line_buffering)
    print("stdin", sys.stdin.read())
    print("cwd", os.getcwd())
"""

FORMS = {
    "script": ["sees.py"],
    "script with arguments like our options": [
        "sees.py",
        "--frames",
        "7",
        "-o",
        "x",
        "-m",
        "y",
        "-c",
        "--",
        "z",
    ],
    "script in a folder": ["lib/sees.py", "one"],
    "script up and down": ["lib/../sees.py"],
    "module": ["-m", "sees", "-x", "--help"],
    "module in one word": ["-msees", "--help"],
    "package": ["-m", "package", "one"],
    "module in a package": ["-m", "package.part"],
    "code": ["-c", "exec(open('sees.py').read())", "-c", "two"],
    "code in one word": ["-cexec(open('sees.py').read())"],
    "folder": ["folder", "one"],
    "folder, here": ["."],
    "zip": ["packed.zip", "one", "--two"],
    "standard input": ["-", "one"],
    "a name with a dash": ["--", "-dash.py", "one"],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_program_sees_what_python_would_show_it(workshop, form):
    for name in ("sees.py", "lib/sees.py", "package/__main__.py", "package/part.py", "folder/__main__.py"):
        workshop.write(name, SEES)
    workshop.write("__main__.py", SEES)
    workshop.write("-dash.py", SEES)
    workshop.write("package/__init__.py", "print('package', __name__)")
    with zipfile.ZipFile(workshop.folder / "packed.zip", "w") as packed:
        packed.write(workshop.folder / "sees.py", "__main__.py")
    stdin = (workshop.folder / "sees.py").read_text() if form[0] == "-" else "typed\n"
    workshop.python("-m", "compileall", "-q", ".")
    ours = workshop.side_by_side(*form, stdin=stdin)
    assert ours.status == 0, ours.stderr
    assert "memtally: at the peak" in ours.report
    assert "memtally: live at exit" in ours.report


@pytest.mark.parametrize(
    "switches",
    [["-X", "dev"], ["-W", "error"], ["-u"], ["-O"], ["-B", "-q"], ["-E"], ["-s"], ["-P"], ["-I"], ["-bb"]],
    ids=" ".join,
)
@pytest.mark.parametrize("spelling", [["-m", "memtally"], ["-mmemtally"]], ids=" ".join)
def test_the_switches_of_the_interpreter_are_kept(workshop, switches, spelling):
    workshop.write("sees.py", SEES)
    plain = workshop.python(*switches, "sees.py")
    ours = workshop.execute([sys.executable, *switches, *spelling, "run", "sees.py"])
    assert ours.as_python_sees_it() == plain.as_python_sees_it()
    assert ours.status == 0
    assert "memtally: at the peak" in ours.report


def test_switches_and_module_in_one_word_are_told_apart(workshop):
    workshop.write("sees.py", SEES)
    plain = workshop.python("-I", "sees.py")
    ours = workshop.execute([sys.executable, "-Im", "memtally", "run", "sees.py"])
    assert ours.as_python_sees_it() == plain.as_python_sees_it()


def test_the_console_script_is_the_same_command(workshop):

    workshop.write("sees.py", SEES)
    script = os.path.join(os.path.dirname(sys.executable), "memtally")
    ours = workshop.execute([script, "run", "sees.py", "one"])
    assert ours.as_python_sees_it() == workshop.python("sees.py", "one").as_python_sees_it()
    assert "memtally: at the peak" in ours.report


ENDS = {
    "falls off its end": "print('done')",
    "exit()": "import sys; sys.exit()",
    "exit(None)": "import sys; sys.exit(None)",
    "exit(0)": "import sys; sys.exit(0)",
    "exit(7)": "import sys; print('out'); sys.exit(7)",
    "exit(-1)": "import sys; sys.exit(-1)",
    "exit(256)": "import sys; sys.exit(256)",
    "exit(True)": "import sys; sys.exit(True)",
    "exit(text)": "import sys; sys.exit('bye, bye')",
    "exit(object)": "import sys; sys.exit(('a', 1))",
    "raise SystemExit": "raise SystemExit(3)",
    "a subclass of SystemExit": "class Leave(SystemExit): pass\nraise Leave(4)",
    "quit()": "quit(5)",
    "exit in a finally": "import sys\ntry:\n    1 / 0\nfinally:\n    sys.exit(6)",
    "os._exit": "import os; print('lost?', flush=True); os._exit(9)",
    "exception": "def f():\n    return 1 / 0\nf()",
    "chained exceptions": "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('x') from e",
    "exception group": "raise ExceptionGroup('many', [ValueError(1), TypeError(2)])",
    "exception with notes": "e = ValueError(1); e.add_note('a note'); raise e",
    "recursion error": "def f():\n    f()\nf()",
    "syntax error of an import": "import broken",
    "syntax error of its own making": "compile('x =', 'made', 'exec')",
    "own excepthook": "import sys, traceback as t\n"
    "sys.excepthook = lambda *a: print('hook', a[0], t.extract_tb(a[2]))\n1 / 0",
    "broken excepthook": "import sys\nsys.excepthook = lambda *a: 1 / 0\nint('x')",
    "excepthook that exits": "import sys\nsys.excepthook = lambda *a: sys.exit(8)\nint('x')",
    "no excepthook": "import sys\ndel sys.excepthook\nint('x')",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "Ctrl-C": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)",
    "Ctrl-C, caught": "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n"
    "    time.sleep(5)\nexcept KeyboardInterrupt:\n    print('caught')",
    "Ctrl-C and a namedtuple": "import collections, os, signal, time\ncollections.namedtuple('T', 'a')\n"
    "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "a signal, handled": "import os, signal, sys\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(11))\n"
    "os.kill(os.getpid(), signal.SIGTERM)",
    "exit in a thread": "import sys, threading\n"
    "t = threading.Thread(target=lambda: sys.exit(3))\nt.start(); t.join()",
    "exception in a thread": "import threading\n"
    "t = threading.Thread(target=lambda: 1 / 0, name='T')\nt.start(); t.join()",
    "threads outlive the main one": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(.2), print('late'))).start()\nprint('main is done')",
    "daemon threads": "import threading, time\n"
    "threading.Thread(target=lambda: time.sleep(60), daemon=True).start()\nprint('main is done')",
    "atexit functions, last first": "import atexit\n"
    "for i in range(3): atexit.register(print, 'at exit', i)\nprint('end')",
    "atexit function that fails": "import atexit\n"
    "atexit.register(lambda: 1 / 0)\natexit.register(print, 'fine')",
    "atexit after an exception": "import atexit\natexit.register(print, 'at exit')\nint('x')",
    "finalizers": "class A:\n    def __del__(self): print('deleted')\na = A()\nb = [a]",
    "output without a newline": "import sys\nsys.stdout.write('out'); sys.stderr.write('err')",
    "closed stdout": "import sys; print('x'); sys.stdout.close()",
    "closed stderr": "import sys; print('x'); sys.stderr.close()",
    "replaced streams": "import io, sys; sys.stdout = sys.stderr = io.StringIO(); print('nowhere')",
    "no streams": "import sys; sys.stdout = sys.stderr = sys.__stderr__ = None",
    "warnings": "import warnings\ndef f(): warnings.warn('careful', stacklevel=2)\nf()",
    "changed folder": "import os; os.chdir('/'); print(__file__)",
    "main module replaced": "import sys, types\n"
    "sys.modules['__main__'] = types.ModuleType('__main__'); print('x')",
    "pickled classes": "import pickle\nclass A: pass\n"
    "print(type(pickle.loads(pickle.dumps(A()))), A.__module__)",
    "asyncio": "import asyncio\nasync def main():\n"
    "    await asyncio.sleep(0)\n    print('ran')\nasyncio.run(main())",
    "import of itself": "import sys\nif __name__ == '__main__':\n    import program\n"
    "    print(program.__name__)",
    "forked child that leaves by exit": "import os, sys\nif os.fork() == 0:\n"
    "    print('child'); sys.exit(5)\n"
    "print(os.waitstatus_to_exitcode(os.wait()[1]))",
}


@pytest.mark.parametrize("source", ENDS.values(), ids=ENDS)
def test_the_program_ends_as_it_would_under_python(workshop, source):
    workshop.write("broken.py", "x = (")
    workshop.write("program.py", source)
    workshop.python("-m", "compileall", "-q", ".")
    workshop.side_by_side("program.py")


@pytest.mark.parametrize("end", ["exception", "Ctrl-C", "exit(7)", "own excepthook", "pickled classes"])
@pytest.mark.parametrize("form", ["-m", "-c", "folder"])
def test_all_forms_end_alike(workshop, end, form):
    workshop.write("program.py", ENDS[end])
    workshop.write("folder/__main__.py", ENDS[end])
    words = {"-m": ["-m", "program"], "-c": ["-c", ENDS[end]], "folder": ["folder"]}[form]
    ours = workshop.side_by_side(*words)
    assert "memtally: at the peak" in ours.report


def test_children_of_all_start_methods_work_and_print_no_report(workshop):
    workshop.write(
        "program.py",
        """
        import multiprocessing, os, subprocess, sys

        class Item:
            def __init__(self, value):
                self.value = value

        def double(item):
            return Item(item.value * 2)

        if __name__ == "__main__":
            for method in ("spawn", "fork", "forkserver"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(method, [item.value for item in pool.map(double, map(Item, range(4)))])
            child = "import sys; print(sys.argv, sys.flags, sys._xoptions, 'memtally' in sys.modules)"
            print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout)
        """,
    )
    ours = workshop.side_by_side("program.py")
    assert "fork [0, 2, 4, 6]" in ours.stdout
    assert ours.report.count("memtally: at the peak") == 1


@pytest.mark.parametrize("redirect", [">/dev/full", ">&-", "2>&-", "2>/dev/full", "<&-", ">&- 2>&-"])
def test_streams_that_cannot_be_used_end_as_under_python(workshop, redirect):
    workshop.write("program.py", "print('x' * 100)")
    workshop.side_by_side("program.py", redirect=redirect)


def test_a_reader_that_has_gone_ends_as_under_python(workshop):
    program = workshop.write("program.py", "for i in range(100000): print(i)")
    for pipe in ("| head -n 1",):
        endings = []
        for command in (workshop.python, workshop.run):
            done = command(program, redirect=f"2>errors {pipe}")
            done.stderr = (workshop.folder / "errors").read_text()
            endings.append(done.as_python_sees_it())
        assert endings[0] == endings[1]


def test_output_comes_in_order_when_both_streams_share_a_pipe(workshop):
    workshop.write("program.py", "print('first, and buffered')")
    done = workshop.run("program.py", redirect="2>&1")
    assert done.stdout.startswith("first, and buffered\n\nmemtally: at the peak")


def test_modules_of_the_program_that_are_named_as_the_librarys_are_left_alone(workshop):
    names = (
        "argparse",
        "token",
        "tokenize",
        "linecache",
        "textwrap",
        "dataclasses",
        "typing",
        "re",
        "shutil",
        "tempfile",
        "json",
    )
    for name in names:
        workshop.write(f"{name}.py", f"print('the program has its own {name}')")
    workshop.write("program.py", "import token, textwrap, json\nkept = bytes(1000000)")
    done = workshop.side_by_side("program.py")
    assert done.stdout.count("has its own") == 3
    assert "kept = bytes(1000000)" in done.report
    workshop.write("program.py", "kept = bytes(1000000)")
    assert "has its own" not in workshop.side_by_side("program.py").stdout
