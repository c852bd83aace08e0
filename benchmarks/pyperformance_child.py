"""Runs a benchmark's script as its main program; writes down the peak of its memory: MEMORY SCRIPT ARGS..."""

import os
import runpy
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> None:
    memory, script, *_ = sys.argv[1:]
    del sys.argv[:2]
    sys.path[0] = os.path.dirname(script)
    runpy.run_path(script, run_name="__main__")
    sys.path.append(HERE)
    from measuring import peak_rss_kib

    with open(memory, "w", encoding="ascii") as file:
        file.write(str(peak_rss_kib()))


main()
