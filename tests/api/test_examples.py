"""The examples of the standard module's documentation run with memtally, and print what it shows."""

import os
import re
import subprocess
import sys
import textwrap

# In place of "... run your application ...".
APPLICATION = """
import json, collections
kept = [json.loads('{"key%d": [1.5, "value", {}]}' % i) for i in range(2000)]
names = [collections.namedtuple("T%d" % i, "a b c") for i in range(20)]
"""
SIZE = r"-?\d+(\.\d)? (B|KiB|MiB)"
CHANGE = r"[+-]\d+(\.\d)? (B|KiB|MiB)"


def lines_of(code, tmp_path, **values):
    """The lines that the program prints in a process of its own."""
    path = tmp_path / "example.py"
    path.write_text(textwrap.dedent(code).replace("# APPLICATION", APPLICATION.strip()), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        env=dict(os.environ, **values),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_display_the_top_10(tmp_path):
    title, *rows = lines_of(
        """
        import memtally as tracemalloc

        tracemalloc.start()

        # APPLICATION

        snapshot = tracemalloc.take_snapshot()
        top_stats = snapshot.statistics('lineno')

        print("[ Top 10 ]")
        for stat in top_stats[:10]:
            print(stat)
        """,
        tmp_path,
    )
    assert title == "[ Top 10 ]"
    assert len(rows) == 10
    for row in rows:
        assert re.fullmatch(rf".+:\d+: size={SIZE}, count=\d+, average={SIZE}", row), row


def test_compute_differences(tmp_path):
    title, *rows = lines_of(
        """
        import memtally as tracemalloc
        tracemalloc.start()
        import json

        snapshot1 = tracemalloc.take_snapshot()
        # APPLICATION
        snapshot2 = tracemalloc.take_snapshot()

        top_stats = snapshot2.compare_to(snapshot1, 'lineno')

        print("[ Top 10 differences ]")
        for stat in top_stats[:10]:
            print(stat)
        """,
        tmp_path,
    )
    assert title == "[ Top 10 differences ]"
    assert len(rows) == 10
    for row in rows:
        assert re.fullmatch(
            rf".+:\d+: size={SIZE} \({CHANGE}\), count=\d+ \([+-]\d+\)(, average={SIZE})?", row
        ), row


def test_get_the_traceback_of_a_memory_block(tmp_path):
    title, *rows = lines_of(
        """
        import memtally as tracemalloc

        # Store 25 frames
        tracemalloc.start(25)

        # APPLICATION

        snapshot = tracemalloc.take_snapshot()
        top_stats = snapshot.statistics('traceback')

        # pick the biggest memory block
        stat = top_stats[0]
        print("%s memory blocks: %.1f KiB" % (stat.count, stat.size / 1024))
        for line in stat.traceback.format():
            print(line)
        """,
        tmp_path,
    )
    assert re.fullmatch(r"\d+ memory blocks: \d+\.\d KiB", title)
    assert re.fullmatch(r'  File ".*example\.py", line \d+', rows[0])
    assert rows[1].startswith("    kept = [json.loads(")
    assert all(re.match(r'  File ".+", line \d+$|    \S', row) for row in rows)


def test_pretty_top(tmp_path):
    title, *rows = lines_of(
        """
        import linecache
        import os
        import memtally as tracemalloc

        def display_top(snapshot, key_type='lineno', limit=10):
            snapshot = snapshot.filter_traces((
                tracemalloc.Filter(False, "<frozen importlib._bootstrap>"),
                tracemalloc.Filter(False, "<unknown>"),
            ))
            top_stats = snapshot.statistics(key_type)

            print("Top %s lines" % limit)
            for index, stat in enumerate(top_stats[:limit], 1):
                frame = stat.traceback[0]
                print("#%s: %s:%s: %.1f KiB"
                      % (index, frame.filename, frame.lineno, stat.size / 1024))
                line = linecache.getline(frame.filename, frame.lineno).strip()
                if line:
                    print('    %s' % line)

            other = top_stats[limit:]
            if other:
                size = sum(stat.size for stat in other)
                print("%s other: %.1f KiB" % (len(other), size / 1024))
            total = sum(stat.size for stat in top_stats)
            print("Total allocated size: %.1f KiB" % (total / 1024))

        tracemalloc.start()

        # APPLICATION

        snapshot = tracemalloc.take_snapshot()
        display_top(snapshot)
        """,
        tmp_path,
    )
    assert title == "Top 10 lines"
    numbered = [row for row in rows if row.startswith("#")]
    assert [row.split(":")[0] for row in numbered] == [f"#{i}" for i in range(1, 11)]
    assert all(re.fullmatch(r"#\d+: .+:\d+: \d+\.\d KiB", row) for row in numbered)
    assert not any("<frozen importlib._bootstrap>" in row or "<unknown>" in row for row in numbered)
    assert any(row.startswith("    ") for row in rows)
    assert re.fullmatch(r"\d+ other: \d+\.\d KiB", rows[-2])
    assert re.fullmatch(r"Total allocated size: \d+\.\d KiB", rows[-1])


def test_record_the_current_and_peak_size(tmp_path):
    first, second = lines_of(
        """
        import memtally as tracemalloc

        tracemalloc.start()

        # Example code: compute a sum with a large temporary list
        large_sum = sum(list(range(100000)))

        first_size, first_peak = tracemalloc.get_traced_memory()

        tracemalloc.reset_peak()

        # Example code: compute a sum with a small temporary list
        small_sum = sum(list(range(1000)))

        second_size, second_peak = tracemalloc.get_traced_memory()

        print(f"{first_size=}, {first_peak=}")
        print(f"{second_size=}, {second_peak=}")
        """,
        tmp_path,
    )
    first_size, first_peak = map(int, re.fullmatch(r"first_size=(\d+), first_peak=(\d+)", first).groups())
    second_size, second_peak = map(
        int, re.fullmatch(r"second_size=(\d+), second_peak=(\d+)", second).groups()
    )
    few = 2000 + (100 * 32 if sys.version_info >= (3, 14) else 0)  # from 3.14 on, dead integers are kept
    assert first_size < few
    assert second_size < few
    assert 3_000_000 < first_peak < 4_500_000
    assert 8_000 < second_peak < 50_000  # 3.15 has the integers up to 1,024 already
