"""In front: which notebook on a port answers what is addressed to nobody in particular.

Each kernel that shares a port has a name for its place there, with a *generation*. Kernels that
stand by have generation 0; one that takes over uses the highest living generation plus one. The
kernel with the highest generation is in front; if all stand by, it is the one that came first.

So exactly one kernel is in front at any time, and nobody has to be asked or told: the name of a
killed kernel vanishes with it, and a kernel that gives the place back closes its name.
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
"""Names, with their inodes, that were proved to be a process's of this user.

Only abstract names are kept: these vanish with their process.
"""


class Place(NamedTuple):
    """A kernel's place among those of a port; the greatest is in front.

    Attributes
    ----------
    generation
        0 for one that stands by.
    minus_since
        When the place was taken, in seconds since the epoch, negated so that earlier is greater.
    owner, pid
        The kernel.
    name, inode
        Name of the inbox to pass its connections to, and the inode of that socket.
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
    """List the places of `port`, the one in front first; the names are not proved."""
    found = []
    for name, fields, inode in names.listed(f"front/{port}/", 4):
        generation, milliseconds, pid, owner = fields
        if all(_is_number(text) for text in (generation, milliseconds, pid)):
            since = int(milliseconds) / 1000
            found.append(Place(int(generation), -since, owner, int(pid), name, inode))
    return sorted(found, reverse=True)


def in_front(port: int) -> Place | None:
    """Return the place in front, proved to belong to a living process of this user, if any."""
    return next((place for place in places(port) if _is_proved(place)), None)


def _is_proved(place: Place) -> bool:
    """Whether a process of this user has that name: other users can take any name."""
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
    """This kernel's places at one port.

    Parameters
    ----------
    port
        The port.
    owner
        Random id of this kernel.
    server
        Serves the connections that are passed here while this kernel is in front.
    """

    def __init__(self, port: int, owner: str, server: Serves) -> None:
        self._port = port
        self._owner = owner
        self._server = server
        self._standing_by = self._bind(0)
        self._taken: Inbox | None = None

    def take(self, before: Place | None = None) -> Place | None:
        """Move in front of `before`, which is in front now.

        Returns
        -------
        Place or None
            A rival that took the place at the same moment and has it; None when we have it.
        """
        fresh = self._bind(1 + (0 if before is None else before.generation))
        now = in_front(self._port)
        if now is None or self._is_own(now):
            if self._taken is not None:
                self._taken.drop(wait=False)  # a lower generation no longer counts
            self._taken = fresh
            return None
        fresh.drop()
        return now

    def give_back(self) -> Place | None:
        """Let the kernel before us be in front, and return it; None when there is nobody else."""
        if all(map(self._is_own, places(self._port))):
            return None
        self._drop_taken()
        now = in_front(self._port)
        if now is not None and self._is_own(now):  # all stand by, and we came first: queue up last
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
            time.sleep(0.001)  # we already have a place of this very millisecond
