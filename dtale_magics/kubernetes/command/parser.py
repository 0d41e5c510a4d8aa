"""The options of ``python -m dtale_magics manifests``."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from dtale_magics.kubernetes.options import DEFAULT_ROUTE, FIRST_PORT, NOTEBOOK_PORT
from dtale_magics.kubernetes.routes import ROUTES

if TYPE_CHECKING:
    from argparse import ArgumentParser

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


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the subcommand's options to argparse."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.formatter_class = RawDescriptionHelpFormatter
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
    what.add_argument(
        "--kustomize",
        metavar="DIRECTORY",
        help="write the objects there as a base for kustomize, instead of printing them",
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
        choices=list(ROUTES),
        default=DEFAULT_ROUTE.name,
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
        "--sign-in",
        metavar="HUB_URL",
        help="with --values: let in none but the owner of a server, by the sign-in of this Hub",
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
    how.add_argument(
        "--controller-cidr",
        action="append",
        default=[],
        metavar="CIDR",
        help="the same for a controller that is no pod: the network that it comes from, such as "
        "the nodes'; may be repeated",
    )
