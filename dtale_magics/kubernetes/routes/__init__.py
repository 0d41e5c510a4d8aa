"""The kinds of route, one object each."""

from __future__ import annotations

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes.routes.httproute import Gateway, HTTPRoute
from dtale_magics.kubernetes.routes.ingress import Ingress
from dtale_magics.kubernetes.routes.ingressroute import IngressRoute
from dtale_magics.kubernetes.routes.route import Route

__all__ = ["ROUTES", "Gateway", "Route", "route_called"]

ROUTES: dict[str, Route] = {one.name: one for one in (Ingress(), IngressRoute(), HTTPRoute())}
"""Every kind by what an admin types for it; the first is the default."""


def route_called(name: str) -> Route:
    """Find a kind of route.

    Raises
    ------
    SettingError
        When there is none of that name.
    """
    if name not in ROUTES:
        hint = f"Known kinds: {', '.join(ROUTES)}."
        raise SettingError("route", name, f"{name!r} is no kind of route.", hint)
    return ROUTES[name]
