"""What the Makefile calls: `python tools/dev.py demo|test|core|cross|sanitize|lint|docs|bench|build|package`.

This file is written so that every Python can read it: an old one is to be told that it is too old.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (it may be run by any interpreter)
    sys.stderr.write(
        "memtally: needs CPython 3.11 or newer, %s is %d.%d: name another with PYTHON=..., "  # noqa: UP031
        "or: apt-get install python3 python3-dev python3-venv\n" % ((sys.executable,) + sys.version_info[:2])
    )
    sys.exit(2)

import commands

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv[1:]))
