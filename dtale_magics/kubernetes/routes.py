"""The three kinds of route: Ingress, Traefik IngressRoute with Middlewares, Gateway API HTTPRoute.

Every backend is named by the Service's port *number*: a name in an Ingress has at most 15
characters, while the Service may carry longer ones, and the mismatch is found only at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtale_magics.kubernetes.server import addresses

if TYPE_CHECKING:
    from dtale_magics.kubernetes.options import Options
    from dtale_magics.kubernetes.server import Address, Server

Manifest = dict[str, Any]

FORWARDED_PREFIX = "X-Forwarded-Prefix"
"""Tells D-Tale's server below which path the browser sees it."""


def ingress(options: Options, server: Server) -> Manifest:
    """Build the Ingress: one rule for each host, one path for each exposed port."""
    by_host = _by_host(options, server)
    spec: Manifest = {}
    if options.ingress_class is not None:
        spec["ingressClassName"] = options.ingress_class
    if options.tls is not None:
        entry: Manifest = {"hosts": list(by_host)}
        if options.tls:
            entry["secretName"] = options.tls
        spec["tls"] = [entry]
    spec["rules"] = [
        {
            "host": host,
            "http": {
                "paths": [
                    {
                        # Some controllers compare text: /dtale/ada would take /dtale/adam too.
                        "path": f"{address.path.rstrip('/')}/",
                        "pathType": "Prefix",
                        "backend": {
                            "service": {"name": server.name, "port": {"number": address.port}}
                        },
                    }
                    for address in group
                ]
            },
        }
        for host, group in by_host.items()
    ]
    return _object("networking.k8s.io/v1", "Ingress", server.name, spec, options)


def middlewares(options: Options, server: Server) -> list[Manifest]:
    """Build the Middlewares that `ingress_route` refers to; without options there are none."""
    found = []
    if options.forward_auth is not None:
        spec: Manifest = {"forwardAuth": {"address": options.forward_auth}}
        found.append(_object("traefik.io/v1alpha1", "Middleware", _auth_name(server), spec))
    if options.strip:
        prefixes = sorted({address.path for address in addresses(options, server)})
        spec = {"stripPrefix": {"prefixes": prefixes}}
        found.append(_object("traefik.io/v1alpha1", "Middleware", _strip_name(server), spec))
    return found


def ingress_route(options: Options, server: Server) -> Manifest:
    """Build Traefik's own route, one entry for each exposed port."""
    # Who may not pass learns nothing, so authentication comes first.
    chain = [{"name": _auth_name(server)}] if options.forward_auth is not None else []
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
    return _object("traefik.io/v1alpha1", "IngressRoute", server.name, spec, options)


def http_routes(options: Options, server: Server) -> list[Manifest]:
    """Build the Gateway API's routes, one for each host: its hosts hold for all rules of a route.

    Raises
    ------
    SettingError
        When the address is too long, see `addresses`.
    """
    gateway = options.gateway
    assert gateway is not None, "Options refuses an HTTPRoute without a Gateway"
    parent: Manifest = {"name": gateway.name}
    if gateway.namespace is not None:
        parent["namespace"] = gateway.namespace
    if gateway.section is not None:
        parent["sectionName"] = gateway.section
    routes = []
    for index, (host, group) in enumerate(_by_host(options, server).items()):
        rules = []
        for address in group:
            rule: Manifest = {"matches": [{"path": {"type": "PathPrefix", "value": address.path}}]}
            if options.strip:
                rule["filters"] = _strip_filters(address)
            rule["backendRefs"] = [{"name": server.name, "port": address.port}]
            rules.append(rule)
        role = "dtale" if index == 0 else f"dtale-{group[0].port}"
        name = server.object_name(role)
        spec: Manifest = {"parentRefs": [dict(parent)], "hostnames": [host], "rules": rules}
        api = "gateway.networking.k8s.io/v1"
        routes.append(_object(api, "HTTPRoute", name, spec, options))
    return routes


def _by_host(options: Options, server: Server) -> dict[str, list[Address]]:
    by_host: dict[str, list[Address]] = {}
    for address in addresses(options, server):
        by_host.setdefault(address.host, []).append(address)
    return by_host


def _strip_filters(address: Address) -> list[Manifest]:
    # A rewrite says nothing about the path that it removed; D-Tale's server has to be told.
    told = {"name": FORWARDED_PREFIX, "value": address.path}
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [told]}},
        {"type": "URLRewrite", "urlRewrite": rewrite},
    ]


def _match(address: Address) -> str:
    host = f"Host(`{address.host}`)"
    if address.path == "/":
        return host
    # PathPrefix alone also takes /dtale/adam for /dtale/ada.
    return f"{host} && (Path(`{address.path}`) || PathPrefix(`{address.path}/`))"


def _auth_name(server: Server) -> str:
    return server.object_name("dtale-auth")


def _strip_name(server: Server) -> str:
    return server.object_name("dtale-strip")


def _object(
    api: str, kind: str, name: str, spec: Manifest, options: Options | None = None
) -> Manifest:
    metadata: Manifest = {"name": name}
    if options is not None and options.annotations:
        metadata["annotations"] = dict(options.annotations)
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
