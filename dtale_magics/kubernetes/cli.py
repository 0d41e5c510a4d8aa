"""``python -m dtale_magics manifests``: what the cluster needs, as YAML on standard output."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from typing import Any

from dtale_magics.errors import UsageError
from dtale_magics.kubernetes.manifests import hub_role, network_policy, pod_sysctls, render
from dtale_magics.kubernetes.options import (
    FIRST_PORT,
    LAST_PORT,
    NOTEBOOK_PORT,
    Options,
    RouteKind,
    check_namespace,
    require_hosts_of_their_own,
)
from dtale_magics.kubernetes.output import to_yaml
from dtale_magics.kubernetes.server import Server
from dtale_magics.kubernetes.values import VALUES_NOTES, values

HELP = "print the Kubernetes objects that make D-Tale visible"

DESCRIPTION = """\
Print the Kubernetes objects that lead from a host name to one user's D-Tale, as YAML.
With --host and --user alone: a Service and an Ingress. Nothing is sent to the cluster.

What a browser's request passes, and the option for each piece:
  1  DNS and the ingress controller              (yours)
  2  a route: host and path to a Service         --route, --class, --tls, --path
  3  the Service: port 40000 to the pod's 40000  --ports, --pod-label
  4  the pod's NetworkPolicy                     --controller-namespace
  5  D-Tale in the kernel                        %dtale in a notebook
"""

EPILOG = """\
examples:
  one user, to try it:
    python -m dtale_magics manifests --host ada.dtale.example.org --user ada \\
      --namespace jhub --class traefik | kubectl apply -f -
  every user, by a hook in the hub (then: helm upgrade … -f dtale-values.yaml):
    python -m dtale_magics manifests --values --host '{user}.dtale.example.org' \\
      --class traefik --controller-namespace traefik > dtale-values.yaml
    python -m dtale_magics manifests --rbac --namespace jhub | kubectl apply -f -
  with Traefik's own route and a sign-in:
    python -m dtale_magics manifests --host ada.dtale.example.org --user ada \\
      --route ingressroute --forward-auth http://auth.auth.svc/verify --tls

Give each user a host. Users below one host are one site to a browser: a page of one of them can
read and change what the others see. The best domain is one that carries nothing else.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the subcommand's options to argparse."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_argument_group("what to print (default: Service and route of one server)")
    only = what.add_mutually_exclusive_group()
    only.add_argument(
        "--values",
        action="store_true",
        help="values for the zero-to-jupyterhub chart, with the hook that serves every user",
    )
    only.add_argument("--rbac", action="store_true", help="the rights that the hub's hook needs")
    only.add_argument(
        "--sysctl",
        action="store_true",
        help="a pod patch that keeps outgoing connections off D-Tale's ports",
    )
    whose = parser.add_argument_group("whose server")
    whose.add_argument("--user", metavar="NAME", help="the user, as the hub knows them")
    whose.add_argument("--server", default="", metavar="NAME", help="a named server of that user")
    whose.add_argument("--namespace", metavar="NAME", help="namespace of the hub and its pods")
    whose.add_argument(
        "--pod-label",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="label to find the pod by, may be repeated; default: those of KubeSpawner 7",
    )
    where = parser.add_argument_group("where it is seen")
    where.add_argument(
        "--host",
        metavar="HOST",
        help="host name; may hold {user} {server} {pod} {namespace} {port}",
    )
    where.add_argument(
        "--path", default="/", metavar="PATH", help="path prefix, same fields; default: /"
    )
    where.add_argument(
        "--shared-host",
        action="store_true",
        help="let users differ in --path alone, though pages of one can then act as all of them",
    )
    where.add_argument(
        "--scheme",
        choices=["http", "https"],
        help="what browsers use, where TLS ends before the controller or at a Gateway",
    )
    where.add_argument(
        "--public-port", type=int, metavar="PORT", help="port that browsers use, such as 8443"
    )
    where.add_argument(
        "--tls",
        nargs="?",
        const="",
        metavar="SECRET",
        help="serve https, with this Secret or the controller's own certificate",
    )
    where.add_argument(
        "--ports",
        default=str(FIRST_PORT),
        metavar="PORTS",
        help="exposed ports, 40000 or 40000-40002 or 40000,40005; default: 40000. "
        "More than one need {port} in host or path",
    )
    how = parser.add_argument_group("how it gets there")
    how.add_argument(
        "--route",
        choices=[kind.value for kind in RouteKind],
        default=RouteKind.INGRESS.value,
        help="kind of route; default: ingress",
    )
    how.add_argument("--class", dest="ingress_class", metavar="NAME", help="class of the Ingress")
    how.add_argument(
        "--gateway", metavar="NAMESPACE/NAME:LISTENER", help="what an HTTPRoute attaches to"
    )
    how.add_argument(
        "--strip", action="store_true", help="remove --path before the pod sees the request"
    )
    how.add_argument(
        "--forward-auth", metavar="URL", help="URL that Traefik asks whether a request may pass"
    )
    how.add_argument(
        "--annotation",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="annotation of the route, may be repeated",
    )
    how.add_argument(
        "--entry-point",
        action="append",
        default=[],
        metavar="NAME",
        help="Traefik's entry point of an IngressRoute, may be repeated; "
        "default: web, or websecure with --tls",
    )
    how.add_argument(
        "--no-reserved-ports",
        action="store_true",
        help="with --values: leave out the sysctl, which some clusters forbid",
    )
    how.add_argument(
        "--service-account",
        default="hub",
        metavar="NAME",
        help="with --rbac: the hub's account; default: hub",
    )
    how.add_argument("--headless", action="store_true", help="Service without a cluster address")
    how.add_argument(
        "--notebook-port",
        type=int,
        default=NOTEBOOK_PORT,
        metavar="PORT",
        help="the notebook server's port, offered as 80; default: 8888, 0 leaves it out",
    )
    how.add_argument(
        "--controller-namespace",
        metavar="NAME",
        help="also a NetworkPolicy that admits the ingress controller from its namespace",
    )


