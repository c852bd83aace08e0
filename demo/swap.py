"""The same program for either tracer: nothing but the name of the import differs.

    python demo/swap.py tracemalloc | memtally | nothing

Parses and unparses three modules of the library with 25 frames a traceback; prints the seconds of processor
time it took, and then the top lines.
"""

import ast
import importlib
import pathlib
import sys
import time
from typing import Any


def work() -> list[ast.Module]:
    sources = [
        pathlib.Path(ast.__file__).with_name(name).read_text("utf-8")
        for name in ("argparse.py", "pdb.py", "typing.py")
    ]
    trees = [ast.parse(source) for source in sources]
    for tree in trees:
        ast.unparse(tree)
    return trees


def main() -> None:
    name = sys.argv[1]
    tracemalloc: Any = None if name == "nothing" else importlib.import_module(name)
    if tracemalloc:
        tracemalloc.start(25)
    begin = time.process_time()
    trees = work()
    print(f"{time.process_time() - begin:.3f}")
    if tracemalloc:
        for statistic in tracemalloc.take_snapshot().statistics("lineno")[:3]:
            print(statistic)
    del trees


if __name__ == "__main__":
    main()
