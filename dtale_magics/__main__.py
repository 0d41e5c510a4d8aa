"""The command line: ``python -m dtale_magics``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, NoReturn

from dtale_magics.errors import DtaleMagicsError, UsageError
from dtale_magics.version import VERSION

JSON_VERSION = 1
"""Version of what ``--json`` prints; it grows when a field is removed or changes its meaning."""


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return the exit code."""
    try:
        given = parser().parse_args(arguments)
        code: int = given.run(given)
    except DtaleMagicsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        # Installed without its dependencies: the manifests need none of them.
        print(f"This command needs {error.name}, which is not installed here.", file=sys.stderr)
        print("Run it where notebooks run: dtale_magics has all it needs there.", file=sys.stderr)
        return 2
    return code


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    from dtale_magics.kubernetes.command import cli
    from dtale_magics.kubernetes.command.parser import HELP, add_arguments

    whole = _Parser(
        prog="python -m dtale_magics",
        description="What runs in this pod, where it is seen, and how a cluster shows it.",
    )
    whole.add_argument("--version", action="version", version=f"dtale_magics {VERSION}")
    commands = whole.add_subparsers(required=True)
    listing = commands.add_parser("list", help="list every D-Tale of this user in this pod")
    listing.add_argument("--json", action="store_true", help="for programs; it contains the links")
    listing.set_defaults(run=_list)
    checking = commands.add_parser(
        "check",
        help="find out by which URL each D-Tale is seen",
        epilog="Exit code: 0 each is reached, by the browser or, where none has told, by its "
        "kernel from outside; 1 one is not, or nothing runs; 2 a wrong setting.",
    )
    checking.add_argument(
        "--json", action="store_true", help="for programs and for issues: no links, no names"
    )
    checking.set_defaults(run=_check)
    paging = commands.add_parser(
        "page", help="print the link of the pod's page, which shows every notebook and frame"
    )
    paging.add_argument("--new-link", action="store_true", help="replace it; the old one is dead")
    paging.set_defaults(run=_page)
    rendering = commands.add_parser("manifests", help=HELP)
    add_arguments(rendering)
    rendering.set_defaults(run=cli.run)
    return whole


class _Parser(argparse.ArgumentParser):
    """A parser whose errors say what was wrong, instead of how everything is used."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"Type: {self.prog} --help")


def _list(given: argparse.Namespace) -> int:
    from dtale_magics import session
    from dtale_magics.frontend.display import list_text

    kernels = session.current().kernels()
    print(_json(kernels=kernels) if given.json else list_text(kernels))
    return 0


def _page(given: argparse.Namespace) -> int:
    from dtale_magics import session
    from dtale_magics.page.capability import Capability
    from dtale_magics.reach import public_urls

    current, capability = session.current(), Capability()
    link = capability.replaced() if given.new_link else capability.made()
    ports = [port for kernel in current.kernels() for port in kernel["ports"]]
    now = current.settings()
    if not ports:
        print("No notebook runs D-Tale here now; the page answers as soon as one does.")
    best = public_urls.candidates(now, dict.fromkeys(ports or [now.ingress_port]))[0]
    print(f"{best.base}/{link}/")
    return 0


def _check(given: argparse.Namespace) -> int:
    from dtale_magics import session
    from dtale_magics.frontend import report
    from dtale_magics.frontend.display import check_text
    from dtale_magics.pod import peers

    mistake = session.current().settings().mistake  # a check is there to find wrong settings
    if mistake is not None:
        raise mistake
    # No kernel runs in this process. Each kernel checks for itself, and knows what its pages found.
    checks = peers.checks()
    without = None if checks else session.current().check().as_dict()
    reached = bool(checks) and all(map(_is_reached, checks))
    if given.json:
        # This is pasted into issues, so it contains no names and no addresses.
        kernels = [{"pid": one["pid"], **report.outline(one)} for one in checks]
        alone = None if without is None else report.outline(without)
        facts = report.environment(session.current().settings())
        print(_json(reachable=reached, kernels=kernels, without_kernel=alone, **facts))
    else:
        print(check_text(checks or [{"label": "no notebook", **(without or {})}]))
    return 0 if reached else 1


def _is_reached(check: dict[str, Any]) -> bool:
    """Whether a page gets there or, if no page has told, the kernel does from outside."""
    ways = (row for row in check["rows"] if row["source"] not in {"pod", "loopback"})
    kernel = any(row["kernel"] is not None and row["kernel"]["cause"] == "ours" for row in ways)
    return bool(check["reachable"] or (check["reachable"] is None and kernel))


def _json(**told: Any) -> str:
    return json.dumps({"version": JSON_VERSION, **told, "dtale_magics": VERSION}, indent=2)


if __name__ == "__main__":
    sys.exit(main())
