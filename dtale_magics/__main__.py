"""Command line: ``python -m dtale_magics list``."""

from __future__ import annotations

import argparse
import json
import sys

from dtale_magics.errors import DtaleMagicsError


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dtale_magics", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="every D-Tale of this user in this pod")
    listing.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args(argv)
    try:
        return _list(as_json=arguments.json)
    except DtaleMagicsError as error:
        print(error, file=sys.stderr)
        return 2


def _list(*, as_json: bool) -> int:
    from dtale_magics import session  # noqa: PLC0415 (--help shall be quick)
    from dtale_magics.display import list_text  # noqa: PLC0415

    kernels = session.current().kernels()
    print(json.dumps(kernels, indent=2) if as_json else list_text(kernels))
    return 0


if __name__ == "__main__":
    sys.exit(main())
