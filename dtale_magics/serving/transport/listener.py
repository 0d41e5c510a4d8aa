"""A port reserved for this process: the bound, listening socket *is* the reservation.

The socket is bound to the wildcard address, of both IP families if there are two. That conflicts
with every other bind of the port; 127.0.0.1 alone would not conflict with the pod's address.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
import time
import weakref
from typing import TYPE_CHECKING, TypeVar

from dtale_magics.errors import PortUnavailableError
from dtale_magics.serving.transport.connections import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

BACKLOG = 1024
"""Connections that may wait to be accepted; the kernel caps it at ``net.core.somaxconn``."""

DEFER_ACCEPT_SECONDS = 10
"""How long Linux holds back a connection that has sent nothing (``TCP_DEFER_ACCEPT``, tcp(7)).

Otherwise connected but silent sockets would stay with the old owner after a takeover.
"""

_MAX_TIES = 20
_TIE_SECONDS = 0.001
"""Unit of the pause after a tie: two bound sockets that listen at once may both be refused."""

_open_listeners: weakref.WeakSet[Listener] = weakref.WeakSet()


class Listener:
    """A listening TCP socket on the wildcard address, which owns its port.

    Attributes
    ----------
    socket, port
        The socket and its port.
    shared
        Whether siblings have copies of it, and accept from it as well.

    Notes
    -----
    The socket is non-blocking everywhere: all processes that share it share O_NONBLOCK as well.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.port: int = sock.getsockname()[1]
        self.shared = False
        _open_listeners.add(self)

    def __repr__(self) -> str:
        return f"<Listener port={self.port} fd={self.fileno()}>"

    def fileno(self) -> int:
        """File descriptor, or -1 when closed."""
        return self.socket.fileno()

    @property
    def inode(self) -> int:
        """Inode of the socket, as ``/proc/net/tcp`` names it."""
        return os.fstat(self.fileno()).st_ino

    def accept(self) -> Connection:
        """Accept one connection; `BlockingIOError` when none waits."""
        sock, address = self.socket.accept()
        return Connection(sock, (address[0].removeprefix("::ffff:"), address[1]), self.port)

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()


def _close_in_forked_child() -> None:
    """Close what a forked child would keep open after the death of this process."""
    for listener in list(_open_listeners):
        listener.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_forked_child)


def new_socket(*, beside_owner: bool = False) -> socket.socket:
    """Make an unbound TCP socket for the wildcard address.

    Parameters
    ----------
    beside_owner
        Whether to bind it beside a listener of the same user (``SO_REUSEPORT``), for steering.
    """
    try:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    except OSError:  # Linux without any IPv6; with disable_ipv6=1 the wildcard still binds
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Otherwise a killed kernel's connections in TIME_WAIT would block the port for a minute.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if beside_owner:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_ACCEPT_SECONDS)
    except OSError:
        sock.close()
        raise
    return sock


def _wildcard(sock: socket.socket) -> str:
    return "::" if sock.family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 (see module)


def listen(sock: socket.socket, port: int) -> Listener:
    """Bind `sock` to `port` of the wildcard address and listen.

    Raises
    ------
    OSError
        As bind(2) and listen(2) do. After a failed bind the socket can be used for another port;
        after a failed listen it cannot (it is bound) and is closed here.
    """
    sock.bind((_wildcard(sock), port))
    try:
        sock.listen(BACKLOG)
        # This lets a sibling bind beside us later. It is set only now: two sockets that have
        # SO_REUSEPORT before they listen could both end up listening. As it is, the second
        # listen fails.
        if hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        sock.close()
        raise
    return Listener(sock)


def bind(port: int) -> Listener:
    """Reserve exactly `port`.

    Raises
    ------
    OSError
        ``EADDRINUSE`` when somebody has it, ``EACCES`` without permission.
    """
    for attempt in range(1, _MAX_TIES + 1):
        sock = new_socket()
        try:
            return listen(sock, port)
        except OSError as error:
            tie = error.errno == errno.EADDRINUSE and sock.fileno() < 0
            sock.close()
            if not tie or attempt == _MAX_TIES:
                raise
        time.sleep(random.uniform(0, attempt * _TIE_SECONDS))  # noqa: S311 (no secret)
    raise AssertionError  # the last attempt raised


def could_bind(port: int) -> bool:
    """Whether `port` is free at this moment; for information only, as it reserves nothing."""
    with new_socket() as sock:
        try:
            sock.bind((_wildcard(sock), port))
        except OSError:
            return False
    return True


def may_bind(port: int) -> bool:
    """Whether this user may listen on `port`, whoever has it now."""
    with new_socket() as sock:
        try:
            sock.bind((_wildcard(sock), port))
        except OSError as error:
            return error.errno != errno.EACCES
    return True


def reserve(
    ports: Iterable[int], otherwise: Callable[[int], T | None] = lambda _: None
) -> Listener | T:
    """Reserve the first of `ports` that is free.

    Each taken port costs only some microseconds: a socket whose bind failed is used again.

    Parameters
    ----------
    ports
        In the order to try them.
    otherwise
        Called for a port that is taken; what it returns is the result, unless that is None.

    Raises
    ------
    PortUnavailableError
        When every port is taken (the error names the holders of the first ones) or forbidden.
    """
    ports = list(ports)
    forbidden: list[int] = []
    sock = new_socket()
    for port in ports:
        try:
            return listen(sock, port)
        except OSError as error:
            if error.errno == errno.EACCES:
                forbidden.append(port)
            elif error.errno != errno.EADDRINUSE:
                sock.close()
                raise
        if sock.fileno() < 0:
            sock = new_socket()
            with contextlib.suppress(OSError):
                return bind(port)
        found = otherwise(port)
        if found is not None:
            sock.close()
            return found
    sock.close()
    raise _unavailable(ports, forbidden)


def _unavailable(ports: list[int], forbidden: list[int]) -> PortUnavailableError:
    from dtale_magics.system import holders

    if forbidden and len(forbidden) == len(ports):
        what = f"No permission to listen on port {_span(ports)}."
        return PortUnavailableError(
            ports,
            what,
            "Ports below 1024 need privileges. Choose others: %dtale_port 40000 49000",
        )
    ports = sorted(ports)
    what = f"No free port: all of {_span(ports)} are taken."
    lines = [f"{port}: {holders.describe(port)}" for port in ports[:3]]
    if len(ports) > len(lines):
        lines.append("…")
    more = f"%dtale_port {ports[0]} {min(ports[-1] + 1000, 65535)}"
    lines.append(f"Stop one of them, or widen the range: {more}")
    return PortUnavailableError(ports, what, "\n".join(lines))


def _span(ports: list[int]) -> str:
    return str(ports[0]) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}"
