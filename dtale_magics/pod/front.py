"""In front: which notebook of a port answers what is addressed to nobody in particular.

Each kernel that shares a port has a name for it with a *generation*: 0 for those that stand by,
the highest of the living plus one for the one that takes over. The highest is in front; of several
that stand by, the one that came first. So there is always exactly one in front: a killed kernel's
name is gone with it, one that gives the place back closes its own, and nobody has to be asked or
told.
"""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from dtale_magics.pod import names
from dtale_magics.pod.inbox import Inbox

if TYPE_CHECKING:
    from dtale_magics.pod.inbox import Serves

_MAX_PROVED = 256

_proved: set[tuple[str, int]] = set()
"""Names whose owner was asked for, with their inodes; abstract ones alone, which leave nothing."""


class Place(NamedTuple):
    """A kernel's place among those of a port; the greatest is in front.

    Attributes
    ----------
    generation
        0 for one that stands by.
    minus_since
        The time at which it was taken, negative: seconds since the epoch.
    owner, pid
        The kernel.
    name, inode
        Under which connections can be passed to it, and the inode of that.
    """

    generation: int
    minus_since: float
    owner: str
    pid: int
    name: str
    inode: int

    @property
    def since(self) -> float:
        """When the place was taken, seconds since the epoch."""
        return -self.minus_since


def places(port: int) -> list[Place]:
    """List the places of `port`, the one in front first, as the names alone assert them."""
    found = []
    for name, fields, inode in names.listed(f"front/{port}/", 4):
        generation, milliseconds, pid, owner = fields
        if all(_is_number(text) for text in (generation, milliseconds, pid)):
            since = int(milliseconds) / 1000
            found.append(Place(int(generation), -since, owner, int(pid), name, inode))
    return sorted(found, reverse=True)


def in_front(port: int) -> Place | None:
    """Return the place in front, proved to be of a living process of this user; None for none."""
    return next((place for place in places(port) if _is_proved(place)), None)


def _is_proved(place: Place) -> bool:
    """Whether a process of this user has that name; other users can have any."""
    key = (place.name, place.inode)
    if key in _proved:
        return True
    if names.owner(place.name) is None:
        return False
    if names.ABSTRACT:
        if len(_proved) >= _MAX_PROVED:
            _proved.clear()
        _proved.add(key)
    return True


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15  # noqa: PLR2004 (fits 64 bits)


class Front:
    """This kernel's places of one port.

    Parameters
    ----------
    port
        The port.
    owner
        Random id of this kernel.
    server
        Serves what is passed to the one in front.
    """

    def __init__(self, port: int, owner: str, server: Serves) -> None:
        self._port = port
        self._owner = owner
        self._server = server
        self._standing_by = self._bind(0)
        self._taken: Inbox | None = None

    def take(self, before: Place | None = None) -> Place | None:
        """Be the one in front, instead of `before` who is now.

        Returns
        -------
        Place or None
            Who else took it in the same moment and has it; None when we have.
        """
        fresh = self._bind(1 + (0 if before is None else before.generation))
        now = in_front(self._port)
        if now is None or self._is_own(now):
            if self._taken is not None:
                self._taken.drop(wait=False)  # a lower one says nothing any more
            self._taken = fresh
            return None
        fresh.drop()
        return now

    def give_back(self) -> Place | None:
        """Let the one before be in front; None when there is nobody else."""
        if all(map(self._is_own, places(self._port))):
            return None
        self._drop_taken()
        now = in_front(self._port)
        if now is not None and self._is_own(now):  # nobody has taken it, and we came first
            before, self._standing_by = self._standing_by, self._bind(0)
            before.drop()
        return in_front(self._port)

    def leave(self) -> None:
        """Give up every place."""
        self._drop_taken()
        self._standing_by.drop()

    def _drop_taken(self) -> None:
        if self._taken is not None:
            self._taken.drop()
            self._taken = None

    def _is_own(self, place: Place) -> bool:
        return (place.pid, place.owner) == (os.getpid(), self._owner)

    def _bind(self, generation: int) -> Inbox:
        while True:
            milliseconds = int(time.time() * 1000)
            place = f"{generation}/{milliseconds}/{os.getpid()}/{self._owner}"
            try:
                return Inbox(f"front/{self._port}/{place}", self._server)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            time.sleep(0.001)  # we had that place in this very millisecond
