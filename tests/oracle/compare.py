"""Compares two readings of the oracle and tells what differs. Runs after the readings were taken: `ask`
while both tracers are still on, `compare` when they are off, so that the standard one does not slow it down.

A raw snapshot holds no addresses, so blocks are compared as a multiset of (domain, size, traceback,
total_nframe); what one side alone holds is paired by domain and size to tell "another traceback" from
"missing". Tracebacks of single live objects are compared one by one as well.
"""

from __future__ import annotations

import gc
import itertools
import sys
import types
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Frames = tuple[tuple[str, int], ...]
Row = tuple[int, int, Frames, int]  # domain, size in bytes, frames (newest first), total_nframe
Pair = tuple[Row, Row, int]  # as the standard tracer has it, as ours has it, how many blocks

MANAGED_DICT = 1 << 4  # Py_TPFLAGS_MANAGED_DICT
# Types whose blocks CPython keeps on free lists; where re-use cannot be seen their traceback may be older.
FREE_LISTED_TYPES = (
    "float",
    "tuple",
    "list",
    "dict",
    "slice",
    "Context",
    "async_generator_asend",
    "async_generator_athrow",
    "async_generator_wrapped_value",
    "FutureIter",
    "MemoryError",
)
GC_HEAD = 16
# Sizes in bytes of what the standard tracer allocates for itself in the RAW domain.
STD_TRACE, STD_TRACEBACK, STD_FRAME = 16, 12, 12
STD_COPIES_NAMES = sys.version_info >= (3, 15)  # each file name once, as a C string
STATIC_TRACEBACK = ((("<unknown>", 0),), 1)  # the standard tracer has this one without allocating it
FREE_LISTED_SIZES = frozenset(
    [24, GC_HEAD + 40, GC_HEAD + 48, 40, GC_HEAD + 40 + 16, 32, GC_HEAD + 32]
    + [sys.getsizeof(()) + 8 * length for length in range(1, 21)]
)


@dataclass
class Settings:
    """What to compare and what to leave out.

    `own_file` is the oracle's file name, `reading_lines` those lines in it on which the snapshots are made:
    what is made there only one of them has.
    """

    own_file: str
    reading_lines: tuple[int, ...] = ()
    peak: bool = True
    exact_free_lists: bool = True
    objects: int = 20000
    show: int = 5
    std_on_top: bool = False  # the standard tracer started last: its own memory goes through our hooks


@dataclass
class Outcome:
    """All differences found; `agrees` is the verdict, `text` the report."""

    settings: Settings
    summary: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    other_traceback: list[Pair] = field(default_factory=list)
    only_std: list[tuple[Row, int]] = field(default_factory=list)
    only_ours: list[tuple[Row, int]] = field(default_factory=list)
    other_object: list[tuple[str, Frames | None, Frames | None]] = field(default_factory=list)
    allowed: list[Pair] = field(default_factory=list)
    allowed_here: list[tuple[Row, int]] = field(default_factory=list)
    allowed_objects: Counter[str] = field(default_factory=Counter)

    @property
    def agrees(self) -> bool:
        return not (
            self.errors or self.other_traceback or self.only_std or self.only_ours or self.other_object
        )

    def text(self, title: str) -> str:
        show = self.settings.show
        lines = [("agrees   " if self.agrees else "DIFFERS  ") + title]
        lines += ["  " + line for line in self.summary]
        lines += ["  " + line for line in self.errors]
        lines += heading("another traceback", self.other_traceback)
        for std, ours, count in self.other_traceback[:show]:
            lines += pair_text(std, ours, count)
        for name, rows in (
            ("only the standard tracer has", self.only_std),
            ("only ours has", self.only_ours),
        ):
            lines += heading(name, rows)
            for row, count in rows[:show]:
                lines += [f"    {row_text(row)}, {count} blocks"] + frames_text("", row[2])
        if self.other_object:
            lines.append(f"  get_object_traceback differs for {len(self.other_object)} objects")
        for what, std_frames, ours_frames in self.other_object[:show]:
            lines.append(f"    {what}")
            lines += frames_pair_text(std_frames, ours_frames)
        if self.allowed:
            count = sum(pair[2] for pair in self.allowed)
            lines.append(f"  allowed: {count} free-listed blocks with another traceback")
        if self.allowed_here:
            count = sum(count for _, count in self.allowed_here)
            lines.append(f"  allowed: {count} free-listed blocks that one tracer has from the oracle itself")
        lines += [f"  allowed: {count} objects, {why}" for why, count in self.allowed_objects.items()]
        return "\n".join(lines)


