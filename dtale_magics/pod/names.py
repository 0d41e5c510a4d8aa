"""Names that one process at a time can have, and that vanish when it dies.

A name is a listening Unix socket, so connecting to it reaches the process that has it. On Linux,
names are abstract: they have the scope of a port (the network namespace), a bind is exclusive,
nothing is ever left behind, and the system's table of them is a directory of the pod. Elsewhere
they are sockets in a directory that is private to this user.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
import weakref
from pathlib import Path
from typing import NamedTuple, Protocol

from dtale_magics.system import procfs

ABSTRACT = sys.platform == "linux"
"""Whether names live in the abstract namespace rather than in a directory."""

VERSION = 2
"""Version of the protocol between kernels; in every name, so that versions never meet by accident.
"""

_DIRECTORY = Path("/tmp")  # noqa: S108 (made for this user alone; a socket's path must be short)
_BACKLOG = 1024


NOBODY = (ConnectionRefusedError, FileNotFoundError, PermissionError)
"""What `connect` raises where no process of this user has the name."""


class _Closable(Protocol):
    def close(self) -> object: ...


_inherited: weakref.WeakSet[_Closable] = weakref.WeakSet()


def close_in_forked_child(resource: _Closable) -> None:
    """Have `resource` closed in forked children, which would keep it open after our death."""
    _inherited.add(resource)


def _close_inherited() -> None:
    for resource in list(_inherited):
        resource.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


_PREFIX = f"dtale-magics/{VERSION}/{os.getuid()}/"


def private_directory() -> Path:
    """Return this user's private directory, for systems without abstract names.

    Raises
    ------
    PermissionError
        When the directory of that name is not private to this user.
    """
    path = _DIRECTORY / f"dtale-magics-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not path.is_dir() or path.is_symlink() or status.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "not a directory of this user", str(path))
    if status.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "open to other users", str(path))
    return path


def address(name: str) -> str:
    """Return the address of `name`, as ``bind`` and ``connect`` take it."""
    if ABSTRACT:
        return f"\0{_PREFIX}{name}"
    return str(private_directory() / (name.replace("/", ",") + ".sock"))


class Named:
    """A name that this process has until it is closed.

    Parameters
    ----------
    name
        Parts with slashes between them.

    Raises
    ------
    OSError
        ``EADDRINUSE`` when somebody has it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._address = address(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if not ABSTRACT and owner(name) is None:
                Path(self._address).unlink(missing_ok=True)  # left by a process that was killed
            self.socket.bind(self._address)
            self.socket.listen(_BACKLOG)
            self.socket.setblocking(False)
        except OSError:
            self.socket.close()
            raise
        close_in_forked_child(self.socket)

    def fileno(self) -> int:
        """File descriptor, or -1 when closed."""
        return self.socket.fileno()

    def accept(self) -> socket.socket | None:
        """Accept one connection; None if it comes from another user's process."""
        connection, _ = self.socket.accept()
        if peer_credentials(connection).uid == os.getuid():
            return connection
        connection.close()
        return None

    def close(self) -> None:
        """Give the name up."""
        if not ABSTRACT and self.fileno() >= 0:
            Path(self._address).unlink(missing_ok=True)
        self.socket.close()


class Entry(NamedTuple):
    """A name that somebody has, its parts after the prefix that was looked for, and its inode."""

    name: str
    fields: list[str]
    inode: int


def listed(beginning: str, count: int) -> list[Entry]:
    """List the names that consist of `beginning` and `count` more parts.

    They are not proved: any user can take any abstract name, and the directory may have names of
    processes that were killed. `owner` tells who has a name.
    """
    if ABSTRACT:
        whole = _PREFIX + beginning
        table = [one for one in procfs.unix_names(whole) if one.listening]
        rests = [(one.name.removeprefix(whole), one.inode) for one in table]
    else:
        paths = private_directory().glob(f"{beginning.replace('/', ',')}*.sock")
        names = [path.name.removesuffix(".sock").replace(",", "/") for path in paths]
        rests = [(name.removeprefix(beginning), 0) for name in names]
    found = [Entry(beginning + rest, rest.split("/"), inode) for rest, inode in rests]
    return [entry for entry in found if len(entry.fields) == count]


class Credentials(NamedTuple):
    """The process at the other end; its pid is 0 if it lives in another pid namespace."""

    pid: int
    uid: int


def connect(name: str) -> socket.socket:
    """Connect to the process of this user that has `name`, without waiting.

    Raises
    ------
    OSError
        One of `NOBODY` when no process of this user has it; ``EAGAIN`` when its queue is full.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect(address(name))
        if peer_credentials(sock).uid != os.getuid():
            raise PermissionError(errno.EPERM, "another user has that name")
    except OSError:
        sock.close()
        raise
    close_in_forked_child(sock)
    return sock


def owner(name: str) -> int | None:
    """Return the process of this user that has `name` (0 if it is not known which), or None."""
    try:
        with contextlib.closing(connect(name)) as sock:
            return peer_credentials(sock).pid
    except NOBODY:
        return None
    except OSError:  # its queue is full, or there are no descriptors left
        return 0


def peer_credentials(sock: socket.socket) -> Credentials:
    """Read who is at the other end (``SO_PEERCRED``, unix(7)).

    Where there is no SO_PEERCRED, the private directory keeps other users out: the uid is our own.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return Credentials(0, os.getuid())
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    return Credentials(pid, uid)


def receive(sock: socket.socket, size: int, most: int) -> tuple[bytes, list[int], int]:
    """Receive bytes, at most `most` descriptors (not inheritable), and flags (recvmsg(2))."""
    cloexec = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    data, found, flags, _ = socket.recv_fds(sock, size, most, cloexec)
    for descriptor in found:
        os.set_inheritable(descriptor, False)
    return data, found, flags
