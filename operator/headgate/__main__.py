"""The one entry point, `headgate`. Knows only that there is a command line."""

import sys

from headgate.cli import main as run_cli


def main() -> None:
    """Run the command line and exit with its verdict."""
    sys.exit(run_cli(sys.argv[1:]))


if __name__ == "__main__":
    main()