def heading(name: str, rows: list[Any]) -> list[str]:
    if not rows:
        return []
    return [f"  {name}: {sum(row[-1] for row in rows)} blocks in {len(rows)} kinds"]


def row_text(row: Row) -> str:
    return f"domain {row[0]}, {row[1]} bytes, total_nframe {row[3]}"


def frames_text(name: str, frames: Frames | None, limit: int = 6) -> list[str]:
    if frames is None:
        return [f"      {name}none"]
    shown = [f"{file}:{line}" for file, line in frames[:limit]]
    more = [f"… {len(frames) - limit} more"] if len(frames) > limit else []
    return [f"      {name}" + " < ".join(shown + more)]


def frames_pair_text(std: Frames | None, ours: Frames | None) -> list[str]:
    lines: list[str] = []
    if std is not None and ours is not None:
        if len(std) != len(ours):
            lines.append(f"      {len(std)} frames against {len(ours)}")
        for index, (left, right) in enumerate(zip(std, ours)):
            if left != right:
                lines.append(
                    f"      frame {index} differs: standard {left[0]}:{left[1]}, ours {right[0]}:{right[1]}"
                )
                break
    return lines + frames_text("standard ", std) + frames_text("ours     ", ours)


def pair_text(std: Row, ours: Row, count: int) -> list[str]:
    total = "" if std[3] == ours[3] else f", total_nframe {std[3]} against {ours[3]}"
    return [f"    domain {std[0]}, {std[1]} bytes, {count} blocks{total}"] + frames_pair_text(std[2], ours[2])


class Interner:
    """One object per traceback by content, hashing each distinct tuple object only once."""

    def __init__(self) -> None:
        self.by_id: dict[int, Frames] = {}
        self.by_content: dict[Frames, Frames] = {}
        self.alive: list[Frames] = []

    def __call__(self, frames: Frames) -> Frames:
        known = self.by_id.get(id(frames))
        if known is None:
            self.alive.append(frames)
            known = self.by_id[id(frames)] = self.by_content.setdefault(frames, frames)
        return known


@dataclass
class Counted:
    """A reading: the multiset of its rows, the oracle's own apart, and the sums of all."""

    rows: Counter[Row] = field(default_factory=Counter)
    own: Counter[Row] = field(default_factory=Counter)
    number: int = 0
    size: int = 0


def count_rows(rows: Iterable[Row], own_file: str, intern: Interner) -> Counted:
    counted = Counted()
    counts: Counter[Any] = Counter()
    canonical: dict[int, Frames] = {}
    for domain, size, frames, total in rows:
        counted.number += 1
        counted.size += size
        known = intern(frames)
        canonical[id(known)] = known
        counts[domain, size, id(known), total] += 1
    for key, number in counts.items():
        frames = canonical[key[2]]
        kind = counted.own if frames[0][0] == own_file else counted.rows
        kind[key[0], key[1], frames, key[3]] = number
    return counted


def by_size(rows: Counter[Row]) -> Counter[tuple[int, int]]:
    counts: Counter[tuple[int, int]] = Counter()
    for row, count in rows.items():
        counts[row[:2]] += count
    return counts


def raw_rows(snapshot: Any) -> Iterable[Row]:
    """The tuples behind a snapshot of ours: `traces._traces`, or the thing itself when it is a list."""
    return snapshot if isinstance(snapshot, list) else snapshot.traces._traces


@dataclass
class Answers:
    """What only tracers that are on can tell: `differing` has (object, standard's frames, ours)."""

    objects: int
    differing: list[tuple[Any, Frames | None, Frames | None]]
    views: Views | None


@dataclass
class Views:
    """`peaks`: what get_traced_memory() gave before and after the snapshot at the peak was taken."""

    peaks: tuple[int, int]
    at_peak: Any
    total: Any


def ask(ours: Any, settings: Settings) -> Answers:
    objects, differing = ask_for_objects(ours, settings) if settings.objects else (0, [])
    return Answers(objects, differing, ask_for_views(ours))


