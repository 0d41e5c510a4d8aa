"""The placeholders of ``DTALE_INGRESS_URL``."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dtale_magics.errors import SettingError
from dtale_magics.naming import FIELDS, Names, fields, fill

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_KNOWN_BY = {
    "user": "JUPYTERHUB_USER",
    "pod": "POD_NAME",
    "namespace": "POD_NAMESPACE",
}
_HINT = "Write for example: https://{user}.dtale.example.org"
_NOT_IN_A_HOST = re.compile(r"[^\w.-]")
_NOT_IN_A_PATH = re.compile(r"[\s{}*]|(^|/)\.{1,2}(/|$)")


def expand(template: str, environ: Mapping[str, str], name: str) -> str:
    """Fill in the values of this pod; ``{port}`` stays, because a kernel may have several ports.

    Parameters
    ----------
    template
        An absolute URL with any of ``{port} {user} {server} {pod} {namespace}``.
    environ
        Variables in which JupyterHub and Kubernetes give the values.
    name
        Name of the setting at its source.

    Returns
    -------
    str
        The URL without a trailing slash.

    Raises
    ------
    SettingError
        For any other placeholder, or if it is not a URL.
    """
    text = template.strip()
    for placeholder in re.findall(r"\{([^{}]*)\}", text):
        if placeholder not in FIELDS:
            what = f"{name} contains {{{placeholder}}}, which stands for nothing."
            known = " ".join(f"{{{one}}}" for one in FIELDS)
            raise SettingError(name, template, what, f"Known are {known}.")
    used = fields(text)
    values = {field: _value(field, environ) for field in used & _KNOWN_BY.keys()}
    for field, value in sorted(values.items()):
        if not value:
            what = f"{name} contains {{{field}}}, and {_KNOWN_BY[field]} is not set here."
            hint = "On a Hub it is. Elsewhere write the address without it."
            raise SettingError(name, template, what, hint)
    names = Names(
        values.get("user", ""),
        _value("server", environ),
        values.get("pod", ""),
        values.get("namespace", ""),
    )
    url = fill(text, names).rstrip("/")
    if not _is_url(url.replace("{port}", "1")):
        hint = _HINT
        if name in environ:
            hint += f"\nD-Tale goes on without it. Whoever runs the Hub sets {name}."
        raise SettingError(name, template, f"{name} is {template[:80]!r}, which is no URL.", hint)
    return url


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        number = parts.port
    except ValueError:
        return False
    in_brackets = f"[{host}]" in parts.netloc.lower()
    return (
        parts.scheme in {"http", "https"}
        and bool(host)
        and number != 0
        and (in_brackets or not _NOT_IN_A_HOST.search(host))
        and not (parts.query or parts.fragment or parts.username or "@" in parts.netloc)
        and not _NOT_IN_A_PATH.search(parts.path)
        and not re.search(r"\s", url)
    )


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
