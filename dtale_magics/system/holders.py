"""Who holds a port: the processes behind a listening or connected socket."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from dtale_magics.system import procfs, sockdiag
from dtale_magics.wording import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_COMMAND = 80
"""One line of a terminal."""


@dataclass(frozen=True)
class Holder:
    """A process that has a port.

    Attributes
    ----------
    port
        The port in question.
    pid
        Process id; None where the system hides it (another user's process).
    user
        Login name, or the number where there is none.
    command
        Command line, shortened.
    since
        Start of the process, seconds since the epoch; None where it is hidden.
    state
        State of the socket: ``LISTEN``, or the state of the connection that uses the port.
    address
        Local address of the socket.
    """

    port: int
    pid: int | None
    user: str
    command: str
    since: float | None
    state: str
    address: str

    @property
    def listening(self) -> bool:
        """False when the port belongs to a connection, usually an outgoing one."""
        return self.state == psutil.CONN_LISTEN

    def __str__(self) -> str:
        if self.state == psutil.CONN_TIME_WAIT:
            return "a connection that has just ended (TIME_WAIT); it is free again in a minute"
        started = "" if self.since is None else f", since {clock(self.since)}"
        process = "a process" if self.pid is None else f"process {self.pid}"
        role = "" if self.listening else "an outgoing connection of "
        command = f" ({self.command})" if self.command else ""
        return f"{role}{process}{command} of user {self.user}{started}"


class Listening(NamedTuple):
    """A listening TCP socket, as the system's table shows it."""

    port: int
    inode: int
    uid: int


def find(port: int) -> list[Holder]:
    """Find who has `port`, listeners first; several if a descriptor was passed on."""
    holders = {}
    for connection in psutil.net_connections("tcp"):
        if not connection.laddr or connection.laddr.port != port:
            continue
        key = (connection.status != psutil.CONN_LISTEN, connection.pid or 0)
        if key not in holders:
            holders[key] = _holder(port, connection.pid, connection.status, connection.laddr.ip)
    return [holders[key] for key in sorted(holders)]


def describe(port: int) -> str:
    """Say in one line who has `port`."""
    found = find(port)
    if not found:
        return (
            "nobody that can be seen (a connection in TIME_WAIT, or a bound socket that does not "
            "listen); try again in a minute"
        )
    return "; ".join(str(holder) for holder in found)


def listening_sockets(port: int | None = None) -> list[Listening]:
    """List this network namespace's listening TCP sockets, from sock_diag(7) or ``/proc/net``.

    Empty on systems that have neither.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, struct.error):  # a sandbox may lack sock_diag
            return [Listening(*entry) for entry in sockdiag.listening(port or 0)]
    return [
        Listening(entry.local_port, entry.inode, entry.uid)
        for entry in procfs.tcp_sockets(procfs.LISTEN)
        if port is None or entry.local_port == port
    ]


def own_ports() -> frozenset[int]:
    """Return the TCP ports that this process itself listens on."""
    if sys.platform == "linux":  # psutil reads the table of all connections: 10 ms even if empty
        own = procfs.socket_inodes(os.getpid())
        return frozenset(one.port for one in listening_sockets() if one.inode in own)
    connections = psutil.Process().net_connections("tcp")
    return frozenset(one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN)


def same_user(port: int) -> bool:
    """Whether everything that listens on `port` is this user's."""
    return all(entry.uid == os.getuid() for entry in listening_sockets(port))


def _holder(port: int, pid: int | None, state: str, address: str) -> Holder:
    user, command, since = _owner_of_socket(port), "", None
    if pid is not None:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                user = process.username()
                command = _shortened(process.cmdline()) or process.name()
                since = process.create_time()
        except psutil.Error:
            pass  # it has ended or hides its details; what we know is still true
    return Holder(port, pid, user, command, since, state, address)


def _shortened(arguments: Sequence[str]) -> str:
    """Write a command in one line of a terminal, with paths cut to file names if it is too long."""
    command = shlex.join(arguments)
    if len(command) > _MAX_COMMAND:
        command = shlex.join(Path(one).name if one[:1] == "/" else one for one in arguments)
    if len(command) > _MAX_COMMAND:
        command = command[: _MAX_COMMAND - 1] + "…"
    return command


def _owner_of_socket(port: int) -> str:
    """Return the login name of the user of a listening socket whose process is hidden."""
    uids = {entry.uid for entry in listening_sockets(port)}
    if not uids:
        return "unknown"
    uid = min(uids)
    if uid == os.getuid():
        return getpass.getuser()
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)
