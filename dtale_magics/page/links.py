"""Look-only links: which ones exist and for how long; they can be revoked at once."""

from __future__ import annotations

import dataclasses
import itertools
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dtale_magics.errors import UsageError
from dtale_magics.serving import guard

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 8 * 3600.0
"""How long a link is valid by default."""

_BYTES = 16
"""These are 128 random bits."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,6})\s*([smhd])")
_MAX_DAYS = 90


def duration(text: str, flag: str = "--for") -> float:
    """Read how long a link is to be valid, and return that in seconds.

    Raises
    ------
    dtale_magics.errors.UsageError
        Says what can be typed.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if 0 < seconds <= _MAX_DAYS * _UNITS["d"]:
        return float(seconds)
    raise UsageError(
        f"{flag} takes a time of at most {_MAX_DAYS} days, and {text!r} is none.",
        f"Type for example: {flag} 8h   (s, m, h and d are seconds, minutes, hours and days)",
    )


@dataclass(frozen=True)
class Link:
    """A look-only link to a frame.

    Attributes
    ----------
    number
        Its number, by which the user revokes it.
    slug
        First segment of its path, which is the capability; not in the text form.
    data_id, name
        The frame.
    expires
        Seconds since the epoch.
    """

    number: int
    slug: str = field(repr=False)
    data_id: str
    name: str
    expires: float
    _ends: float = field(repr=False)

    @property
    def is_alive(self) -> bool:
        """Whether it is still valid; setting the clock back does not prolong it."""
        return time.time() < self.expires and time.monotonic() < self._ends


class Links:
    """The links that this kernel has given away; thread-safe.

    Parameters
    ----------
    changed
        Called when a link is added or revoked.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._links: list[Link] = []
        self._numbers = itertools.count(1)

    def living(self) -> list[Link]:
        """List the links that are valid now, oldest first."""
        with self._lock:
            self._links = [one for one in self._links if one.is_alive]
            return [*self._links]

    def find(self, slug: str) -> Link | None:
        """Find the valid link whose path begins with `slug`; None if there is none."""
        found = [one for one in self._links if guard.has_capability(slug, one.slug)]
        return found[0] if found and found[0].is_alive else None

    def add(self, data_id: str, name: str, seconds: float = SECONDS) -> Link:
        """Make a link to a frame, valid for `seconds`."""
        slug = f"look-{secrets.token_hex(_BYTES)}"
        times = time.time() + seconds, time.monotonic() + seconds
        with self._lock:
            link = Link(next(self._numbers), slug, data_id, name, *times)
            self._links = [*self._links, link]
        self._changed()
        return link

    def moved(self, old: str, new: str) -> None:
        """Follow a frame that the user gave another id."""
        with self._lock:
            self._links = [
                dataclasses.replace(one, data_id=new) if one.data_id == old else one
                for one in self._links
            ]

    def revoke(self, *links: Link) -> None:
        """Revoke links at once."""
        with self._lock:
            self._links = [one for one in self._links if one not in links]
        self._changed()
