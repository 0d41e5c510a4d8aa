"""What an admin decides: checked once, then frozen."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes import checks
from dtale_magics.kubernetes.checks import template_fields
from dtale_magics.kubernetes.routes import ROUTES, Gateway, Route, route_called
from dtale_magics.naming import fields

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_PORT = 40000
LAST_PORT = 49000
NOTEBOOK_PORT = 8888
DEFAULT_ROUTE = ROUTES["ingress"]


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
        One of `ROUTES`.
    ingress_class
        Class of the ingress controller; None means the cluster's default class.
    tls
        None: plain HTTP. Empty: the controller's own certificate. Otherwise: the Secret's name.
    strip
        Remove the path before the request reaches the pod, and say so in X-Forwarded-Prefix.
    forward_auth
        URL that Traefik asks whether a request may pass. With `sign_in`: the URL of the Hub's
        service for that, if it is not in the hub's own Service.
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
        ``http`` or ``https`` as browsers see it, if it does not follow from `tls`: TLS may end
        before the controller, or at a Gateway.
    public_port
        The port that browsers use, if it is not the scheme's own.
    entry_points
        Traefik's entry points for an IngressRoute; by default ``web``, or ``websecure`` with `tls`.
    sign_in
        Public URL of the Hub whose sign-in is in front of D-Tale; it lets in only a server's owner.
    """

    host: str
    path: str = "/"
    ports: tuple[int, ...] = (FIRST_PORT,)
    notebook_port: int | None = NOTEBOOK_PORT
    route: Route = DEFAULT_ROUTE
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
    sign_in: str | None = None

    def __post_init__(self) -> None:
        self.route.check(self)
        checks.check(self)

    @classmethod
    def of(cls, **given: Any) -> Options:
        """Read options as ``jupyterhub_config.py`` has them: routes and gateways as text.

        Raises
        ------
        SettingError
            When one cannot be used.
        """
        if isinstance(given.get("route"), str):
            given["route"] = route_called(given["route"])
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
            told["route"] = self.route.name
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
        """The scheme that a browser uses."""
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


def require_hosts_of_their_own(options: Options) -> None:
    """Refuse addresses of users that differ only in the path, unless that was asked for.

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
