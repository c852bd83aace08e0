"""What `memtally run` was asked for, as a text that fits into one switch or one environment variable.

`memtally run` writes it, memtally/_startup.py reads it, in the program's own interpreter and in those that
the program starts. The file name comes last, because it may contain anything:

    [follow,]frames=25,every=60.0,keep=10,signal=10,main=4242,flags=quiet+flamegraph,file=/srv/rows.4242.memtally
"""

FOLLOW = "follow,"
"""What the text begins with where every python that the program starts is to be traced; the .pth looks."""

_FLAGS = ("quiet", "flamegraph", "replace", "as_tracemalloc")


class Plan:
    """One run's options. Immutable by convention; equal in all processes of the run."""

    def __init__(
        self,
        *,
        file: str,
        main: int,
        frames: int,
        every: float = 0.0,
        keep: int = 10,
        signal: int = 0,
        quiet: bool = False,
        flamegraph: bool = False,
        replace: bool = False,
        follow: bool = False,
        as_tracemalloc: bool = False,
    ) -> None:
        self.file = file
        """The snapshot at the main process's exit, an absolute path; "": nothing is written at all."""
        self.main = main
        """The process id of the program itself; all others are its children."""
        self.frames = frames
        self.every = every
        """Seconds between two snapshots of the series; 0: none is taken by the clock."""
        self.keep = keep
        """How many snapshots of the series each process leaves."""
        self.signal = signal
        """The number of the signal that asks for a snapshot; 0: none does."""
        self.quiet = quiet
        self.flamegraph = flamegraph
        self.replace = replace
        """Whether files that have the names already are replaced; else another name is found."""
        self.follow = follow
        self.as_tracemalloc = as_tracemalloc
        """Whether `import tracemalloc` gives memtally (memtally/_standin.py)."""

    def text(self) -> str:
        """The options as from_text reads them."""
        flags = "+".join(name for name in _FLAGS if getattr(self, name))
        return (
            f"{FOLLOW if self.follow else ''}frames={self.frames},every={self.every!r},keep={self.keep},"
            f"signal={self.signal},main={self.main},flags={flags},file={self.file}"
        )


def from_text(text: str) -> Plan:
    """The Plan whose text() is TEXT; ValueError where TEXT is none, say of another version of memtally."""
    follow = text.startswith(FOLLOW)
    options, found, file = text[len(FOLLOW) * follow :].partition(",file=")
    values = dict(option.split("=", 1) for option in options.split(","))
    if not found or values.keys() != {"frames", "every", "keep", "signal", "main", "flags"}:
        raise ValueError(text)
    flags = values["flags"].split("+")
    return Plan(
        file=file,
        main=int(values["main"]),
        frames=int(values["frames"]),
        every=float(values["every"]),
        keep=int(values["keep"]),
        signal=int(values["signal"]),
        follow=follow,
        **{name: name in flags for name in _FLAGS},
    )
