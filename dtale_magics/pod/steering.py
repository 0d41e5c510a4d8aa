"""Steering: send all new connections of a port to one socket of its group (Linux).

Sockets of one user that are bound to one port with SO_REUSEPORT form a group, ordered by their
``listen``. A classic BPF program picks the socket for each new connection by its index in the group
(``SO_ATTACH_REUSEPORT_CBPF``, socket(7)).

When none of its siblings answers, a newcomer joins the group behind their sockets and steers the
port to itself. Its index must not change afterwards: when a member leaves, Linux moves the *last*
member into the gap, and if the program then points past the end, Linux spreads connections over
all remaining sockets, those of a suspended kernel included. The socket at index i is moved only if
it is the last one, so only if the group has exactly i + 1 members; that cannot happen while more
than i sockets of the group are ours. So whoever joins behind f sockets of others joins with f + 1,
and then no order in which the others leave can direct a connection to them.
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
"""Join a group only if it has at most this many sockets of others.

Each newcomer that finds all others suspended doubles the group.
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
        ``EINVAL`` while there is no group yet; in a sandbox, any other error.
    """
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, index))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)


@functools.cache
def available() -> bool:
    """Whether this system can steer: tried once, on a port that the system chooses."""
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
                # Close by a reset, so that the trial leaves no TIME_WAIT behind.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(b"\r\n")  # a deferred accept does not report silent connections
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
    """Steer a port to its only socket, in case another program of this user binds beside it.

    Linux allows that program to bind, as it allows our siblings; fenced off, it gets no connection.
    A BPF program can only be attached to a group, so a second socket joins for a moment.

    Parameters
    ----------
    first
        The socket.
    serve
        Serves the second socket for as long as there may be connections in its queue.
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
        An empty list that receives our sockets: first the one that connections are steered to, then
        those that keep its index stable. After an error, the caller closes them.
    serve
        Starts to serve sockets; connections may arrive on them from the first moment.

    Raises
    ------
    OSError
        As bind(2) does; ``E2BIG`` if the group is too large, ``EAGAIN`` if it does not stop
        changing.
    """
    for _ in range(_MAX_ATTEMPTS):
        group = members(port)
        others = group - {one.inode for one in mine}
        if len(others) > MAX_OTHERS:
            raise OSError(errno.E2BIG, f"{len(others)} sockets of others listen on it")
        for number in range(len(others) + 1):
            mine.insert(number, _join_one(port))
        serve(mine[: len(others) + 1])
        if group <= members(port):  # nobody has left, so our first socket is right behind them
            attach(mine[0].socket, len(group))
            return
    raise OSError(errno.EAGAIN, "its group changes without end")
