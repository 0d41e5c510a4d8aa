"""What every kind of route has, and what they build from the same parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from dtale_magics.errors import SettingError
from dtale_magics.kubernetes.server import Address, addresses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.kubernetes.options import Options
    from dtale_magics.kubernetes.server import Server

Manifest = dict[str, Any]

Notes = dict[tuple[str, ...], str]
"""A comment for each path of keys; an index is written as its digits."""


class Route(ABC):
    """A kind of object that leads from host and path to a server's Service.

    Every backend is named by the Service's port *number*: a name in an Ingress has at most 15
    characters, while the Service may carry longer ones, and the mismatch is found only at run time.

    Attributes
    ----------
    name
        What an admin types for it.
    resources
        Plurals of the kinds that it makes, by API group; the hub must be allowed to handle them.
    notes
        Comments for an admin who reads the YAML, by the kind of the object.
    """

    name: ClassVar[str]
    resources: ClassVar[Mapping[str, tuple[str, ...]]]
    notes: ClassVar[Mapping[str, Notes]]

    def __repr__(self) -> str:
        return f"ROUTES[{self.name!r}]"

    @abstractmethod
    def check(self, options: Options) -> None:
        """Refuse options that this kind does not support; `SettingError`."""

    @abstractmethod
    def build(self, options: Options, server: Server) -> list[Manifest]:
        """Build the objects, in the order to create them in."""


def refuse(options: Options, name: str, what: str, hint: str) -> None:
    """Refuse an option, if it was given, that a kind of route does not support."""
    value = getattr(options, name)
    if value not in (None, False, ()):
        raise SettingError(name, value, what, hint)


def by_host(options: Options, server: Server) -> dict[str, list[Address]]:
    """Group the addresses of a server's exposed ports by host."""
    grouped: dict[str, list[Address]] = {}
    for address in addresses(options, server):
        grouped.setdefault(address.host, []).append(address)
    return grouped


def build_object(
    api: str, kind: str, name: str, spec: Manifest, options: Options | None = None
) -> Manifest:
    """Build an object; with `options`, it gets their annotations."""
    metadata: Manifest = {"name": name}
    if options is not None and options.annotations:
        metadata["annotations"] = dict(options.annotations)
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
