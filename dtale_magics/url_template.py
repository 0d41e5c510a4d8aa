"""The placeholders of ``DTALE_INGRESS_URL``."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from dtale_magics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_NAMES = ("port", "user", "server", "pod", "namespace")


def expand(template: str, environ: Mapping[str, str], name: str) -> str:
    """Fill in what holds for this pod; ``{port}`` stays, because a kernel may have several.

    Parameters
    ----------
    template
        An absolute URL, with ``{port} {user} {server} {pod} {namespace}`` where wanted.
    environ
        Where JupyterHub and Kubernetes tell the rest.
    name
        What the setting is called there.

    Returns
    -------
    str
        The URL without a trailing slash.

    Raises
    ------
    SettingError
        For another placeholder, or what is no URL.
    """

    def value(found: re.Match[str]) -> str:
        placeholder = found[1]
        if placeholder not in _NAMES:
            what = f"{name} contains {{{placeholder}}}, which stands for nothing."
            known = " ".join(f"{{{one}}}" for one in _NAMES)
            raise SettingError(name, template, what, f"Known are {known}.")
        return found[0] if placeholder == "port" else quote(_value(placeholder, environ), safe="")

    url = re.sub(r"\{([^{}]*)\}", value, template.strip()).rstrip("/")
    hint = "Write for example: https://dtale.example.org/{user}"
    try:
        parts = urlsplit(url.replace("{port}", "1"))
        valid = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise SettingError(name, template, f"{name} is {template[:80]!r}, which is no URL.", hint)
    return url


def _value(placeholder: str, environ: Mapping[str, str]) -> str:
    match placeholder:
        case "user":
            return environ.get("JUPYTERHUB_USER", "")
        case "server":
            return environ.get("JUPYTERHUB_SERVER_NAME", "")
        case "pod":
            return environ.get("POD_NAME") or socket.gethostname()
    try:
        return environ.get("POD_NAMESPACE") or _NAMESPACE.read_text().strip()
    except OSError:
        return ""
