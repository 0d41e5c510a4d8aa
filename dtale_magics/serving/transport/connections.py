"""The connections that are being served: their number is bounded, and so is the time of each.

A connection has to be *admitted* by its handler. One that is not admitted in time is cut, so that
half-open connections can neither pile up threads nor keep others out.

A peer that knows only the path of the static files is not admitted but gets a *download*. Downloads
have places of their own, so that peers that do not read what they asked for block no requests.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dtale_magics.serving.transport.limits import Limits

_GRACE_SECONDS = 2.0
"""Age below which the speed of a download means nothing."""

_PIECE = 64 * 1024
_SEND_BUFFER = 256 * 1024
"""For a download; the system's default would grow to megabytes for a peer that does not read."""

_RESET = struct.pack("ii", 1, 0)
"""Value of SO_LINGER: what was not sent by the close is discarded."""


class Accepting(Protocol):
    """What an acceptor needs from a listener."""

    def fileno(self) -> int:
        """File descriptor."""

    @property
    def shared(self) -> bool:
        """Whether other processes also accept from it."""

    def accept(self) -> Connection:
        """Accept one connection, without blocking."""

    def close(self) -> None:
        """Stop listening."""


class Connection:
    """One accepted connection.

    Attributes
    ----------
    socket
        Blocking; the acceptor closes it when the handler returns.
    address
        Address of the peer.
    port
        Port on which it came in.
    passed
        Whether a sibling accepted it and passed it here.
    untaken
        Whether it is meant for a sibling that does not take it.
    """

    def __init__(
        self, sock: socket.socket, address: tuple[str, int], port: int, *, passed: bool = False
    ) -> None:
        self.socket = sock
        self.address = address
        self.port = port
        self.passed = passed
        self.untaken = False
        self.opened = time.monotonic()
        self.admitted = False
        self.sent = 0
        self.begin_download: Callable[[], None] = _do_nothing

    def admit(self) -> None:
        """Mark that the peer has shown the link: from now on the connection is never cut."""
        self.admitted = True

    def download(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """Yield `body` in pieces, and count what the system has taken of it."""
        try:
            for whole in body:
                for start in range(0, len(whole), _PIECE):
                    piece = whole[start : start + _PIECE]
                    yield piece
                    self.sent += len(piece)
        finally:
            close = getattr(body, "close", _do_nothing)
            close()

    def reset(self) -> None:
        """End the connection under its handler, and discard what the system has yet to send."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.cut()

    def cut(self) -> None:
        """End the connection under its handler, which then sees end of file."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Close only our copy of the socket: another process answers."""
        self.socket.close()

    def close(self) -> None:
        """Close the socket; the peer sees that even if a forked child holds a copy."""
        self.cut()
        self.socket.close()


def _do_nothing() -> None:
    pass


class Connections:
    """Thread-safe set of the connections that are being served.

    Parameters
    ----------
    limits
        How many there may be, and after how long each is cut.
    on_room
        Called, from any thread, when a place has become free.
    """

    def __init__(self, limits: Limits, on_room: Callable[[], None] = _do_nothing) -> None:
        self._limits = limits
        self._on_room = on_room
        self._changed = threading.Condition()
        self._served: dict[Connection, float] = {}
        """``time.monotonic()`` since which each has been served, not counting a wait for a place.
        """
        self._downloads: dict[Connection, float] = {}

    def __len__(self) -> int:
        return len(self._served)

    @property
    def full(self) -> bool:
        """Whether further ones have to wait."""
        return len(self._served) >= self._limits.served

    def add(self, connection: Connection) -> None:
        """Enter a connection that is served from now on."""
        connection.begin_download = lambda: self._begin_download(connection)
        with self._changed:
            self._served[connection] = time.monotonic()

    def end(self, connection: Connection) -> None:
        """Close a connection and remove it."""
        connection.close()
        connection.begin_download = _do_nothing
        with self._changed:
            self._served.pop(connection, None)
            self._downloads.pop(connection, None)
            self._changed.notify_all()
        self._on_room()

    def _begin_download(self, connection: Connection) -> None:
        """Move `connection` from the served connections to the downloads."""
        with contextlib.suppress(OSError):  # the peer went away
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        with self._changed:
            self._served.pop(connection, None)
            if len(self._downloads) >= self._limits.downloads:
                slowest = min(self._downloads, key=self._standing)
                del self._downloads[slowest]
                slowest.reset()
            self._downloads[connection] = time.monotonic()
            self._changed.notify_all()
        self._on_room()

    def _standing(self, connection: Connection) -> tuple[bool, float]:
        """Sort key of downloads: the slowest first, then those that have just begun, by age."""
        since = self._downloads[connection]
        age = time.monotonic() - since
        young = age < _GRACE_SECONDS
        return young, since if young else connection.sent / age

    def wait_until_empty(self, timeout: float) -> bool:
        """Wait until only downloads are being served; False when `timeout` is over."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._served, timeout)

    def cut_all(self) -> None:
        """End every connection under its handler."""
        with self._changed:
            for connection in [*self._served, *self._downloads]:
                connection.cut()

    def cut_late(self) -> None:
        """End those that were not admitted in time, and downloads that take too long."""
        now = time.monotonic()
        for connection, deadline in self._deadlines().items():
            if deadline <= now and connection in self._downloads:
                connection.reset()
            elif deadline <= now:
                connection.cut()

    @property
    def next_deadline(self) -> float | None:
        """``time.monotonic()`` at which the next one is due to be cut; None if none is."""
        return min(self._deadlines().values(), default=None)

    def _deadlines(self) -> dict[Connection, float]:
        limits = self._limits
        seconds = limits.admission_seconds
        if self.full:
            seconds = min(seconds, limits.crowded_seconds)
        with self._changed:
            served = {one: at + seconds for one, at in self._served.items() if not one.admitted}
            downloads = {one: at + limits.download_seconds for one, at in self._downloads.items()}
        return served | downloads
