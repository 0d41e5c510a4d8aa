"""``python -m dtale_magics manifests``: what the cluster needs, as YAML on standard output."""

from __future__ import annotations

import argparse
import io
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from dtale_magics.errors import DtaleMagicsError, UsageError
from dtale_magics.kubernetes.checks import check_namespace
from dtale_magics.kubernetes.command.output import to_yaml, write_kustomization
from dtale_magics.kubernetes.command.parser import add_arguments
from dtale_magics.kubernetes.manifests import hub_role, pod_sysctls, render
from dtale_magics.kubernetes.options import (
    FIRST_PORT,
    LAST_PORT,
    Options,
    require_hosts_of_their_own,
)
from dtale_magics.kubernetes.policy import Controller, network_policy
from dtale_magics.kubernetes.routes import route_called
from dtale_magics.kubernetes.server import Server, url_template
from dtale_magics.kubernetes.values import VALUES_NOTES, values

Documents = list[dict[str, Any]]


def run(args: argparse.Namespace) -> int:
    """Print or write what was asked for.

    Raises
    ------
    UsageError
        When an option is missing or cannot be read.
    SettingError
        When an option's value cannot be used.
    DtaleMagicsError
        When the result cannot be written.
    """
    for namespace in (args.namespace, args.controller_namespace):
        if namespace is not None:
            check_namespace(namespace)
    if args.values or args.sysctl:
        return _print(_values(args) if args.values else to_yaml(_sysctl(args)))
    documents, heading = _rights(args) if args.rbac else _one_server(args)
    try:
        if args.kustomize is None:
            return _print(to_yaml(documents, heading=heading))
        for path in write_kustomization(Path(args.kustomize), documents, heading):
            _print(f"{path}\n")
    except OSError as error:
        what = f"{args.kustomize} cannot be written: {error.strerror}."
        raise UsageError(what, "Name a directory that is yours: --kustomize ./dtale") from None
    return 0


def _print(text: str) -> int:
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8")  # YAML's, whatever the terminal's own is
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would be written at exit, and fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise DtaleMagicsError(f"The output could not be written: {error.strerror}.") from None
    return 0


def _values(args: argparse.Namespace) -> str:
    _require_effect(args, *_SERVER, "service_account", "kustomize", what="--values")
    reserve = not args.no_reserved_ports
    chart = values(_options(args), _controller(args), reserve_ports=reserve)
    return to_yaml([chart], VALUES_NOTES)


def _rights(args: argparse.Namespace) -> tuple[Documents, str]:
    known = {"namespace", "route", "service_account", "kustomize", "rbac"}
    _require_effect(args, *set(vars(args)) - known, what="--rbac")
    if args.namespace is None:
        what = "--namespace is missing: where the hub and its account are."
        raise UsageError(what, "Add for example: --rbac --namespace jhub")
    return hub_role(route_called(args.route), args.namespace, args.service_account), ""


def _sysctl(args: argparse.Namespace) -> Documents:
    _require_effect(args, *set(vars(args)) - {"ports", "sysctl"}, what="--sysctl")
    ports = _ports(args.ports)
    return [{"spec": pod_sysctls(min(FIRST_PORT, *ports), max(LAST_PORT, *ports))}]


def _one_server(args: argparse.Namespace) -> tuple[Documents, str]:
    """Build one server's objects, and what to say above them."""
    if args.sign_in is not None:
        what = "The Hub's sign-in needs its service in the hub, which one server's objects do not."
        raise UsageError(what, "Add --values, for every user; or: --forward-auth URL")
    _require_effect(args, "no_reserved_ports", "service_account", what="one server's manifests")
    options = _options(args)
    require_hosts_of_their_own(options)
    if not args.user:
        what = "--user is missing: whose D-Tale it is."
        raise UsageError(what, "Add for example: --user ada   or, for every user: --values")
    for name in (args.user, args.server):
        if not name.isprintable():
            what = f"{name!r} is no name that a hub knows: it has characters that show nothing."
            raise UsageError(what, "Type it as JUPYTERHUB_USER has it in that user's notebook.")
    selector = _pairs(args.pod_label, "--pod-label")
    server = Server(args.user, args.server, args.namespace, selector=selector)
    documents = render(options, server)
    controller = _controller(args)
    if controller is not None:
        documents.append(network_policy(controller, options.ports, args.namespace))
    url = url_template(options, server)
    heading = "No hook tells that notebook its address. Type there:\n"
    heading += f"%config DtaleMagics.ingress_url = '{url}'"
    if args.user != args.user.lower():
        heading += f"\nJupyterHub keeps names in lower case: is it --user {args.user.lower()}?"
    return documents, heading


def _controller(args: argparse.Namespace) -> Controller | None:
    if args.controller_namespace is None and not args.controller_cidr:
        return None
    return Controller(args.controller_namespace, tuple(args.controller_cidr))


def _options(args: argparse.Namespace) -> Options:
    if args.host is None:
        what = "--host is missing: the name under which the browser finds D-Tale."
        raise UsageError(what, "Add for example: --host ada.dtale.example.org")
    given = {one.name: getattr(args, one.name) for one in fields(Options) if one.name in args}
    return Options.of(
        **given
        | {
            "ports": _ports(args.ports),
            "notebook_port": args.notebook_port or None,
            "annotations": _pairs(args.annotation, "--annotation"),
            "entry_points": args.entry_point,
        }
    )


_SERVER = ("user", "server", "namespace", "pod_label")
"""Options that say whose server it is."""


def _require_effect(args: argparse.Namespace, *names: str, what: str) -> None:
    """Refuse options that would change nothing: the user expects something from them."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    for action in parser._actions:  # noqa: SLF001 (argparse has no public list of its options)
        if action.dest in names and getattr(args, action.dest) != action.default:
            option = action.option_strings[0]
            hint = f"Leave {option} out, or ask for the two things one after the other."
            raise UsageError(f"{option} changes nothing in what {what} prints.", hint)


def _ports(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not _is_port(first) or (dash and not _is_port(last)):
            what = f"--ports {text}: {part!r} is neither a port nor a range of ports."
            raise UsageError(what, "Type for example: --ports 40000-40002   or   --ports 40000")
        if dash and int(last) < int(first):
            what = f"--ports {text}: the range {part} ends before it begins."
            raise UsageError(what, f"Type: --ports {last}-{first}")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len("65535")


def _pairs(entries: list[str], option: str) -> dict[str, Any]:
    pairs = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not key or not equals:
            what = f"{option} {entry}: a key, an equals sign and a value are needed."
            raise UsageError(what, f"Type for example: {option} app=jupyterhub")
        pairs[key] = value
    return pairs