def run(args: argparse.Namespace) -> int:
    """Print what was asked for.

    Raises
    ------
    UsageError
        When an option is missing or cannot be read.
    SettingError
        When an option's value cannot be used.
    """
    sys.stdout.write(text(args))
    return 0


def text(args: argparse.Namespace) -> str:
    """Build the YAML that `run` prints."""
    for namespace in (args.namespace, args.controller_namespace):
        if namespace is not None:
            check_namespace(namespace)
    if args.rbac or args.sysctl:
        return to_yaml(_rights(args) if args.rbac else _sysctl(args))
    if args.host is None:
        what = "--host is missing: the name under which the browser finds D-Tale."
        raise UsageError(what, "Add for example: --host ada.dtale.example.org")
    options = _options(args)
    if args.values:
        without = {"user", "server", "namespace", "pod_label", "service_account"}
        _require_effect(args, "--values", set(vars(args)) - without)
        reserve = not args.no_reserved_ports
        chart = values(options, args.controller_namespace, reserve_ports=reserve)
        return to_yaml([chart], VALUES_NOTES)
    without = {"no_reserved_ports", "service_account"}
    _require_effect(args, "one server's manifests", set(vars(args)) - without)
    require_hosts_of_their_own(options)
    _check_server(args, options)
    selector = _pairs(args.pod_label, "--pod-label")
    server = Server(args.user, args.server, args.namespace, selector=selector)
    documents = render(options, server)
    if args.controller_namespace is not None:
        policy = network_policy(args.controller_namespace, options.ports, args.namespace)
        documents.append(policy)
    return to_yaml(documents)


def _rights(args: argparse.Namespace) -> list[dict[str, Any]]:
    _require_effect(args, "--rbac", {"namespace", "route", "service_account"})
    if args.namespace is None:
        what = "--namespace is missing: where the hub and its account are."
        raise UsageError(what, "Add for example: --rbac --namespace jhub")
    return hub_role(RouteKind(args.route), args.namespace, args.service_account)


def _sysctl(args: argparse.Namespace) -> list[dict[str, Any]]:
    _require_effect(args, "--sysctl", {"ports"})
    ports = _ports(args.ports)
    return [{"spec": pod_sysctls(min(FIRST_PORT, *ports), max(LAST_PORT, *ports))}]


def _check_server(args: argparse.Namespace, options: Options) -> None:
    if not args.user:
        what = "--user is missing: whose D-Tale it is."
        raise UsageError(what, "Add for example: --user ada   or, for every user: --values")
    if options.tls and options.route is RouteKind.HTTPROUTE:
        what = f"The Secret {options.tls} would be ignored: an HTTPRoute's certificate is its "
        hint = "Name the Secret in the Gateway's listener, and say here: --scheme https"
        raise UsageError(f"{what}Gateway's.", hint)
    for name in (args.user, args.server):
        if not name.isprintable():
            what = f"{name!r} is no name that a hub knows: it has characters that show nothing."
            raise UsageError(what, "Type it as JUPYTERHUB_USER has it in that user's notebook.")


def _options(args: argparse.Namespace) -> Options:
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


def _require_effect(args: argparse.Namespace, what: str, known: set[str]) -> None:
    """Refuse options that would change nothing: whoever typed them expects something of them."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    modes = {"values", "rbac", "sysctl"}
    for action in parser._actions:  # noqa: SLF001 (argparse has no public list of its options)
        name = action.dest
        if name in known | modes or not hasattr(args, name):
            continue
        if getattr(args, name) != action.default:
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
