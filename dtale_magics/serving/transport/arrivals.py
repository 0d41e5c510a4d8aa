"""Connections whose request head is incomplete: each costs a descriptor, but no thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dtale_magics.serving.transport.connections import Connection
    from dtale_magics.serving.transport.limits import Limits

MAX_HEAD = 64 * 1024
"""Maximum number of bytes to wait for; with as many, the handler refuses the request."""

_END = b"\r\n\r\n"


class Arrivals:
    """Waits for the heads of HTTP requests; for the accepting thread alone.

    What has arrived is only looked at (``MSG_PEEK``) and stays in the socket for the handler.

    Parameters
    ----------
    selector
        The accepting thread's. A waiting connection is registered with itself as the key's data.
    limits
        How many connections may wait at once, and for how long after they were opened.
    """

    def __init__(self, selector: selectors.BaseSelector, limits: Limits) -> None:
        self._selector = selector
        self._limits = limits
        self._seen: OrderedDict[Connection, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def head(self, connection: Connection) -> bytes | None:
        """Return what a handler can start with; None if the connection waits or was closed."""
        known = self._seen.get(connection)
        seen = _peek(connection.socket)
        if seen is None:  # nothing yet
            seen, grown = b"", known is None
        else:
            grown = len(seen) > (known or 0)
        if not grown or _is_head(seen):  # without growth, the peer has sent all it will send
            self._forget(connection)
            return seen
        if seen and not seen[:1].isalpha():  # not a method; the start of TLS, for example
            self._forget(connection)
            connection.close()
            return None
        if known is None:
            self._make_room()
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        self._seen[connection] = len(seen)
        _wake_beyond(connection.socket, len(seen))
        return None

    @property
    def next_deadline(self) -> float | None:
        """``time.monotonic()`` at which to close the oldest connection; None if there is none."""
        oldest = next(iter(self._seen), None)
        return None if oldest is None else oldest.opened + self._limits.admission_seconds

    def close_late(self) -> None:
        """Close those whose head has not arrived in time."""
        now = time.monotonic()
        while (deadline := self.next_deadline) is not None and deadline <= now:
            self._drop_oldest()

    def close_all(self) -> None:
        """Close all of them."""
        while self._seen:
            self._drop_oldest()

    def _make_room(self) -> None:
        if len(self._seen) >= self._limits.heads:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._seen))
        self._forget(oldest)
        oldest.close()

    def _forget(self, connection: Connection) -> None:
        if self._seen.pop(connection, None) is not None:
            self._selector.unregister(connection.socket)
            _wake_beyond(connection.socket, 0)


def _peek(sock: socket.socket) -> bytes | None:
    """Return what has arrived; None if nothing has, b"" at the end of the stream or on failure."""
    try:
        return sock.recv(MAX_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _is_head(seen: bytes) -> bool:
    """Whether this is a whole head, or too long for one."""
    return _END in seen or len(seen) >= MAX_HEAD


def _wake_beyond(sock: socket.socket, seen: int) -> None:
    """Have the selector report `sock` only when it has more than `seen` bytes."""
    with contextlib.suppress(OSError):  # it has failed, so the selector reports it anyway
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
