"""``python -m dtale_magics manifests``: what the cluster needs, as YAML on standard output."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dtale_magics.errors import UsageError
from dtale_magics.kubernetes.manifests import hub_role, network_policy, pod_sysctls, render
from dtale_magics.kubernetes.options import (
    FIRST_PORT,
    LAST_PORT,
    NOTEBOOK_PORT,
    Gateway,
    Options,
    RouteKind,
    check_namespace,
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
  below a path, with Traefik's own route and a sign-in:
    python -m dtale_magics manifests --host apps.example.org --path '/dtale/{user}' --user ada \\
      --route ingressroute --strip --forward-auth http://auth.auth.svc/verify --tls
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
    if args.rbac:
        if args.namespace is None:
            what = "--namespace is missing: where the hub and its account are."
            raise UsageError(what, "Add for example: --rbac --namespace jhub")
        return to_yaml(hub_role(RouteKind(args.route), args.namespace))
    if args.sysctl:
        ports = _ports(args.ports)
        patch = {"spec": pod_sysctls(min(FIRST_PORT, *ports), max(LAST_PORT, *ports))}
        return to_yaml([patch])
    if args.host is None:
        what = "--host is missing: the name under which the browser finds D-Tale."
        raise UsageError(what, "Add for example: --host ada.dtale.example.org")
    options = _options(args)
    if args.values:
        return to_yaml([values(options, args.controller_namespace)], VALUES_NOTES)
    if not args.user:
        what = "--user is missing: whose D-Tale it is."
        raise UsageError(what, "Add for example: --user ada   or, for every user: --values")
    selector = _pairs(args.pod_label, "--pod-label")
    server = Server(args.user, args.server, args.namespace, selector=selector)
    documents = render(options, server)
    if args.controller_namespace is not None:
        policy = network_policy(args.controller_namespace, options.ports, args.namespace)
        documents.append(policy)
    return to_yaml(documents)


def _options(args: argparse.Namespace) -> Options:
    return Options(
        host=args.host,
        path=args.path,
        ports=_ports(args.ports),
        notebook_port=args.notebook_port or None,
        route=RouteKind(args.route),
        ingress_class=args.ingress_class,
        tls=args.tls,
        strip=args.strip,
        forward_auth=args.forward_auth,
        gateway=None if args.gateway is None else Gateway.parse(args.gateway),
        headless=args.headless,
        annotations=_pairs(args.annotation, "--annotation"),
    )


def _ports(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not _is_port(first) or (dash and not _is_port(last)):
            what = f"--ports {text}: {part!r} is neither a port nor a range of ports."
            raise UsageError(what, "Type for example: --ports 40000-40002   or   --ports 40000")
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
