"""Settings: magic option, then traitlets config, then environment, then default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dtale_magics.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_PORT = 40000
LAST_PORT = 49000
HIGHEST_PORT = 65535

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


@dataclass(frozen=True)
class Settings:
    """What holds for a kernel right now.

    Attributes
    ----------
    range
        Where a port is looked for.
    ingress_port
        The one port that Service and Ingress expose.
    ingress_url
        URL under which the ingress port is seen from outside, if it was configured.
    """

    range: PortRange
    ingress_port: int
    ingress_url: str | None = None


def parse_port(value: object, name: str) -> int:
    """Read one TCP port.

    Raises
    ------
    SettingError
        When `value` is not a whole number from 1 to 65535. The address that a Kubernetes service
        link injects (``DTALE_PORT=tcp://10.0.0.1:80``) is named as what it is.
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


def resolve(
    config: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    override: PortRange | None = None,
) -> Settings:
    """Find the settings that hold, strongest source first.

    Parameters
    ----------
    config
        Traits of ``c.DtaleMagics`` by name; None and missing ones do not count.
    environ
        Environment, by default this process's.
    override
        The range that ``%dtale_port`` set.

    Raises
    ------
    SettingError
        Names the setting that cannot be used, its value, and what to change.
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
    url = config.get("ingress_url") or environ.get("DTALE_INGRESS_URL") or None
    return Settings(chosen, ingress_port, url)
