"""What an admin decides: checked once, then frozen."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dtale_magics.errors import SettingError
from dtale_magics.naming import FIELDS, fields, is_dns_label, is_host

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_PORT = 40000
LAST_PORT = 49000
NOTEBOOK_PORT = 8888
HIGHEST_PORT = 65535
LOWEST_PORT = 1024
"""A pod's user may not bind lower ones."""

MAX_EXPOSED = 100
"""Ports of one server; each costs a route, and a Service of thousands of ports is refused."""

RESERVED_PATHS = frozenset({"hub", "user", "services", "api"})
"""First path elements that JupyterHub routes itself."""

_PATH = re.compile(r"/|(/[A-Za-z0-9._~-]+)+")
_SECRET = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_GATEWAY = re.compile(r"(?:(?P<ns>[^/:]+)/)?(?P<name>[^/:]+)(?::(?P<section>[^/:]+))?")


class RouteKind(str, Enum):
    """Which kind of object carries the route."""

    INGRESS = "ingress"
    INGRESSROUTE = "ingressroute"
    HTTPROUTE = "httproute"


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
        """Read ``namespace/name:listener``, of which only the name is needed.

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


@dataclass(frozen=True)
class Options:
    """How every server's D-Tale is reached from outside.

    Attributes
    ----------
    host, path
        Where a server's D-Tale appears. May hold ``{user}``, ``{server}``, ``{pod}``,
        ``{namespace}`` and ``{port}``, each of which becomes safe text.
    ports
        The exposed ports, the first one is the ingress port.
    notebook_port
        Port of the notebook server, which the Service offers as port 80; None leaves it out.
    route
        Ingress, Traefik IngressRoute or Gateway API HTTPRoute.
    ingress_class
        Class of the ingress controller; None means the cluster's default class.
    tls
        None: plain HTTP. Empty: the controller's own certificate. Otherwise: the Secret's name.
    strip
        Remove the path before the request reaches the pod, and say so in X-Forwarded-Prefix.
    forward_auth
        URL that Traefik asks for each request whether it may pass.
    gateway
        What an HTTPRoute attaches to.
    headless
        A Service without an address of its own: controllers that go to pods directly need none.
    annotations
        For the route object.
    shared_host
        Whether users may share a host and differ in the path alone. A browser then takes all of
        them for one site: a page of one of them can register a service worker that sees, and
        answers, the requests of the others.
    scheme
        ``http`` or ``https`` as browsers see it, where it does not follow from `tls`: TLS that ends
        before the controller, or at a Gateway.
    public_port
        The port that browsers use, where it is not the scheme's own.
    entry_points
        Traefik's entry points for an IngressRoute; by default ``web``, or ``websecure`` with `tls`.
    """

    host: str
    path: str = "/"
    ports: tuple[int, ...] = (FIRST_PORT,)
    notebook_port: int | None = NOTEBOOK_PORT
    route: RouteKind = RouteKind.INGRESS
    ingress_class: str | None = None
    tls: str | None = None
    strip: bool = False
    forward_auth: str | None = None
    gateway: Gateway | None = None
    headless: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    shared_host: bool = False
    scheme: str | None = None
    public_port: int | None = None
    entry_points: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_host(self.host)
        _check_path(self.path)
        _check_ports(self)
        _check_route(self)
        _check_public(self)

    @classmethod
    def of(cls, **given: Any) -> Options:
        """Read options as ``jupyterhub_config.py`` has them: routes and gateways as text.

        Raises
        ------
        SettingError
            When one cannot be used.
        """
        if isinstance(given.get("route"), str):
            given["route"] = _route_kind(given["route"])
        if isinstance(given.get("gateway"), str):
            given["gateway"] = Gateway.parse(given["gateway"])
        for name in ("ports", "entry_points"):
            if name in given:
                given[name] = tuple(given[name])
        return cls(**given)

    def changed(self) -> dict[str, Any]:
        """List what differs from the defaults, as `of` reads it."""
        told: dict[str, Any] = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            default = {} if one.name == "annotations" else one.default
            if value != default:
                told[one.name] = value
        if "route" in told:
            told["route"] = self.route.value
        if "gateway" in told:
            told["gateway"] = str(self.gateway)
        if "annotations" in told:
            told["annotations"] = dict(self.annotations)
        return told

    @property
    def fields(self) -> frozenset[str]:
        """The fields that host and path use."""
        return template_fields(self.host) | template_fields(self.path)

    @property
    def public_scheme(self) -> str:
        """The scheme under which a browser comes."""
        return self.scheme or ("http" if self.tls is None else "https")

    def require_unique_per_user(self) -> None:
        """Refuse an address, or a host, that all users would share.

        Raises
        ------
        SettingError
            When neither the host nor the path says which user is meant.
        """
        if not self.fields & {"user", "pod"}:
            raise SettingError(
                "host",
                self.host,
                f"Every user would get the same address, {self.host}{self.path}.",
                f"Put {{user}} into it, for example: {{user}}.{self.host}",
            )
        require_hosts_of_their_own(self)


def _route_kind(text: str) -> RouteKind:
    try:
        return RouteKind(text)
    except ValueError:
        known = ", ".join(kind.value for kind in RouteKind)
        what = f"{text!r} is no kind of route."
        raise SettingError("route", text, what, f"Known kinds: {known}.") from None


def require_hosts_of_their_own(options: Options) -> None:
    """Refuse that users differ in the path alone, unless that was asked for.

    Raises
    ------
    SettingError
        Says what a shared host means.
    """
    whose = {"user", "pod"}
    if fields(options.host) & whose or not fields(options.path) & (whose | {"server"}):
        return
    if not options.shared_host:
        raise SettingError(
            "path",
            options.path,
            f"All users would share the host {options.host}, and a browser takes one host for one "
            "site: a page of one user could read and change what the others see.",
            f"Give each a host: {{user}}.{options.host}   or, where all trust each other, add: "
            "--shared-host",
        )
    if "{" in options.path.split("/")[1]:
        raise SettingError(
            "path",
            options.path,
            f"With the path {options.path!r} users' names take over what else {options.host} has.",
            f"Begin with an element of its own: /dtale{options.path}",
        )


def template_fields(text: str) -> frozenset[str]:
    """List the fields of a template.

    Raises
    ------
    SettingError
        When it is no template, or names a field that does not exist.
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
    if options.entry_points and options.route is not RouteKind.INGRESSROUTE:
        what = f"Entry points are Traefik's, an {options.route.value} cannot say them."
        raise SettingError("entry_points", options.entry_points, what, "Add: --route ingressroute")


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
    kind = options.route
    if kind is RouteKind.HTTPROUTE and options.gateway is None:
        raise SettingError(
            "gateway",
            None,
            "An HTTPRoute needs the Gateway that it attaches to.",
            "Type for example: --gateway traefik/public   (kubectl get gateways -A lists them)",
        )
    if kind is not RouteKind.HTTPROUTE and options.gateway is not None:
        what = f"A gateway means nothing to an {kind.value}."
        raise SettingError("gateway", options.gateway, what, "Add: --route httproute")
    if options.forward_auth is not None:
        _check_forward_auth(options.forward_auth, kind)
    if options.strip and kind is RouteKind.INGRESS:
        raise SettingError(
            "strip",
            True,
            "A plain Ingress has no standard way to strip a path.",
            "Add --route ingressroute or --route httproute, or leave the path: D-Tale's server "
            "accepts it either way.",
        )
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
    if name is not None and kind is not RouteKind.INGRESS:
        what = f"A class means nothing to an {kind.value}."
        raise SettingError("ingress_class", name, what, "Leave it out, or use --route ingress.")
    if options.tls and not _SECRET.fullmatch(options.tls):
        what = f"{options.tls!r} is no name of a Secret."
        raise SettingError("tls", options.tls, what, "kubectl get secrets lists them.")


def _check_forward_auth(url: str, kind: RouteKind) -> None:
    if kind is not RouteKind.INGRESSROUTE:
        raise SettingError(
            "forward_auth",
            url,
            f"Forward authentication is Traefik's, an {kind.value} cannot say it.",
            "Add: --route ingressroute",
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        what = f"{url!r} is no URL that Traefik could ask."
        hint = "Type for example: --forward-auth http://auth.auth-system.svc/verify"
        raise SettingError("forward_auth", url, what, hint)


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
