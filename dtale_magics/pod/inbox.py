"""Inboxes: where a kernel receives the connections that its siblings have accepted for it.

An inbox is a name. A sibling connects to it once; that connection is a *lane*. For each connection
that it passes on, it sends a frame of a few bytes with the descriptor (SCM_RIGHTS), and the inbox
answers with one byte: taken, or not taken. So the sender knows which connections were not taken
when a process ends, and which have waited too long.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Protocol

from dtale_magics.pod import names
from dtale_magics.serving.transport.connections import Connection

if TYPE_CHECKING:
    from dtale_magics.serving.transport.connections import Accepting

FRAME = struct.Struct("=4sd")
"""A mark, and the deadline as ``time.monotonic()``, which all processes of a machine share."""

MARK = b"dtm2"
TAKEN = b"+"
NOT_TAKEN = b"-"


class Serves(Protocol):
    """What serves listeners; `dtale_magics.serving.transport.server.Server` does."""

    def add(self, *listeners: Accepting, wait: bool = ...) -> None:
        """Serve them."""

    def remove(self, *listeners: Accepting, linger: float = ...) -> None:
        """Serve them for `linger` more seconds, then close them."""

    def drop(self, *listeners: Accepting, wait: bool = ...) -> None:
        """Close them at once."""


class Inbox:
    """A name of this kernel to which siblings pass connections.

    Parameters
    ----------
    name
        As `dtale_magics.pod.names` takes it.
    server
        Serves what comes in.

    Raises
    ------
    OSError
        ``EADDRINUSE`` when somebody has that name.
    """

    shared = False

    def __init__(self, name: str, server: Serves) -> None:
        self._named = names.Named(name)
        self._server = server
        server.add(self, wait=False)

    def fileno(self) -> int:
        """File descriptor, or -1 when closed."""
        return self._named.fileno()

    def accept(self) -> Connection:
        """Let another sibling pass connections here; its lane is not a connection to serve."""
        sender = self._named.accept()
        if sender is not None:
            self._server.add(_Lane(sender, self._server), wait=False)
        raise BlockingIOError

    def drop(self, *, wait: bool = True) -> None:
        """Close it; with `wait`, the name is free when this returns."""
        self._server.drop(self, wait=wait)

    def close(self) -> None:
        """Give the name up; for the accepting thread."""
        self._named.close()


class _Lane:
    """A sibling that passes connections to us."""

    shared = False

    def __init__(self, sender: socket.socket, server: Serves) -> None:
        sender.setblocking(False)
        names.close_in_forked_child(sender)
        self._sender = sender
        self._server = server

    def fileno(self) -> int:
        return self._sender.fileno()

    def accept(self) -> Connection:
        """Take the next connection.

        Raises
        ------
        BlockingIOError
            When there is none.
        OSError
            When no descriptor is left for it; the connection stays with the sibling.
        """
        try:
            frame, descriptors, _ = names.receive(self._sender, FRAME.size, 1)
        except ConnectionError:
            frame, descriptors = b"", []
        if len(frame) != FRAME.size or not frame.startswith(MARK):
            for descriptor in descriptors:
                os.close(descriptor)
            self._server.drop(self, wait=False)
            raise BlockingIOError
        if not descriptors:
            self._answer(NOT_TAKEN)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self._answer(TAKEN)
        _, deadline = FRAME.unpack(frame)
        connection = _connection(descriptors[0])
        if connection is None or time.monotonic() > deadline:
            if connection is not None:
                connection.let_go()  # the sibling that passed it has answered it
            raise BlockingIOError
        return connection

    def close(self) -> None:
        self._sender.close()

    def _answer(self, byte: bytes) -> None:
        with contextlib.suppress(OSError):  # the sibling ended, or does not read
            self._sender.send(byte)


def _connection(descriptor: int) -> Connection | None:
    """Make a connection of a passed descriptor; None if it is not one, or has ended."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        return None
    try:
        if sock.family not in {socket.AF_INET, socket.AF_INET6} or sock.type != socket.SOCK_STREAM:
            raise OSError
        host, port, *_ = sock.getpeername()
        here = sock.getsockname()[1]
    except OSError:
        sock.close()
        return None
    return Connection(sock, (host.removeprefix("::ffff:"), port), here, passed=True)