def compare(ours: Any, reading: Any, answers: Answers, settings: Settings) -> Outcome:
    outcome = Outcome(settings)
    compare_counts(outcome, reading)
    intern = compare_blocks(outcome, ours, reading)
    for thing, std_frames, our_frames in answers.differing:
        judge_object(outcome, thing, std_frames, our_frames, intern)
    outcome.summary.append(f"objects compared: {answers.objects:,}")
    if answers.views is not None:
        compare_views(outcome, answers.views)
    return outcome


def compare_counts(outcome: Outcome, reading: Any) -> None:
    """Each reading makes one pair and two integers, traced by both; what each costs, two of them tell."""
    std_0, ours_1, std_1, ours_2, std_2, std_3 = reading.counts
    peaks = [count[1] for count in reading.peaks]
    outcome.summary.append(f"live {std_0:,} B, peak {peaks[1]:,} B")
    if outcome.settings.std_on_top:
        outcome.summary.append(
            "counts: checked against the snapshots only (ours hold the standard tracer's memory)"
        )
        return
    cost_std = std_3 - std_2
    cost_ours = std_1 - std_0 - cost_std
    steps = [ours_1 - std_0, std_1 - ours_1, ours_2 - std_1, std_2 - ours_2]
    if steps != [cost_std, cost_ours, cost_std, cost_ours] or not 0 <= min(steps) <= max(steps) < 200:
        outcome.errors.append(f"get_traced_memory()[0] differs: standard and ours in turn {reading.counts}")
    if outcome.settings.peak and peaks[0] != peaks[1]:
        outcome.errors.append(f"get_traced_memory()[1] differs: standard {peaks[1]:,}, ours {peaks[0]:,}")


def compare_blocks(outcome: Outcome, ours: Any, reading: Any) -> Interner:
    settings = outcome.settings
    intern = Interner()
    adapt = getattr(ours, "oracle_rows", raw_rows)
    our_rows = adapt(reading.ours)
    std = count_rows(reading.std, settings.own_file, intern)
    our = count_rows(our_rows, settings.own_file, intern)
    outcome.summary.append(
        f"blocks compared: standard {sum(std.rows.values()):,} of {std.number:,} ({std.size:,} B), "
        f"ours {sum(our.rows.values()):,} of {our.number:,} ({our.size:,} B), "
        f"{len(intern.by_content):,} tracebacks"
    )
    # After the last count come the rest of the counts and what taking the snapshots itself made.
    for name, size, count in (
        ("standard", std.size, reading.counts[5]),
        ("memtally", our.size, reading.counts[3]),
    ):
        if not 0 <= size - count < 2048:
            outcome.errors.append(
                f"{name}: the snapshot adds up to {size:,} B, get_traced_memory() to {count:,} B"
            )
    # A block may end between two readings: a dead name that is pushed out of a cache, another thread's work.
    after = count_rows(adapt(reading.ours_after), settings.own_file, intern)
    gone = our.rows - after.rows
    if settings.std_on_top:
        traces = count_traces(our_rows) - count_traces(reading.std)
        take_std_memory(outcome, our, std, traces - std.number)
    pair_leftovers(outcome, std.rows - our.rows, our.rows - std.rows - gone)
    if not settings.exact_free_lists:
        allow_own(outcome, our, std)
    return intern


def count_traces(rows: Iterable[Row]) -> int:
    return sum(row[1] == STD_TRACE and row[0] == 0 for row in rows)


def array_size(frames: Frames) -> int:
    return STD_TRACEBACK + STD_FRAME * len(frames)


def take_arrays(our: Counter[Row], std: Counter[Row]) -> set[tuple[Frames, int]]:
    """Take out of `our` the standard tracer's array for each traceback it has, made while that was current.

    Before anything is compared: the array of one frame is as large as a float, which may be there as well.
    """
    arrays = set()
    for frames, total in {row[2:] for row in std}:
        row = (0, array_size(frames), frames, total)
        if our[row]:
            our[row] -= 1
            arrays.add((frames, total))
    return arrays


