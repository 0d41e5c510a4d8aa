"""Settings: magic option, then traitlets config, then environment, then default."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dtale_magics import url_template
from dtale_magics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

FIRST_PORT = 40000
LAST_PORT = 49000
HIGHEST_PORT = 65535
KEPT_EXPRESSIONS = 5
LAZY_ROWS = 100_000
"""How many rows to show of a frame that is not in memory."""


Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

NEAR_NETWORKS = (
    "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16 "
    "198.18.0.0/15 ::1/128 fc00::/7 fe80::/10"
)
"""Loopback and private networks, where a proxy in front of a notebook can be."""

PORT_HINT = "A port is a whole number from 1 to 65535, for example 40000."


class PortRange(NamedTuple):
    """An inclusive range of TCP ports."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last

    @property
    def ports(self) -> range:
        """Every port of the range, ascending."""
        return range(self.first, self.last + 1)


_CLUSTER = ("JUPYTERHUB_SERVICE_PREFIX", "KUBERNETES_SERVICE_HOST")


@dataclass(frozen=True)
class Settings:
    """The settings that hold for a kernel right now.

    Attributes
    ----------
    range
        Where to look for a port.
    ingress_port
        The one port that Service and Ingress expose.
    ingress_url
        URL under which the ingress port is seen from outside, if configured, without a trailing
        slash; with ``{port}`` in it, every port is seen.
    open_access
        Whether D-Tale answers without the link: for networks whose ingress asks for a sign-in.
    allowed_hosts
        Host names that requests from outside may use, besides that of `ingress_url`; ``*.`` at the
        beginning stands for every name below it.
    trusted_proxies
        Networks whose forwarded headers are believed.
    kept_expressions
        How many expressions that no variable holds are kept in D-Tale.
    rows
        How many rows to show of a frame that is not in memory.
    exposed_ports
        All ports that the cluster exposes, if it says so; `ingress_port` is one of them.
    proxy_url
        URL, or path on the page's host, under which the notebook's server proxies a port; contains
        ``{port}``. None means jupyter-server-proxy's own path.
    mistake
        What is wrong with a URL that was set and is therefore ignored. Nothing else depends on it,
        so D-Tale goes on without it.
    """

    range: PortRange
    ingress_port: int
    ingress_url: str | None = None
    open_access: bool = False
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    kept_expressions: int = KEPT_EXPRESSIONS
    rows: int = LAZY_ROWS
    exposed_ports: tuple[int, ...] = ()
    proxy_url: str | None = None
    mistake: SettingError | None = field(default=None, compare=False)

    def leads_to(self, port: int | None) -> bool:
        """Whether `port` has a public URL of its own, whoever is in front elsewhere."""
        if port is None or self.open_access or "{port}" not in (self.ingress_url or ""):
            return False
        return not self.exposed_ports or port in self.exposed_ports

    @property
    def search_order(self) -> Sequence[int]:
        """Ports in the order to try them: first those that can be seen from outside."""
        exposed = [self.ingress_port, *self.exposed_ports]
        first = [port for port in dict.fromkeys(exposed) if port in self.range]
        if first == list(self.range.ports[: len(first)]):
            return self.range.ports
        return [*first, *(port for port in self.range.ports if port not in first)]


def parse_port(value: object, name: str) -> int:
    """Read one TCP port.

    Raises
    ------
    SettingError
        When `value` is not a whole number from 1 to 65535. If it is an address that a Kubernetes
        service link injects (``DTALE_PORT=tcp://10.0.0.1:80``), the error says so.
    """
    text = str(value).strip()
    if "://" in text:
        what = f"{name} is {text!r}: that is the address which Kubernetes injects for a Service."
        hint = (
            "Rename the Service, set enableServiceLinks: false in the pod, "
            f"or set {name} to a port number yourself."
        )
        raise SettingError(name, value, what, hint)
    if not (text.isascii() and text.isdigit()):
        raise SettingError(name, value, f"{name} is {text!r}, which is not a port.", PORT_HINT)
    # int() refuses thousands of digits with an error of its own.
    port = int(text) if len(text) <= len("0000000065535") else HIGHEST_PORT + 1
    if not 1 <= port <= HIGHEST_PORT:
        what = f"{name} is {text[:20]}, which is outside 1-{HIGHEST_PORT}."
        raise SettingError(name, value, what, PORT_HINT)
    return port


