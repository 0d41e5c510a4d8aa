"""Steering: all new connections of a port to one socket of the group that listens on it (Linux).

Sockets of one user that are bound to one port with SO_REUSEPORT form a group, in the order of
their ``listen``; a classic BPF program chooses one for every new connection, by its place
(``SO_ATTACH_REUSEPORT_CBPF``, socket(7)).

A newcomer whose siblings all do not answer joins the group behind their sockets and steers the
port to itself. When a member leaves, the *last* one moves into its place, and if the program then
points past the end, Linux spreads connections over all who are left, a suspended one included. The
socket at place i is moved only if the group has i + 1 members when one in front of it leaves. As
long as more than i sockets of the group are ours, that cannot happen. So whoever joins behind f
members of others joins with f + 1 sockets, and then no order in which others leave can turn a
connection to them.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import socket
import struct
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from dtale_magics.serving.transport import listener
from dtale_magics.system import holders

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.serving.transport.listener import Listener

MAX_OTHERS = 31
"""Behind so many sockets of others we join at most: each time that all are suspended doubles them.
"""

_SO_ATTACH_REUSEPORT_CBPF = 51  # asm-generic/socket.h
_RETURN = 0x06  # BPF_RET | BPF_K of linux/bpf_common.h
_MAX_ATTEMPTS = 20
_TRIAL_SECONDS = 0.5


def members(port: int) -> frozenset[int]:
    """Return the inodes of all sockets that listen on `port`."""
    return frozenset(entry.inode for entry in holders.listening_sockets(port))


def attach(sock: socket.socket, index: int) -> None:
    """Steer all new connections of the group of `sock` to the member at `index`.

    Raises
    ------
    OSError
        ``EINVAL`` while nobody has joined the group; whatever a sandbox says.
    """
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, index))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)


@functools.cache
def available() -> bool:
    """Whether this system steers: tried once, on a port that the system chooses."""
    if sys.platform != "linux" or not hasattr(socket, "SO_REUSEPORT"):
        return False
    with suppress(OSError), ExitStack() as stack:
        first = listener.bind(0)
        stack.callback(first.close)
        second = _join_one(first.port)
        stack.callback(second.close)
        attach(second.socket, 1)
        second.socket.settimeout(_TRIAL_SECONDS)
        for _ in range(4):
            with socket.create_connection(("127.0.0.1", first.port), _TRIAL_SECONDS) as client:
                # Closed by a reset: a probe shall leave no TIME_WAIT behind.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(b"\r\n")  # a deferred accept shows no connection that is silent
                second.socket.accept()[0].close()
        return True
    return False


def _join_one(port: int) -> Listener:
    sock = listener.new_socket(beside_owner=True)
    try:
        return listener.listen(sock, port)
    except OSError:
        sock.close()
        raise


def fence(first: Listener, serve: Callable[[Listener], None]) -> None:
    """Steer a port to its only socket, before any program of this user binds beside it.

    Linux lets it, as it lets our siblings; it then gets no connection. A program is attached to a
    group, so a second socket makes one for a moment.

    Parameters
    ----------
    first
        The socket.
    serve
        Serves the second one for as long as connections may be in its queue.
    """
    second = _join_one(first.port)
    try:
        attach(first.socket, 0)
    finally:
        serve(second)


def join(port: int, mine: list[Listener], serve: Callable[[list[Listener]], None]) -> None:
    """Join the group of `port` and steer the port here; the caller holds the port's lock.

    Parameters
    ----------
    port
        The port in question.
    mine
        Empty; our sockets are put into it: the one that connections are steered to, then those that
        keep its place. After an error, the caller closes them.
    serve
        Starts to serve sockets, to which connections may come from the first moment.

    Raises
    ------
    OSError
        As bind(2) does, ``E2BIG`` for a group that is too large, ``EAGAIN`` for one that changes
        without end.
    """
    for _ in range(_MAX_ATTEMPTS):
        group = members(port)
        others = group - {one.inode for one in mine}
        if len(others) > MAX_OTHERS:
            raise OSError(errno.E2BIG, f"{len(others)} sockets of others listen on it")
        for number in range(len(others) + 1):
            mine.insert(number, _join_one(port))
        serve(mine[: len(others) + 1])
        if group <= members(port):  # nobody has left, so the first one is right behind them
            attach(mine[0].socket, len(group))
            return
    raise OSError(errno.EAGAIN, "its group changes without end")
