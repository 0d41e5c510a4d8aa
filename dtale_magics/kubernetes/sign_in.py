"""How the Hub runs the sign-in in front of D-Tale's ingress, see `sign_in_service`.

This module has no dependencies, because an admin's own machine renders this.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from dtale_magics.kubernetes.options import Options
    from dtale_magics.kubernetes.policy import Controller

NAME = "dtale-sign-in"
PORT = 10290
ENVIRONMENT = "DTALE_SIGN_IN_OPTIONS"
"""Tells the service the hook's options, as JSON."""


def service(options: Options, host: str, port: int = PORT) -> dict[str, Any]:
    """Build the entry of ``c.JupyterHub.services``.

    Parameters
    ----------
    options
        The options of the hook.
    host, port
        Where the Hub's proxy finds the service, which runs beside the Hub.
    """
    # Where this package is, in the hub too.
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return {
        "name": NAME,
        "url": f"http://{host}:{port}",
        "command": [sys.executable, "-m", "dtale_magics.kubernetes.sign_in_service"],
        "environment": {
            "PYTHONPATH": path.rstrip(os.pathsep),
            ENVIRONMENT: json.dumps(options.changed()),
        },
        "oauth_client_allowed_scopes": ["read:servers!user"],
        "oauth_no_confirm": True,  # it belongs to the Hub, and asks for nothing but a name
        "display": False,
    }


def configure(options: Options, config: Any) -> None:
    """Put the service into ``c``, and let every user sign in with it."""
    hub = config.JupyterHub
    host = urlsplit(str(hub.get("hub_connect_url") or "")).hostname or "hub"
    hub.services.append(service(options, host))
    scope = f"access:services!service={NAME}"
    roles = hub.load_roles if isinstance(hub.get("load_roles"), list) else []
    own = [role for role in roles if role.get("name") == "user" and "scopes" in role]
    if own:
        own[0]["scopes"] = [*own[0]["scopes"], scope]
    elif _adds_scopes():
        hub.extra_user_scopes.update({scope})
    else:
        hub.load_roles.append({"name": "user", "scopes": ["self", scope]})


def _adds_scopes() -> bool:
    """Whether JupyterHub can add scopes to the users' role; before 6.0, all have to be listed."""
    from jupyterhub import version_info

    return bool(version_info[0] >= 6)  # noqa: PLR2004


def address(config: Any) -> str:
    """Build the URL by which an ingress controller asks the service, in the chart's cluster."""
    host = urlsplit(str(config.JupyterHub.get("hub_connect_url") or "")).hostname or "hub"
    namespace = os.environ.get("POD_NAMESPACE")
    return (
        f"http://{host}.{namespace}.svc:{PORT}/verify"
        if namespace
        else f"http://{host}:{PORT}/verify"
    )


def values(controller: Controller | None) -> dict[str, Any]:
    """Build what the chart's hub needs so that controller and proxy reach the service."""
    ours: list[dict[str, Any]] = [
        {"podSelector": {"matchLabels": {"component": one}}} for one in ("proxy", "hub")
    ]
    rule: dict[str, Any] = {"ports": [{"port": PORT, "protocol": "TCP"}]}
    if controller is not None:
        rule["from"] = [*ours, *controller.peers]
    return {
        "service": {"extraPorts": [{"name": NAME, "port": PORT, "targetPort": PORT}]},
        "networkPolicy": {"ingress": [rule]},
    }
