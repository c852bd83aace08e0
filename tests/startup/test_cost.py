"""The start-up file must not be felt where it is not used: under a millisecond, by far."""

import statistics
import subprocess
import sys

CODE = """
import sys
sys.path.insert(0, {folder!r})
import measure_cost, statistics
print(statistics.median(measure_cost.seconds_of_the_line(200)))
"""


def test_the_line_takes_well_under_a_millisecond():
    folder = __file__.rpartition("/")[0]
    command = [sys.executable, "-E", "-c", CODE.format(folder=folder)]
    medians = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3)]
    assert statistics.median(medians) < 0.0005