def take_std_memory(outcome: Outcome, our: Counted, std: Counted, surplus: int) -> None:
    """Take out of `our` what the standard tracer, started last, allocated through our hooks for itself.

    That is, in the RAW domain, one record for each of its blocks and one array for each traceback it ever
    met: exactly one for each traceback of its snapshot. From 3.15 on also a copy of each file name, made
    while a traceback with that name was current. `surplus` is by how many the records differ from its blocks.
    """
    if not -16 <= surplus <= 0:  # after our snapshot it traced the snapshot object and its own list
        outcome.errors.append(f"records of the standard tracer: {surplus:+} against its blocks")
    own_arrays = take_arrays(our.own, std.own)
    for row in our.own - std.own:
        our.own[row] -= row[:2] == (0, array_size(row[2])) and row[2:] not in own_arrays
    arrays = take_arrays(our.rows, std.rows)
    extra = our.rows - std.rows
    copies: Counter[int] = Counter()  # by size
    for row, count in extra.items():
        domain, size, frames, total = row
        known = count
        if domain == 0 and size == STD_TRACE:
            count = 0
        elif domain == 0 and size == array_size(frames) and (frames, total) not in arrays:
            arrays.add((frames, total))
            count -= 1
        if STD_COPIES_NAMES and domain == 0:
            fitting = sum(copy_size(name) == size for name in {name for name, _ in frames})
            copies[size] += min(count, fitting)
            count -= min(count, fitting)
        our.rows[row] -= known - count
    missing = {row[2:] for row in std.rows} - arrays - {STATIC_TRACEBACK}
    if missing:
        outcome.errors.append(
            f"the standard tracer's array of {len(missing)} tracebacks is missing: {missing.pop()}"
        )
    if STD_COPIES_NAMES:
        check_copies(outcome, copies, names_in(std.rows), names_in(extra) | names_in(std.rows))
    outcome.summary.append(f"the standard tracer's own memory, through our hooks: {len(arrays):,} tracebacks")


