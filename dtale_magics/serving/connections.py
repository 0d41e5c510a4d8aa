"""The connections that are being served: their number is bounded, and so is the time of each.

A connection has to be *admitted* by whoever answers it. One that was not in time is cut, so that
half-open connections can neither become threads without end nor keep others out.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Protocol

_CROWDED_SECONDS = 1.0


class Accepting(Protocol):
    """What an acceptor needs of a listener."""

    def fileno(self) -> int:
        """File descriptor."""

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept one connection, without blocking."""

    def close(self) -> None:
        """Stop listening."""


class Connection:
    """One accepted connection.

    Attributes
    ----------
    socket
        Blocking, and closed by the acceptor when the handler returns.
    address
        The peer's.
    listener
        Where it came in.
    """

    def __init__(self, sock: socket.socket, address: tuple[str, int], listener: Accepting) -> None:
        self.socket = sock
        self.address = address
        self.listener = listener
        self.opened = time.monotonic()
        self.admitted = False

    def admit(self) -> None:
        """Say that the peer has shown what it must: from now on the connection is never cut."""
        self.admitted = True

    def cut(self) -> None:
        """End the connection under its handler, which then sees end of file."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket, saying so to the peer even if a forked child holds a copy."""
        self.cut()
        self.socket.close()


class Connections:
    """Thread-safe set of the connections that are being served.

    Parameters
    ----------
    limit
        Beyond it, the set is `full`.
    admission_seconds
        A connection that was not admitted (`Connection.admit`) within so many seconds of its being
        served is cut; within one second when others wait for its place.
    """

    def __init__(self, limit: int, admission_seconds: float) -> None:
        self._limit = limit
        self._admission_seconds = admission_seconds
        self._changed = threading.Condition()
        self._served: dict[Connection, float] = {}
        """Since when, as `time.monotonic` has it; before, they may have waited for a place."""

    def __len__(self) -> int:
        return len(self._served)

    @property
    def full(self) -> bool:
        """Whether further ones have to wait."""
        return len(self._served) >= self._limit

    def add(self, connection: Connection) -> None:
        """Enter a connection that is served from now on."""
        with self._changed:
            self._served[connection] = time.monotonic()

    def end(self, connection: Connection) -> None:
        """Close a connection and strike it out."""
        connection.close()
        with self._changed:
            self._served.pop(connection, None)
            self._changed.notify_all()

    def wait_until_empty(self, timeout: float) -> bool:
        """Wait until nothing is being served; False when something is after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._served, timeout)

    def cut_all(self) -> None:
        """End every connection under its handler."""
        with self._changed:
            for connection in self._served:
                connection.cut()

    def cut_late(self) -> None:
        """End those that were not admitted in time."""
        now = time.monotonic()
        for connection, deadline in self._deadlines().items():
            if deadline <= now:
                connection.cut()

    @property
    def next_deadline(self) -> float | None:
        """``time.monotonic()`` at which the next one is due to be cut; None if none is."""
        return min(self._deadlines().values(), default=None)

    def _deadlines(self) -> dict[Connection, float]:
        seconds = self._admission_seconds
        if self.full:
            seconds = min(seconds, _CROWDED_SECONDS)
        with self._changed:
            return {one: at + seconds for one, at in self._served.items() if not one.admitted}
