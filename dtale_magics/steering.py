"""Steering: all new connections of a port to one socket of the group that shares it (Linux).

Sockets of one user that are bound to one port with SO_REUSEPORT form a group, in the order of
their ``listen``; a classic BPF program of one instruction, "return i", chooses the i-th for every
new connection (``SO_ATTACH_REUSEPORT_CBPF``, socket(7)).

When a member leaves, the *last* one moves into its place. A socket of ours therefore moves only
while it is the last one. So whoever joins behind f members of others brings f further sockets,
which queue up behind it: each of the others that leaves moves one of them down, and when all have
left, none has moved the one that counts. No order in which others leave can thus turn a connection
to one of them. Sockets of our own in front of it, from an earlier takeover, stay where they are for
as long: counting them among the others would make a group that changes hands quickly grow without
end.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dtale_magics import holders, listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.listener import Listener

MAX_SPARES = 32
"""Bound on what one takeover adds to a group; beyond it the watch joins again when others leave."""

_SO_ATTACH_REUSEPORT_CBPF = 51  # asm-generic/socket.h
_BPF_RET_K = 0x06  # BPF_RET | BPF_K of linux/bpf_common.h
_MAX_ATTEMPTS = 20
_PROBE_SECONDS = 1.0
_TRIAL_SECONDS = 3.0


class SteeringError(OSError):
    """The group could not be joined, or does not steer."""


@dataclass
class Membership:
    """This process's sockets in the group of a port.

    Attributes
    ----------
    listeners
        The one that connections are steered to, then the spare ones.
    index
        Place of the first in the group; None when it is not known.
    below
        Inodes of the sockets in front of it when it joined.
    behind
        How many spare ones joined behind it.
    """

    listeners: list[Listener]
    index: int | None = 0
    below: frozenset[int] = frozenset()
    behind: int = 0

    @property
    def inodes(self) -> frozenset[int]:
        """Inodes of the sockets that are still open."""
        return _inodes(self.listeners)

    def certain(self, group: frozenset[int]) -> bool:
        """Whether the index still holds: only one that leaves in front of it can move it."""
        return self.index is not None and self.below | self.inodes <= group

    def safe(self, group: frozenset[int]) -> bool:
        """Whether the index goes on to hold whoever else leaves the group, and when."""
        others = (self.below & group) - self.inodes
        open_ones = sum(one.fileno() >= 0 for one in self.listeners[1 : 1 + self.behind])
        moved = len(self.below - group)  # into the places of those that have left
        return self.index is not None and open_ones - moved >= len(others)


def _inodes(listeners: list[Listener]) -> frozenset[int]:
    found = set()
    for one in listeners:
        with contextlib.suppress(OSError):  # closed meanwhile
            found.add(one.inode)
    return frozenset(found)


def members(port: int) -> frozenset[int]:
    """Inodes of all sockets that listen on `port`."""
    return frozenset(entry.inode for entry in holders.listening_sockets(port))


def attach(sock: socket.socket, index: int) -> None:
    """Steer all new connections of the group of `sock` to the member at `index`.

    Raises
    ------
    OSError
        ``EINVAL`` while nobody has joined the group; whatever a sandbox says.
    """
    code = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RET_K, 0, 0, index))
    program = struct.pack("HP", 1, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)


class _Trial:
    """Whether this system steers, tried once in each process, in a thread of its own."""

    lock = threading.Lock()
    found: Future[bool] | None = None

    @classmethod
    def start(cls) -> Future[bool]:
        with cls.lock:
            if cls.found is None:
                cls.found = Future()
                threading.Thread(
                    target=_try_steering, args=(cls.found,), name="dtale_magics trial", daemon=True
                ).start()
            return cls.found

    @classmethod
    def forget(cls) -> None:
        """In a forked child, where that thread may be missing."""
        cls.lock, cls.found = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Trial.forget)


def prepare() -> None:
    """Begin to find out whether this system steers, so that the first takeover need not wait."""
    _Trial.start()


def available() -> bool:
    """Whether this system steers: tried once, on a port that the system chooses."""
    try:
        return _Trial.start().result(_TRIAL_SECONDS)
    except FutureTimeoutError:
        return False


def _try_steering(found: Future[bool]) -> None:
    steers = False
    try:
        if sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT"):
            with contextlib.suppress(OSError):
                steers = _steers()
    finally:
        found.set_result(steers)


def _steers() -> bool:
    with contextlib.ExitStack() as stack:
        first = listener.bind(0)
        stack.callback(first.close)
        second = _join_one(first.port)
        stack.callback(second.close)
        if not {first.inode, second.inode} <= members(first.port):
            return False
        attach(second.socket, 1)
        for _ in range(4):
            with socket.create_connection(("127.0.0.1", first.port), _PROBE_SECONDS) as client:
                # Closed by a reset: the probe shall leave no TIME_WAIT behind.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(b"\r\n")  # a deferred accept shows no connection that is silent
                second.socket.settimeout(_PROBE_SECONDS)
                second.accept()[0].close()
        return True


def _join_one(port: int) -> Listener:
    sock = listener.new_socket(beside_owner=True)
    try:
        return listener.listen(sock, port)
    except OSError:
        sock.close()
        raise


def join(
    port: int, group: frozenset[int], own: list[Listener], adopt: Callable[..., None]
) -> Membership:
    """Join the group of `port`, without steering yet; the caller holds the port's lock.

    Parameters
    ----------
    port
        The port in question.
    group
        Its `members`, as last seen.
    own
        Those of them that are ours already, and stay until the group is settled.
    adopt
        Starts to serve listeners: connections may be spread over all from the first moment.

    Returns
    -------
    Membership
        With all of `own`. Its index is None when others left again and again meanwhile.

    Raises
    ------
    OSError
        As bind(2) does, when no socket of ours could join and there was none before.
    """
    own, below = list(own), group
    for _ in range(_MAX_ATTEMPTS):
        fresh: list[Listener] = []
        others = len(below - _inodes(own))
        try:
            for _ in range(2 if others else 1):
                fresh.append(_join_one(port))  # noqa: PERF401 (closed if a later one fails)
            now = members(port)
            certain = now - _inodes(fresh) == below
            if certain and others > 1:
                for _ in range(min(others, MAX_SPARES) - 1):
                    fresh.append(_join_one(port))  # noqa: PERF401 (as above)
                now = members(port)
                # There was one spare to move when the first one left, but perhaps no second.
                certain = len(below - now) <= 1
        except OSError:
            for one in fresh:
                one.close()
            if not own:
                raise
            break
        adopt(*fresh)
        if certain:
            return Membership([*fresh, *own], len(below), below & now, len(fresh) - 1)
        own, below = [*fresh, *own], now
    return Membership(own, None)


def settle(
    port: int, listeners: list[Listener], adopt: Callable[..., None]
) -> tuple[Listener, list[Listener]]:
    """Steer to index 0 of a group that is all ours, and find out which of `listeners` that is.

    The caller holds the port's lock and serves all of them; afterwards all others can be closed in
    any order. The program stays, so that whoever binds beside us later without asking, as another
    program of this user may, gets no connections.

    Parameters
    ----------
    port
        The port in question.
    listeners
        All that listen on it.
    adopt
        Starts to serve a listener.

    Returns
    -------
    kept, superfluous
        The one at index 0. Superfluous is one that had to join so that there is a group; it may
        have got connections, and the caller lets it linger.

    Raises
    ------
    SteeringError
        When a connection of our own reaches none of them.
    """
    superfluous = []
    try:
        attach(listeners[0].socket, 0)
    except OSError:  # a port that was never shared has no group
        if available():
            superfluous.append(_join_one(port))
            adopt(*superfluous)
            attach(listeners[0].socket, 0)
    if len(listeners) == 1:
        return listeners[0], superfluous
    # The order in which others left is not known, so one connection of our own shows it.
    found = listener.reached(port, _PROBE_SECONDS)
    if found not in listeners:
        raise SteeringError(f"a connection to port {port} does not reach this process")
    return found, superfluous
