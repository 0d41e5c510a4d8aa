"""Steering: all new connections of a port to one socket of the group that shares it (Linux).

Sockets of one user that are bound to one port with SO_REUSEPORT form a group, in the order of
their ``listen``; a classic BPF program chooses one for every new connection, by its place
(``SO_ATTACH_REUSEPORT_CBPF``, socket(7)).

When a member leaves, the *last* one moves into its place. The socket at place i is therefore moved
only if it is the last one, that is, if the group has i + 1 members when one in front of it leaves.
As long as more than i sockets of the group are ours, that cannot happen: if the one that leaves is
somebody else's, the group has i + 2 members at least; if it is ours, more than i of ours remain,
and it had as many. So whoever joins behind f members of others joins with f + 1 sockets, and then
no order in which others leave can turn a connection to one of them. A place that is *certain* in
this way stays so, whoever joins behind it.

Which place a socket has cannot be read back from Linux, but a program can tell: it chooses the
place in question for a connection of our own, which it knows by its source port, and goes on as
before for all others. In this way an owner finds the place in front that one of its sockets has,
and lets go of those that this one does not need (`shrink`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dtale_magics.serving import listener
from dtale_magics.system import holders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dtale_magics.serving.listener import Listener

MAX_OTHERS = 128
"""Behind so many sockets of others we join at most: suspended notebooks can leave a few each."""

_SO_ATTACH_REUSEPORT_CBPF = 51  # asm-generic/socket.h
# linux/bpf_common.h and linux/filter.h
_LOAD_BYTE, _LOAD_HALF_WORD, _RETURN = 0x30, 0x28, 0x06
_JUMP, _JUMP_IF_EQUAL = 0x05, 0x15
_IP_HEADER = 0xFFF00000  # SKF_NET_OFF
_IPV4_WITHOUT_OPTIONS = 0x45
_SOURCE_PORT_OFFSET = 20
_MAX_ATTEMPTS = 20
_PROBE_SECONDS = 0.5
_TRIAL_SECONDS = 3.0


class SteeringError(OSError):
    """The group could not be joined, or does not steer."""


@dataclass
class Membership:
    """This process's sockets in the group of a port.

    Attributes
    ----------
    listeners
        The one that connections are steered to, then others.
    index
        Place of the first in the group; None when it is not known.
    """

    listeners: list[Listener]
    index: int | None = 0

    @property
    def open(self) -> list[Listener]:
        """Those that are not closed."""
        return [one for one in self.listeners if one.fileno() >= 0]

    @property
    def place(self) -> int:
        """The index; `SteeringError` when it is not known."""
        if self.index is None:
            raise SteeringError(errno.EAGAIN, "its group changes without end")
        return self.index

    @property
    def inodes(self) -> frozenset[int]:
        """Inodes of the sockets that are still open."""
        return _inodes(self.listeners)

    def steer(self) -> None:
        """Steer all new connections of the port to the first socket; `OSError` as `attach`."""
        first = self.listeners[0]
        first.spare = False
        attach(first.socket, self.place)

    @property
    def certain(self) -> bool:
        """Whether the index holds, and goes on to do so whoever leaves the group, and when."""
        found = self.open
        return self.index is not None and self.listeners[0] in found and len(found) > self.index


def _inodes(listeners: list[Listener]) -> frozenset[int]:
    found = set()
    for one in listeners:
        with contextlib.suppress(OSError):  # closed meanwhile
            found.add(one.inode)
    return frozenset(found)


def members(port: int) -> frozenset[int]:
    """Inodes of all sockets that listen on `port`."""
    return frozenset(entry.inode for entry in holders.listening_sockets(port))


def attach(sock: socket.socket, index: int, probes: Mapping[int, int] | None = None) -> None:
    """Steer all new connections of the group of `sock` to the member at `index`.

    Parameters
    ----------
    sock
        Any member of the group.
    index
        A place in it.
    probes
        Other places, by the source port from which an IPv4 connection is steered there.

    Raises
    ------
    OSError
        ``EINVAL`` while nobody has joined the group; whatever a sandbox says.
    """
    program = [(_RETURN, 0, 0, index)]
    if probes:
        choices = [
            instruction
            for source_port, place in probes.items()
            for instruction in ((_JUMP_IF_EQUAL, 0, 1, source_port), (_RETURN, 0, 0, place))
        ]
        program = [
            (_LOAD_BYTE, 0, 0, _IP_HEADER),
            (_JUMP_IF_EQUAL, 1, 0, _IPV4_WITHOUT_OPTIONS),
            (_JUMP, 0, 0, 1 + len(choices)),
            (_LOAD_HALF_WORD, 0, 0, _IP_HEADER + _SOURCE_PORT_OFFSET),
            *choices,
            *program,
        ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    sock.setsockopt(
        socket.SOL_SOCKET,
        _SO_ATTACH_REUSEPORT_CBPF,
        struct.pack("HP", len(program), ctypes.addressof(buffer)),
    )


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
        Those of them that are ours already.
    adopt
        Starts to serve listeners: connections may be spread over all from the first moment.

    Returns
    -------
    Membership
        With all of `own`. It is certain, or its index None when others left again and again
        meanwhile.

    Raises
    ------
    OSError
        As bind(2) does, and `SteeringError` for a group that is too large, when no socket of ours
        could join and there was none before.
    """
    mine = list(own)
    for _ in range(_MAX_ATTEMPTS):
        others = group - _inodes(mine)
        fresh: list[Listener] = []
        try:
            if len(others) > MAX_OTHERS:
                raise SteeringError(errno.E2BIG, f"{len(others)} sockets of others share it")
            for _ in range(len(others) + 1):
                fresh.append(_join_one(port))  # noqa: PERF401 (closed if a later one fails)
        except OSError:
            for one in fresh:
                one.close()
            if not mine:
                raise
            break
        for one in fresh:
            # Beside one socket alone there may be no program yet, and connections are spread.
            one.spare = len(group) > 1
        adopt(*fresh)
        mine = [*fresh, *mine]
        now = members(port)
        if group <= now:  # nobody has left, so the first one is right behind them
            return Membership(mine, len(group))
        group = now
    return Membership(mine, None)


def shrink(port: int, membership: Membership, others: int) -> Membership:
    """Find a socket of ours whose place needs few others, and steer to it.

    Of the first others + 1 places one is ours at least, since there are no more others.

    Parameters
    ----------
    port
        The port in question; the caller holds its lock and serves all of `membership`.
    membership
        Ours; it is certain, and steered to.
    others
        How many members are not ours.

    Returns
    -------
    Membership
        Certain, with some of the listeners; the others can be closed in any order.

    Raises
    ------
    SteeringError
        When no connection of our own reaches us, as on a machine that is very short of time.
    """
    own, index = membership.open, membership.place

    def ask_for_places(source_ports: Sequence[int]) -> None:
        attach(own[0].socket, index, {port: place for place, port in enumerate(source_ports)})

    try:
        found = listener.reached(port, others + 1, ask_for_places, _PROBE_SECONDS)
    finally:
        attach(own[0].socket, index)
    for place, one in enumerate(found):
        if one in own:
            others_of_ours = [other for other in own if other is not one]
            kept = Membership([one, *others_of_ours[:place]], place)
            kept.steer()
            return kept
    raise SteeringError(errno.ETIMEDOUT, f"no connection to port {port} reaches this process")