def copy_size(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass")) + 1


def names_in(rows: Iterable[Row]) -> set[str]:
    return {name for row in rows for name, _ in row[2]}


def check_copies(outcome: Outcome, copies: Counter[int], alive: set[str], known: set[str]) -> None:
    """Of each size as many copies as there are names: at least of those it has, at most of those it had."""
    alive = alive - {outcome.settings.own_file, "<unknown>"}
    least, most = Counter(map(copy_size, alive)), Counter(map(copy_size, known))
    for size in most:
        if size != STD_TRACE and not least[size] <= copies[size] <= most[size]:
            outcome.errors.append(
                f"the standard tracer's copies of file names: {copies[size]} of {size} B, "
                f"not {least[size]} to {most[size]}"
            )


def pair_leftovers(outcome: Outcome, only_std: Counter[Any], only_ours: Counter[Any]) -> None:
    """Pair what is left on both sides by domain and size; what stays alone is missing on the other side."""
    waiting: dict[tuple[int, int], list[list[Any]]] = defaultdict(list)
    for row, count in only_ours.items():
        waiting[row[:2]].append([row, count])
    for row, count in only_std.items():
        partners = waiting[row[:2]]
        partners.sort(key=lambda partner: -likeness(row, partner[0]))
        for partner in partners:
            taken = min(count, partner[1])
            partner[1] -= taken
            count -= taken
            if taken:
                sort_pair(outcome, (row, partner[0], taken))
        waiting[row[:2]] = [partner for partner in partners if partner[1]]
        if count:
            outcome.only_std.append((row, count))
    for partners in waiting.values():
        outcome.only_ours += [(row, count) for row, count in partners]


def sort_pair(outcome: Outcome, pair: Pair) -> None:
    if is_free_listed(pair[0]) and not outcome.settings.exact_free_lists:
        outcome.allowed.append(pair)
    else:
        outcome.other_traceback.append(pair)


def allow_own(outcome: Outcome, our: Counted, std: Counted) -> None:
    """Allow what is the program's on one side and the oracle's own on the other, which saw no re-use.

    Of each size as many blocks as the other side has more of there: what is really missing is in neither.
    """
    read = Counter(
        {row: count for row, count in std.own.items() if row[2][0][1] in outcome.settings.reading_lines}
    )
    more = by_size(std.rows + std.own) - by_size(our.rows + our.own)
    std_own = by_size(std.own) - (by_size(read) & more)  # without what was made after our snapshot
    outcome.only_std = without_moved(outcome, outcome.only_std, by_size(our.own) - std_own)
    outcome.only_ours = without_moved(outcome, outcome.only_ours, std_own - by_size(our.own))


def without_moved(
    outcome: Outcome, rows: list[tuple[Row, int]], elsewhere: Counter[tuple[int, int]]
) -> list[tuple[Row, int]]:
    rest = []
    for row, count in rows:
        moved = min(count, elsewhere[row[:2]]) if is_free_listed(row) else 0
        elsewhere[row[:2]] -= moved
        if moved:
            outcome.allowed_here.append((row, moved))
        if count > moved:
            rest.append((row, count - moved))
    return rest


def is_free_listed(row: Row) -> bool:
    return row[0] == 0 and row[1] in FREE_LISTED_SIZES


def likeness(left: Row, right: Row) -> int:
    return 2 * sum(a == b for a, b in zip(left[2][:50], right[2][:50])) + (left[3] == right[3])


def live_objects() -> Iterable[Any]:
    """Live objects, newest first, some more than once: all the collector knows and what hangs off them."""
    known = gc.get_objects()
    known.reverse()
    return itertools.chain(known, gc.get_referents(*known))


def ask_for_objects(
    ours: Any, settings: Settings
) -> tuple[int, list[tuple[Any, Frames | None, Frames | None]]]:
    """Ask both tracers for every live object until `settings.objects` traced ones were compared."""
    import _tracemalloc

    ask_std = _tracemalloc._get_object_traceback  # type: ignore[attr-defined]
    ask_ours = ours._get_object_traceback
    differing = []
    traced: set[int] = set()
    for thing in live_objects():
        std, our = ask_std(thing), ask_ours(thing)
        if (std is None and our is None) or id(thing) in traced:
            continue
        if our is not None and our[0][0] == settings.own_file:
            continue  # made by the readings: what the standard tracer makes for its list it does not trace
        traced.add(id(thing))
        if std != our:
            differing.append((thing, std, our))
        if len(traced) >= settings.objects:
            break
    return len(traced), differing


def judge_object(outcome: Outcome, thing: Any, std: Any, our: Any, intern: Interner) -> None:
    kind = type(thing)
    unknown = std is None and sys.version_info[:2] == (3, 11) and kind.__flags__ & MANAGED_DICT
    # What the standard tracer does not know must at least be a traceback that both have for some block; what
    # this comparison made since ("<string>" is the __init__ of its dataclasses) has none.
    if unknown and (
        our in intern.by_content or our[0][0] in (__file__, outcome.settings.own_file, "<string>")
    ):
        outcome.allowed_objects["unknown to the standard tracer of 3.11 (instances with a dict)"] += 1
    elif (
        not outcome.settings.exact_free_lists
        and kind.__name__ in FREE_LISTED_TYPES
        and std is not None
        and our is not None
    ):
        outcome.allowed_objects["free-listed, with another traceback"] += 1
    else:
        outcome.other_object.append((describe(thing), std, our))


def describe(thing: Any) -> str:
    """A short name that runs no code of the object's class."""
    kind = type(thing)
    if kind in (int, float, str, bytes, types.FunctionType, types.CodeType):
        return f"{kind.__name__} {str(thing)[:60]!r}"
    return f"{kind.__module__}.{kind.__qualname__} at {id(thing):#x}"


def ask_for_views(ours: Any) -> Views | None:
    if "peak" not in getattr(ours, "oracle_views", ("peak", "total")):
        return None
    before = ours.get_traced_memory()[1]
    at_peak = ours.take_snapshot(view="peak")
    after = ours.get_traced_memory()[1]
    return Views((before, after), at_peak, ours.take_snapshot(view="total"))


def compare_views(outcome: Outcome, views: Views) -> None:
    """The peak view must add up to the peak that get_traced_memory() reports; the total to no less."""
    before, after = views.peaks
    held = sum(row[1] for row in raw_rows(views.at_peak))
    if not before <= held <= after:
        outcome.errors.append(f"the peak view adds up to {held:,} B, the peak is {before:,} B")
    churn = sum(row[1] for row in raw_rows(views.total))
    if churn < held:
        outcome.errors.append(f"the total view adds up to {churn:,} B, less than the peak of {held:,} B")
