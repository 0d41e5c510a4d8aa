"""The command line: ``python -m dtale_magics``."""

from __future__ import annotations

import argparse
import sys

from dtale_magics.errors import DtaleMagicsError
from dtale_magics.kubernetes import cli


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dtale_magics", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    manifests = commands.add_parser("manifests", help=cli.HELP)
    cli.add_arguments(manifests)
    args = parser.parse_args(arguments)
    try:
        return cli.run(args)
    except DtaleMagicsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
