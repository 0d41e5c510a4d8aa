"""Checks of options that are the same for every kind of route."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes.names import is_qualified_name
from dtale_magics.naming import FIELDS, fields, is_dns_label, is_host

if TYPE_CHECKING:
    from dtale_magics.kubernetes.options import Options

HIGHEST_PORT = 65535
LOWEST_PORT = 1024
"""A pod's user may not bind lower ones."""

MAX_EXPOSED = 100
"""Ports of one server; each costs a route, and a Service of thousands of ports is refused."""

RESERVED_PATHS = frozenset({"hub", "user", "services", "api"})
"""First path elements that JupyterHub routes itself."""

_PATH = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")
_SECRET = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def check(options: Options) -> None:
    """Check all options.

    Raises
    ------
    SettingError
        Names the first unusable one, and says what to write.
    """
    _check_host(options.host)
    _check_path(options.path)
    _check_ports(options)
    _check_route(options)
    _check_sign_in(options)
    _check_public(options)


def template_fields(text: str) -> frozenset[str]:
    """List the fields of a template.

    Raises
    ------
    SettingError
        When it is not a template, or names a field that does not exist.
    """
    hint = f"Known fields: {', '.join(f'{{{name}}}' for name in sorted(FIELDS))}."
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in FIELDS:
            raise SettingError("host", text, f"{text!r} has an unknown field {{{name}}}.", hint)
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", text)):
        what = f"{text!r} is no template: a brace is not closed, or closes nothing."
        raise SettingError("host", text, what, hint)
    return fields(text)


def _filled(text: str) -> str:
    template_fields(text)
    return re.sub(r"\{[a-z]+\}", "x", text)


def _check_host(host: str) -> None:
    filled = _filled(host)
    if is_host(filled) and not filled.rpartition(".")[2].isdigit():
        return
    what = f"{host!r} is no host name."
    hint = (
        "A host has parts of lower-case letters, digits and hyphens, at most 63 characters each "
        "and 253 together, for example: {user}.dtale.example.org"
    )
    if "://" in host or "/" in host or ":" in host:
        hint = (
            "Give the host alone; the path has an option of its own, the scheme follows from TLS."
        )
    elif filled.startswith("*."):
        hint = "Each server needs a host of its own: {user}.dtale.example.org, not a wildcard."
    raise SettingError("host", host, what, hint)


def _check_path(path: str) -> None:
    filled = _filled(path)
    if not _PATH.fullmatch(filled) or {".", ".."} & set(filled.split("/")):
        raise SettingError(
            "path",
            path,
            f"{path!r} is no path prefix.",
            "Begin with a slash, end without one, use letters, digits and . _ ~ -; "
            "for example: /dtale/{user}",
        )
    first = filled.split("/")[1]
    if first in RESERVED_PATHS:
        raise SettingError(
            "path",
            path,
            f"The path {path!r} lies below /{first}, which JupyterHub routes itself.",
            "Choose another first element, for example: /dtale/{user}",
        )


def _check_public(options: Options) -> None:
    if options.scheme not in {None, "http", "https"}:
        what = f"{options.scheme!r} is not a scheme that browsers show pages by."
        raise SettingError("scheme", options.scheme, what, "Say http or https.")
    if options.scheme == "http" and options.tls is not None:
        what = "TLS was asked for, and http as what browsers use."
        raise SettingError("scheme", options.scheme, what, "Leave one of them out.")
    port = options.public_port
    if port is not None and not 1 <= port <= HIGHEST_PORT:
        what = f"{port} is no port."
        hint = f"Ports are whole numbers from 1 to {HIGHEST_PORT}, for example 8443."
        raise SettingError("public_port", port, what, hint)


def _check_ports(options: Options) -> None:
    ports = options.ports
    hint = f"Exposed ports are whole numbers from {LOWEST_PORT} to {HIGHEST_PORT}, such as 40000."
    if not ports or len(set(ports)) != len(ports) or len(ports) > MAX_EXPOSED:
        what = f"{len(ports)} ports were given, of which {len(set(ports))} are different."
        raise SettingError("ports", ports, what, f"Give 1 to {MAX_EXPOSED} different ones. {hint}")
    for port in ports:
        if not LOWEST_PORT <= port <= HIGHEST_PORT:
            raise SettingError("ports", port, f"Port {port} cannot be exposed.", hint)
    notebook = options.notebook_port
    if notebook is not None and not 1 <= notebook <= HIGHEST_PORT:
        raise SettingError("notebook_port", notebook, f"{notebook} is no port.", hint)
    if notebook in ports:
        what = f"Port {notebook} is the notebook server's, D-Tale cannot have it."
        raise SettingError("ports", notebook, what, "Choose other ports, for example 40000.")
    if len({len(str(port)) for port in ports}) > 1:
        what = f"The ports {', '.join(map(str, ports))} have different numbers of digits."
        raise SettingError("ports", ports, what, "Choose ports of as many digits, such as 40001.")
    if len(ports) > 1 and "port" not in options.fields:
        raise SettingError(
            "ports",
            ports,
            f"{len(ports)} ports would share one address, {options.host}{options.path}.",
            "Put {port} into the host or the path, for example: {user}-{port}.dtale.example.org",
        )


def _check_route(options: Options) -> None:
    if options.strip and options.path == "/":
        what = "There is no path to strip."
        raise SettingError("strip", True, what, "Add for example: --path '/dtale/{user}'")
    name = options.ingress_class
    if name is not None and not is_host(name):
        raise SettingError(
            "ingress_class",
            name,
            f"{name!r} is no class name.",
            "kubectl get ingressclass lists the classes of the cluster.",
        )
    if options.tls and not _SECRET.fullmatch(options.tls):
        what = f"{options.tls!r} is no name of a Secret."
        raise SettingError("tls", options.tls, what, "kubectl get secrets lists them.")
    for key in options.annotations:
        if not is_qualified_name(key):
            what = f"{key!r} is no name of an annotation."
            hint = "Type for example: --annotation example.org/purpose=notebooks"
            raise SettingError("annotations", key, what, hint)


def _check_sign_in(options: Options) -> None:
    address = options.forward_auth
    if address is not None and not _is_url(address):
        what = f"{address!r} is no URL that Traefik could ask."
        hint = "Type for example: --forward-auth http://auth.auth-system.svc/verify"
        raise SettingError("forward_auth", address, what, hint)
    hub = options.sign_in
    if hub is None:
        return
    if not _is_url(hub):
        what = f"{hub!r} is no URL that browsers find the Hub by."
        raise SettingError(
            "sign_in", hub, what, "Type for example: --sign-in https://hub.example.org"
        )
    told = fields(options.host)
    if "user" not in told or (told | fields(options.path)) & {"pod", "namespace"}:
        raise SettingError(
            "host",
            options.host,
            "The Hub's sign-in knows by the host whose D-Tale it is, and knows names of users and "
            "servers alone.",
            "Write for example: --host '{user}.dtale.example.org'",
        )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        plain = parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False
    shown = text.isascii() and text.isprintable() and not re.search(r"[\s\"'`{}]", text)
    return plain and shown and parts.scheme in {"http", "https"} and bool(parts.hostname)


def check_namespace(name: str) -> str:
    """Return `name` when it can be a namespace.

    Raises
    ------
    SettingError
        When it cannot.
    """
    if not is_dns_label(name):
        what = f"{name!r} is no namespace."
        raise SettingError("namespace", name, what, "kubectl get namespaces lists them.")
    return name
