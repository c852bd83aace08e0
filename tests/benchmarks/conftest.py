"""The benchmarks are scripts beside each other, not a package: their folder goes onto the path."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks"))
