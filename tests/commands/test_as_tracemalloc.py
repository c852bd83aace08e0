"""`memtally run --as-tracemalloc`: the program's own `import tracemalloc` gives it memtally."""

PROGRAM = """
    import sys
    import tracemalloc
    assert tracemalloc.__name__ == "memtally" and tracemalloc.is_tracing()
    tracemalloc.start(3)
    kept = bytes(54321)
    print(tracemalloc.get_object_traceback(kept)[-1].lineno, "memtally" in " ".join(sys.orig_argv[1:]))
    print(sys._xoptions, sys.argv[1:])
    open(__file__)
"""


def test_the_program_and_the_standard_library_find_memtally(workshop):
    workshop.write("program.py", PROGRAM)
    found = workshop.run("--as-tracemalloc", "--frames", "20", "program.py", "--own")
    assert found.status == 0, found.stderr
    assert found.stdout == "6 False\n{} ['--own']\n"
    assert "at the peak" in found.report


def test_resource_warnings_show_where_the_object_was_allocated(workshop):
    workshop.write("program.py", "import warnings\nwarnings.simplefilter('default')\nopen(__file__)\n")
    found = workshop.run("--as-tracemalloc", "program.py")
    assert "Object allocated at" in found.stderr
    assert "Object allocated at" not in workshop.run("program.py").stderr


def test_without_the_option_the_program_gets_the_standard_module(workshop):
    workshop.write("program.py", "import tracemalloc; print(tracemalloc.__name__, tracemalloc.is_tracing())")
    assert workshop.run("program.py").stdout == "tracemalloc False\n"
    assert workshop.run("--as-tracemalloc", "program.py").stdout == "memtally True\n"
