"""The flame graph: all views of a snapshot in one HTML file that works from the disk and fetches nothing.

`write` is what `Snapshot.flamegraph` and `memtally flamegraph` call. The parts: data.py says what is shown,
files.py names files and reads their lines, page.py puts the file together from the page, style and scripts
beside it.
"""

import os

from memtally import Snapshot
from memtally.reports.flamegraph import data, page
from memtally.reports.flamegraph.output import write_whole


def write(
    snapshot: Snapshot, path: "str | os.PathLike[str]", diff: Snapshot | None = None, source: bool = True
) -> None:
    """Write the flame graph of SNAPSHOT to the file PATH: whole under that name, or not at all.

    DIFF is an older snapshot to compare with; without SOURCE no line of a source file is in the page.
    Raises OSError, TypeError where DIFF is no snapshot, ValueError where there is no view that both have or
    a file is damaged.
    """
    if diff is not None and not isinstance(diff, Snapshot):
        raise TypeError(f"diff must be a Snapshot, not {type(diff).__name__}")
    content = data.collect(snapshot, diff, source)
    write_whole(os.fspath(path), page.render(content))
