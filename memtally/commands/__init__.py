"""The commands of `memtally`, one module each: add a module with the names below, and its name to COMMANDS.

- HELP: one line for the list of commands
- DESCRIPTION, EPILOG: what `memtally COMMAND --help` says above and below its options; EPILOG has an example
- add_arguments: adds the command's own arguments to its Parser
- execute: carries the command out and returns the exit status
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

COMMANDS = ("run", "top", "tree", "diff", "leaks", "flamegraph", "info", "convert")

USAGE_ERROR = 2
"""Exit status for a command line that cannot be carried out, as argparse and python have it."""

DESCRIPTION = "Where does a Python program's memory go? memtally traces every allocation."
EPILOG = """\
example:
  memtally run script.py          instead of: python script.py

The same tracer in your own program:
  import memtally as tracemalloc

`memtally COMMAND --help` has an example for every command.
"""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, and whose help keeps the line breaks of its texts."""

    program_at: Callable[[Sequence[str]], int] | None = None
    """Where in the arguments another program's command line begins; it becomes `options.program`, unread."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        own = list(sys.argv[1:] if args is None else args)
        program: list[str] = []
        if self.program_at:
            at = self.program_at(own)
            own, program = own[:at], own[at:]
        options, unknown = super().parse_known_args(own, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        if self.program_at:
            options.program = program
        return options, unknown

    def error(self, message: str) -> NoReturn:
        fail(f"{message} (try: {self.prog} --help)", USAGE_ERROR)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help goes where a command's output goes, so that a closed pipe is no error here either."""
        from memtally.commands.output import show

        show(message)


def fail(message: str, status: int) -> NoReturn:
    """Say one line on stderr and leave with STATUS."""
    if sys.stderr:
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message)  # as names of files are
        print(f"memtally: {line}", file=sys.stderr)
    sys.exit(status)


def build_parser() -> Parser:
    """The parser of the whole command line; `options.execute` is the chosen command's function, or None."""
    parser = Parser(prog="memtally", description=DESCRIPTION, epilog=EPILOG)
    parser.set_defaults(execute=None)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        command = importlib.import_module(f"{__name__}.{name}")
        subparser = subparsers.add_parser(
            name, help=command.HELP, description=command.DESCRIPTION, epilog=command.EPILOG
        )
        command.add_arguments(subparser)
        subparser.set_defaults(execute=command.execute)
    return parser
