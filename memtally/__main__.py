"""`python -m memtally` and the console script `memtally`: hand the arguments to one of the commands."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command line (sys.argv's, if ARGV is None) and return the exit status."""
    try:
        from memtally.commands import build_parser

        parser = build_parser()
        options = parser.parse_args(sys.argv[1:] if argv is None else argv)
        if options.execute is None:
            parser.print_help()
            return 0
        return int(options.execute(options))
    except KeyboardInterrupt:
        from memtally.commands import output

        return output.interrupted()
    except BrokenPipeError:  # `| head` has seen enough
        from memtally.commands import output

        output.forget()
        return 0


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder we were called in: an argparse.py there is the program's, not ours
    sys.exit(main())
