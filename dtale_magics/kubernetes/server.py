"""One notebook server: who it belongs to, which pod runs it, where its D-Tale is seen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes.names import (
    MAX_LABEL,
    RESERVED,
    is_host,
    is_label_value,
    joined,
    kubespawner_label,
    object_name,
    slug,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.kubernetes.options import Options

_PORT_LENGTH = len("-65535")

DEFAULT_SERVER = "default"
"""What ``{server}`` says for the server that has no name."""

_TAKEN_BY_SETTINGS = frozenset({"dtale", "dtale-min", "dtale-max", "dtale-ingress"})
"""Service names for which a service link would overwrite ``DTALE_PORT``, ``DTALE_MIN_PORT`` …"""


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
            # KubeSpawner's own name for it when nothing there needs escaping.
            parts = (self.user, self.server) if self.server else (self.user,)
            object.__setattr__(self, "pod", f"jupyter-{slug(*parts)}")
        if not self.selector:
            object.__setattr__(self, "selector", kubespawner_selector(self.user, self.server))
        for key, value in self.selector.items():
            if not is_label_value(value):
                what = f"The label {key}={value} cannot be selected by: the value is not valid."
                hint = "Label values have at most 63 letters, digits and . _ - (not at the ends)."
                raise SettingError("selector", value, what, hint)
        if self.name in _TAKEN_BY_SETTINGS:
            variable = self.name.upper().replace("-", "_") + "_PORT"
            what = f"A Service called {self.name} injects {variable}=tcp://… into every pod."
            raise SettingError("pod", self.pod, what, "Choose another name.")

    @property
    def name(self) -> str:
        """Name of its Service and of its route."""
        return object_name(self.pod)


@dataclass(frozen=True)
class Address:
    """Where one exposed port is seen from outside."""

    scheme: str
    host: str
    path: str
    port: int

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return f"{self.scheme}://{self.host}{self.path.rstrip('/')}"


def kubespawner_selector(user: str, server: str = "") -> dict[str, str]:
    """Labels that KubeSpawner 7 gives the pod of one server and of no other."""
    return {
        "component": "singleuser-server",
        "hub.jupyter.org/username": kubespawner_label(user),
        "hub.jupyter.org/servername": kubespawner_label(server),
    }


def addresses(options: Options, server: Server) -> tuple[Address, ...]:
    """One address for each exposed port of a server.

    When neither host nor path names the server, ``{user}`` stands for the user *and* the named
    server, because two servers of one user must not claim one address.

    Raises
    ------
    SettingError
        When the address becomes longer than DNS allows.
    """
    return tuple(
        Address(
            options.scheme,
            _host(options, _fill(options.host, options, server, str(port))),
            _fill(options.path, options, server, str(port)),
            port,
        )
        for port in options.ports
    )


def url_template(options: Options, server: Server) -> str:
    """Build the server's ``DTALE_INGRESS_URL``; with several ports it keeps ``{port}``."""
    host = _fill(options.host, options, server, "{port}")
    path = _fill(options.path, options, server, "{port}")
    return f"{options.scheme}://{host}{path.rstrip('/')}"


_FIELD = re.compile(r"\{(\w+)\}")


def _fill(template: str, options: Options, server: Server, port: str) -> str:
    """Fill in a host or a path, part by part: what one server gets, no other can get.

    A part with one field is a `slug`. A part with several is `joined`, so that hyphens in names
    cannot shift the border between them; and so is one that became a reserved name.
    """
    readable, exact = _values(options, server)
    readable["port"] = port

    def fill(part: str) -> str:
        fields = _FIELD.findall(part)
        text = _FIELD.sub(lambda found: readable[found[1]], part)
        named = [name for name in fields if name != "port"]
        if len(named) < 2 and not (named and text in RESERVED):  # noqa: PLR2004
            return text
        names = tuple(one for name in named for one in exact[name])
        if "port" not in fields:
            return joined(text, names)
        # The kernel fills the port in, which is why it stands behind the hash.
        without = _FIELD.sub(lambda found: {**readable, "port": ""}[found[1]], part).strip("-")
        return f"{joined(without, names, MAX_LABEL - _PORT_LENGTH)}-{port}"

    border = "/" if template.startswith("/") else "."
    return border.join(fill(part) for part in template.split(border))


def _values(options: Options, server: Server) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Give the fields' values: as safe text, and the names that each stands for."""
    told_apart = options.fields & {"server", "pod"}
    both = bool(server.server) and not told_apart
    user = (server.user, server.server) if both else (server.user,)
    # A server that is really called "default" must not meet the one without a name.
    named = (server.server,) if server.server != DEFAULT_SERVER else (DEFAULT_SERVER, "")
    exact: dict[str, tuple[str, ...]] = {
        "user": user,
        "server": named if server.server else ("",),
        "pod": (server.pod,),
        "namespace": (server.namespace or "default",),
    }
    readable = {name: slug(*parts) for name, parts in exact.items()}
    if not server.server:
        readable["server"] = DEFAULT_SERVER
    return readable, exact


def _host(options: Options, host: str) -> str:
    if not is_host(host):
        raise SettingError(
            "host",
            options.host,
            f"{host!r} is longer than DNS allows (63 characters a part, 253 together).",
            "Use a shorter domain, or fewer fields in one part of the host.",
        )
    return host
