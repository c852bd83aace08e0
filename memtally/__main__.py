"""`python -m memtally` and the console script `memtally`: hand the arguments to one of the commands."""

import sys
from collections.abc import Sequence

from memtally.commands import build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command line (sys.argv's, if ARGV is None) and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(sys.argv[1:] if argv is None else argv)
    if options.execute is None:
        parser.print_help()
        return 0
    return int(options.execute(options))


if __name__ == "__main__":
    sys.exit(main())