def port_range(first: int, last: int, first_name: str, last_name: str) -> PortRange:
    """Combine two ports into a range; `SettingError` when it would be empty."""
    if first > last:
        what = f"The port range is empty: {first_name} ({first}) is above {last_name} ({last})."
        hint = f"Swap the two, for example: %dtale_port {last} {first}"
        raise SettingError(first_name, first, what, hint)
    return PortRange(first, last)


def parse_range(words: list[str]) -> PortRange:
    """Read ``40000 40010``, ``40000-40010``, or one port.

    Raises
    ------
    SettingError
        When there are not one or two ports, or the range would be empty.
    """
    parts = [part for word in words for part in word.split("-")]
    if len(parts) not in (1, 2):
        text = " ".join(words)
        raise SettingError(
            "range",
            text,
            f"{text!r} is not a port range.",
            "Type for example: %dtale_port 40000 40010   or   %dtale_port 40000-40010",
        )
    first, last = (parse_port(part, "port") for part in (parts[0], parts[-1]))
    return port_range(first, last, "the first port", "the last port")


def parse_switch(value: object, name: str) -> bool:
    """Read on or off.

    Raises
    ------
    SettingError
        When `value` is neither: we must not guess at a switch that opens a door.
    """
    text = str(value).strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off", ""}:
        return False
    raise SettingError(
        name, value, f"{name} is {str(value)[:40]!r}, which is neither on nor off.", "Say 1 or 0."
    )


def parse_hosts(words: Iterable[str], name: str) -> tuple[str, ...]:
    """Read host names; `SettingError` for anything that cannot be one, such as a URL.

    A name that begins with ``*.`` stands for every name below it.
    """
    hosts = tuple(word.lower().rstrip(".") for word in words)
    for host in hosts:
        if re.fullmatch(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,250})", host) is None:
            what = f"{name} contains {host[:60]!r}, which is not the name of a host."
            hint = "Write for example: dtale.example.org   or   *.dtale.example.org"
            raise SettingError(name, host, what, hint)
    return hosts


def parse_networks(words: Iterable[str], name: str) -> tuple[Network, ...]:
    """Read addresses and networks; `SettingError` for anything else."""
    networks: list[Network] = []
    for word in words:
        try:
            networks.append(ipaddress.ip_network(word, strict=False))
        except (ValueError, TypeError):
            what = f"{name} contains {word[:60]!r}, which is no address and no network."
            raise SettingError(name, word, what, "Write for example: 10.0.0.0/8") from None
    return tuple(networks)


def resolve(
    config: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    override: PortRange | None = None,
) -> Settings:
    """Find the settings that hold; sources are tried in order of precedence.

    Parameters
    ----------
    config
        Traits of ``c.DtaleMagics`` by name; those that are None count as missing.
    environ
        Environment, by default this process's.
    override
        The range that ``%dtale_port`` set.

    Raises
    ------
    SettingError
        Names the unusable setting, its value, and what to change. An unusable URL under which
        D-Tale would be seen is ignored instead, see `Settings.mistake`.
    """
    config = config or {}
    environ = os.environ if environ is None else environ

    def port(trait: str, variable: str, default: int) -> tuple[int, str]:
        if config.get(trait) is not None:
            name = f"c.DtaleMagics.{trait}"
            return parse_port(config[trait], name), name
        if environ.get(variable):
            return parse_port(environ[variable], variable), variable
        return default, variable

    if override is None:
        first, first_name = port("min_port", "DTALE_MIN_PORT", FIRST_PORT)
        last, last_name = port("max_port", "DTALE_MAX_PORT", max(LAST_PORT, first))
        chosen = port_range(first, last, first_name, last_name)
        default_ingress = chosen.first
    else:
        chosen = override
        # A range set by hand moves this kernel, not the cluster's Service.
        default_ingress, _ = port("min_port", "DTALE_MIN_PORT", FIRST_PORT)
    ingress_port, _ = port("ingress_port", "DTALE_INGRESS_PORT", default_ingress)
    url, mistake = _url(_ingress_url, config, environ)
    proxy_url, other_mistake = _url(_proxy_url, config, environ)
    access = _Access(config, environ)
    return Settings(
        chosen,
        ingress_port,
        url,
        access.is_open(),
        access.hosts(),
        access.proxies(),
        config.get("kept_expressions") or KEPT_EXPRESSIONS,
        config.get("rows") or LAZY_ROWS,
        _ports(environ.get("DTALE_INGRESS_PORTS", ""), "DTALE_INGRESS_PORTS"),
        proxy_url,
        mistake or other_mistake,
    )


