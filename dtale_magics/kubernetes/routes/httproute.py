"""The Gateway API's route, and the Gateway that it attaches to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes.routes import ingressroute
from dtale_magics.kubernetes.routes.route import (
    Manifest,
    Notes,
    Route,
    build_object,
    by_host,
    refuse,
)
from dtale_magics.naming import is_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.kubernetes.options import Options
    from dtale_magics.kubernetes.server import Address, Server

FORWARDED_PREFIX = "X-Forwarded-Prefix"
"""Header that tells D-Tale's server below which path the browser sees it."""

_GROUP = "gateway.networking.k8s.io"
_API = f"{_GROUP}/v1"
_GATEWAY = re.compile(r"(?:(?P<ns>[^/:]+)/)?(?P<name>[^/:]+)(?::(?P<section>[^/:]+))?")


@dataclass(frozen=True)
class Gateway:
    """The Gateway that an HTTPRoute attaches to."""

    name: str
    namespace: str | None = None
    section: str | None = None

    def __str__(self) -> str:
        namespace = f"{self.namespace}/" if self.namespace else ""
        return f"{namespace}{self.name}" + (f":{self.section}" if self.section else "")

    @classmethod
    def parse(cls, text: str) -> Gateway:
        """Read ``namespace/name:listener``; only the name is required.

        Raises
        ------
        SettingError
            When a part is missing or no valid name.
        """
        match = _GATEWAY.fullmatch(text)
        parts = match.groupdict() if match else {}
        if not parts or any(part and not is_host(part) for part in parts.values()):
            raise SettingError(
                "gateway",
                text,
                f"The gateway {text!r} is not of the form NAMESPACE/NAME:LISTENER.",
                "Type for example: --gateway traefik/public:websecure   or   --gateway public",
            )
        return cls(parts["name"], parts["ns"], parts["section"])


class HTTPRoute(Route):
    """One route for each host, because the hosts of a route hold for all its rules."""

    name = "httproute"
    # A ForwardAuth in front of it is one of Traefik's Middlewares. In a cluster without these, the
    # right to handle them does nothing.
    resources: ClassVar[Mapping[str, tuple[str, ...]]] = {
        _GROUP: ("httproutes",),
        ingressroute.GROUP: ("middlewares",),
    }
    notes: ClassVar[Mapping[str, Notes]] = {
        "HTTPRoute": {
            ("spec", "parentRefs"): "The Gateway must allow routes from this namespace "
            "(allowedRoutes).",
        }
    }

    def check(self, options: Options) -> None:
        """Require a Gateway, and refuse what is decided there."""
        if options.gateway is None:
            raise SettingError(
                "gateway",
                None,
                "An HTTPRoute needs the Gateway that it attaches to.",
                "Type for example: --gateway traefik/public   (kubectl get gateways -A lists them)",
            )
        what = "An HTTPRoute has no class, it has a Gateway."
        refuse(options, "ingress_class", what, "Leave --class out, or use --route ingress.")
        what = "An HTTPRoute has no entry points, it has a listener of its Gateway."
        refuse(options, "entry_points", what, "Type: --gateway NAMESPACE/NAME:LISTENER")
        if options.tls:
            what = f"The Secret {options.tls} would be ignored: the Gateway has the certificate."
            hint = "Name the Secret in the Gateway's listener, and say here: --scheme https"
            raise SettingError("tls", options.tls, what, hint)

    def build(self, options: Options, server: Server) -> list[Manifest]:
        """Build the HTTPRoutes, behind the Middleware that asks for a sign-in."""
        assert options.gateway is not None, "check refuses an HTTPRoute without a Gateway"
        parent: Manifest = {"name": options.gateway.name}
        if options.gateway.namespace is not None:
            parent["namespace"] = options.gateway.namespace
        if options.gateway.section is not None:
            parent["sectionName"] = options.gateway.section
        built = ingressroute.forward_auth(options, server)
        for index, (host, group) in enumerate(by_host(options, server).items()):
            rules = []
            for address in group:
                path = {"type": "PathPrefix", "value": address.path}
                rule: Manifest = {"matches": [{"path": path}]}
                filters = [*_auth_filters(options, server), *_strip_filters(options, address)]
                if filters:
                    rule["filters"] = filters
                rule["backendRefs"] = [{"name": server.name, "port": address.port}]
                rules.append(rule)
            role = "dtale" if index == 0 else f"dtale-{group[0].port}"
            name = server.object_name(role)
            spec: Manifest = {"parentRefs": [dict(parent)], "hostnames": [host], "rules": rules}
            built.append(build_object(_API, "HTTPRoute", name, spec, options))
        return built


def _auth_filters(options: Options, server: Server) -> list[Manifest]:
    if options.forward_auth is None:
        return []
    middleware = {"group": ingressroute.GROUP, "kind": "Middleware"}
    middleware["name"] = ingressroute.auth_name(server)
    return [{"type": "ExtensionRef", "extensionRef": middleware}]


def _strip_filters(options: Options, address: Address) -> list[Manifest]:
    if not options.strip:
        return []
    # A rewrite does not report the path that it removed, so D-Tale's server has to be told.
    told = {"name": FORWARDED_PREFIX, "value": address.path}
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [told]}},
        {"type": "URLRewrite", "urlRewrite": rewrite},
    ]
