"""Traefik's own route, and the Middlewares that it and an HTTPRoute refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dtale_magics.kubernetes.routes.route import Manifest, Notes, Route, build_object, refuse
from dtale_magics.kubernetes.server import Address, addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.kubernetes.options import Options
    from dtale_magics.kubernetes.server import Server

API = "traefik.io/v1alpha1"
GROUP = "traefik.io"


class IngressRoute(Route):
    """Traefik's own route, one entry for each exposed port."""

    name = "ingressroute"
    resources: ClassVar[Mapping[str, tuple[str, ...]]] = {GROUP: ("ingressroutes", "middlewares")}
    notes: ClassVar[Mapping[str, Notes]] = {
        "IngressRoute": {
            ("spec", "entryPoints"): "Names of Traefik's own entry points; web and websecure are "
            "its chart's.",
        }
    }

    def check(self, options: Options) -> None:
        """Refuse what belongs to an Ingress or a Gateway."""
        what = "An IngressRoute attaches to no Gateway."
        refuse(options, "gateway", what, "Add: --route httproute")
        what = "An IngressRoute has no class, it is Traefik's."
        refuse(options, "ingress_class", what, "Leave --class out, or use --route ingress.")

    def build(self, options: Options, server: Server) -> list[Manifest]:
        """Build the IngressRoute, behind its Middlewares."""
        # Authentication comes first: somebody who may not pass must learn nothing.
        chain = [{"name": auth_name(server)}] if options.forward_auth is not None else []
        chain += [{"name": _strip_name(server)}] if options.strip else []
        routes = []
        for address in addresses(options, server):
            route: Manifest = {"kind": "Rule", "match": _match(address)}
            if chain:
                route["middlewares"] = [dict(entry) for entry in chain]
            route["services"] = [{"name": server.name, "port": address.port}]
            routes.append(route)
        default = "web" if options.tls is None else "websecure"
        spec: Manifest = {"entryPoints": list(options.entry_points) or [default]}
        spec["routes"] = routes
        if options.tls is not None:
            spec["tls"] = {"secretName": options.tls} if options.tls else {}
        middlewares = [*forward_auth(options, server), *_strip(options, server)]
        return [*middlewares, build_object(API, "IngressRoute", server.name, spec, options)]


def forward_auth(options: Options, server: Server) -> list[Manifest]:
    """Build the Middleware that asks whether a request may pass, if that option is given."""
    if options.forward_auth is None:
        return []
    spec: Manifest = {"forwardAuth": {"address": options.forward_auth}}
    return [build_object(API, "Middleware", auth_name(server), spec)]


def auth_name(server: Server) -> str:
    """Name the Middleware that `forward_auth` builds."""
    return server.object_name("dtale-auth")


def _strip(options: Options, server: Server) -> list[Manifest]:
    if not options.strip:
        return []
    prefixes = sorted({address.path for address in addresses(options, server)})
    spec = {"stripPrefix": {"prefixes": prefixes}}
    return [build_object(API, "Middleware", _strip_name(server), spec)]


def _strip_name(server: Server) -> str:
    return server.object_name("dtale-strip")


def _match(address: Address) -> str:
    host = f"Host(`{address.host}`)"
    if address.path == "/":
        return host
    # PathPrefix alone also takes /dtale/adam for /dtale/ada.
    return f"{host} && (Path(`{address.path}`) || PathPrefix(`{address.path}/`))"
