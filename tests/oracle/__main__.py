"""`python -m tests.oracle SCRIPT`: the same as `python tests/oracle/oracle.py SCRIPT`."""

import os
import runpy

if __name__ == "__main__":
    runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "oracle.py"), run_name="__main__")
