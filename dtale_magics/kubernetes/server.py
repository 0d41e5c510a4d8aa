"""One notebook server: who it belongs to, which pod runs it, where its D-Tale is seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes.names import (
    is_label_value,
    is_qualified_name,
    kubespawner_label,
    kubespawner_pod,
    object_name,
)
from dtale_magics.naming import Names, fill, is_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.kubernetes.options import Options


@dataclass(frozen=True)
class Owner:
    """The pod that an object belongs to, so that Kubernetes collects it with the pod."""

    name: str
    uid: str


@dataclass(frozen=True)
class Server:
    """One server of one user.

    Attributes
    ----------
    user, server
        Names as the hub has them; `server` is empty for the user's default server.
    namespace
        Where its objects belong; None leaves that to ``kubectl``.
    pod
        Name of its pod.
    selector
        Labels by which a Service finds the pod.
    owner
        The pod itself, once it exists.
    """

    user: str
    server: str = ""
    namespace: str | None = None
    pod: str = ""
    selector: Mapping[str, str] = field(default_factory=dict)
    owner: Owner | None = None

    def __post_init__(self) -> None:
        if not self.pod:
            object.__setattr__(self, "pod", kubespawner_pod(self.user, self.server))
        if not self.selector:
            object.__setattr__(self, "selector", kubespawner_selector(self.user, self.server))
        for key, value in self.selector.items():
            if not is_qualified_name(key):
                what = f"{key!r} is no name of a label."
                hint = "Type for example: --pod-label app=jupyterhub"
                raise SettingError("selector", key, what, hint)
            if not is_label_value(value):
                what = f"The label {key}={value} cannot be selected by: the value is not valid."
                hint = "Label values have at most 63 letters, digits and . _ - (not at the ends)."
                raise SettingError("selector", value, what, hint)

    @property
    def name(self) -> str:
        """Name of its Service and of its route."""
        return self.object_name("dtale")

    def object_name(self, role: str) -> str:
        """Name one of its objects."""
        return object_name(self.pod, role)

    @property
    def names(self) -> Names:
        """What the fields of an address stand for."""
        return Names(self.user, self.server, self.pod, self.namespace or "")


@dataclass(frozen=True)
class Address:
    """Where one exposed port is seen from outside."""

    scheme: str
    host: str
    path: str
    port: int
    public_port: int | None = None

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        port = "" if self.public_port is None else f":{self.public_port}"
        return f"{self.scheme}://{self.host}{port}{self.path.rstrip('/')}"


def kubespawner_selector(user: str, server: str = "") -> dict[str, str]:
    """Labels that KubeSpawner 7 gives the pod of one server and of no other."""
    return {
        "component": "singleuser-server",
        "hub.jupyter.org/username": kubespawner_label(user),
        "hub.jupyter.org/servername": kubespawner_label(server),
    }


def addresses(options: Options, server: Server) -> tuple[Address, ...]:
    """One address for each exposed port of a server.

    See `dtale_magics.naming.fill` for what the fields become.

    Raises
    ------
    SettingError
        When the address becomes longer than DNS allows.
    """
    return tuple(_address(options, server, str(port), port) for port in options.ports)


def url_template(options: Options, server: Server) -> str:
    """Build the server's ``DTALE_INGRESS_URL``; with several ports it keeps ``{port}``."""
    return _address(options, server, "{port}", options.ports[0]).url


def _address(options: Options, server: Server, shown: str, port: int) -> Address:
    host = fill(options.host, server.names, shown, options.path)
    path = fill(options.path, server.names, shown, options.host)
    _host(options, host.replace("{port}", str(port)))
    return Address(options.public_scheme, host, path, port, options.public_port)


def _host(options: Options, host: str) -> str:
    if not is_host(host):
        raise SettingError(
            "host",
            options.host,
            f"{host!r} is longer than DNS allows (63 characters a part, 253 together).",
            "Use a shorter domain, or fewer fields in one part of the host.",
        )
    return host