def _url(
    read: Callable[[Mapping[str, Any], Mapping[str, str]], str | None],
    config: Mapping[str, Any],
    environ: Mapping[str, str],
) -> tuple[str | None, SettingError | None]:
    """Read a URL, or say what is wrong with it."""
    try:
        return read(config, environ), None
    except SettingError as error:
        return None, error


def _ingress_url(config: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    name = "c.DtaleMagics.ingress_url"
    value = config.get("ingress_url")
    if value is None:  # "" takes away what the environment says
        name, value = "DTALE_INGRESS_URL", environ.get("DTALE_INGRESS_URL")
    return url_template.expand(str(value), environ, name) if value else None


def _proxy_url(config: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    name = "c.DtaleMagics.proxy_url"
    value = config.get("proxy_url")
    if value is None:
        name, value = "DTALE_PROXY_URL", environ.get("DTALE_PROXY_URL")
    if not value:
        return None
    text = str(value).strip().rstrip("/")
    hint = "Write for example: /studio/proxy/{port}"
    if "{port}" not in text:
        what = f"{name} is {text[:80]!r}: {{port}} is missing, which says where the port stands."
        raise SettingError(name, value, what, hint)
    if text.startswith("/") and not text.startswith("//"):
        # A path is checked as part of a URL with some host.
        host = "https://localhost"
        return url_template.expand(host + text, environ, name).removeprefix(host)
    return url_template.expand(text, environ, name)


def _ports(text: str, name: str) -> tuple[int, ...]:
    """Read ports and ranges of ports, with commas or blanks between them."""
    found: list[int] = []
    for word in text.replace(",", " ").split():
        first, _, last = word.partition("-")
        one = port_range(parse_port(first, name), parse_port(last or first, name), name, name)
        found += one.ports
    return tuple(found)


@dataclass(frozen=True)
class _Access:
    """Finds the settings that control access."""

    config: Mapping[str, Any]
    environ: Mapping[str, str]

    def is_open(self) -> bool:
        if self.config.get("open_access") is not None:
            return bool(self.config["open_access"])
        return parse_switch(self.environ.get("DTALE_OPEN_ACCESS", ""), "DTALE_OPEN_ACCESS")

    def hosts(self) -> tuple[str, ...]:
        return parse_hosts(*self._words("allowed_hosts", "DTALE_ALLOWED_HOSTS", ""))

    def proxies(self) -> tuple[Network, ...]:
        words = self._words("trusted_proxies", "DTALE_TRUSTED_PROXIES", NEAR_NETWORKS)
        return _networks(*words)

    def _words(self, trait: str, variable: str, default: str) -> tuple[tuple[str, ...], str]:
        """Return the words of a setting, and the name of the setting at its source."""
        if self.config.get(trait) is not None:
            return tuple(self.config[trait]), f"c.DtaleMagics.{trait}"
        text = self.environ.get(variable)
        return tuple((default if text is None else text).replace(",", " ").split()), variable


_networks = functools.lru_cache(maxsize=16)(parse_networks)
"""Cached: parsing is slow, and the result is the same for every request."""


def in_cluster() -> bool:
    """Whether a Hub or Kubernetes runs this kernel, as the environment shows."""
    return any(name in os.environ for name in _CLUSTER)
