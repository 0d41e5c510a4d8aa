"""Names that one process at a time can have, and that vanish when it dies.

On Linux they are abstract Unix sockets: the scope is the port's (the network namespace), a bind is
exclusive, and nothing is ever left over. Elsewhere, a locked file in a private directory.

Two things are made of them. A *lock* serialises those who take a port. A *claim* says who the port
is steered to, since the program that steers cannot be read back: of all claims of a port the one
with the highest generation holds.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import socket
import struct
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dtale_magics.errors import DtaleMagicsError
from dtale_magics.system import procfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dtale_magics.system.procfs import UnixName

ABSTRACT = sys.platform == "linux"
"""Whether names live in the abstract namespace rather than in a directory."""

_LOCK = "dtale-magics-lock/1"
_CLAIM = "dtale-magics-claim/1"
_POLL_SECONDS = 0.002

SUSPENDED_SECONDS = 1.0
"""How long a lock is waited for whose holder is suspended."""

_LOOK_SECONDS = 0.2
_BLOCKED_SECONDS = 0.05
_LEVELS = 4


class _Closable(Protocol):
    def close(self) -> None: ...


_inherited: weakref.WeakSet[_Closable] = weakref.WeakSet()


def close_in_forked_child(resource: _Closable) -> None:
    """Have `resource` closed in forked children, which would keep its name after we died."""
    _inherited.add(resource)


def _close_inherited() -> None:
    for resource in list(_inherited):
        resource.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


class PortBusyError(DtaleMagicsError):
    """Somebody else is in the middle of taking the port, and did not finish in time."""

    def __init__(self, port: int, pid: int | None) -> None:
        who = "Another process" if pid is None else f"Process {pid}"
        super().__init__(
            f"{who} is in the middle of taking port {port}.",
            f"Try again: %dtale_port {port} --force",
        )
        self.port = port
        self.pid = pid


def private_directory() -> Path:
    """Directory of this user alone, for systems without abstract names.

    Raises
    ------
    PermissionError
        When a directory of that name is not ours alone.
    """
    path = Path(tempfile.gettempdir()) / f"dtale-magics-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not path.is_dir() or path.is_symlink() or status.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "not a directory of this user", str(path))
    if status.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "open to other users", str(path))
    return path


def bind_abstract(name: str) -> socket.socket:
    """Bind and listen on an abstract name; ``EADDRINUSE`` when somebody has it."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind("\0" + name)
        sock.listen(1024)  # so that a connection tells whose it is (SO_PEERCRED)
    except OSError:
        sock.close()
        raise
    close_in_forked_child(sock)
    return sock


@contextlib.contextmanager
def lock(port: int, deadline: float) -> Iterator[None]:
    """Hold the right to take `port`.

    A holder that is suspended (SIGSTOP) keeps nobody out for much longer than `SUSPENDED_SECONDS`:
    the next one passes it, by a lock one level up. Whoever held it for half as long may have been
    passed, and has to look at the claims afterwards (`may_have_been_passed`).

    Parameters
    ----------
    port
        The port in question.
    deadline
        ``time.monotonic()`` at which the wait ends.

    Raises
    ------
    PortBusyError
        When somebody held it until then.
    """
    level, obstacle = 0, _Obstacle()
    while True:
        held = _try_lock(port, level)
        in_the_way = range(level, level + 1) if held is None else range(level + 1, _LEVELS)
        holders = functools.partial(_lock_holders, port, in_the_way)
        if held is not None:
            # Whoever has passed one that was suspended is still at it, or is suspended itself.
            if not holders() or obstacle.can_be_passed(holders):
                break
            held.close()
            time.sleep(_BLOCKED_SECONDS)  # each question stays in the queue of whom it was put to
        elif level + 1 < _LEVELS and obstacle.can_be_passed(holders):
            level, obstacle = level + 1, _Obstacle()
            continue
        if time.monotonic() >= deadline:
            raise PortBusyError(port, next(iter(holders()), None))
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        held.close()


def may_have_been_passed(since: float) -> bool:
    """Whether somebody may have passed us since we got the lock (``time.monotonic()``)."""
    return time.monotonic() - since > SUSPENDED_SECONDS / 2


def _lock_name(port: int, level: int) -> str:
    return f"{_LOCK}/{os.getuid()}/{port}" + (f"/{level}" if level else "")


def _try_lock(port: int, level: int) -> _Closable | None:
    if ABSTRACT:
        try:
            return bind_abstract(_lock_name(port, level))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return None
    import fcntl  # noqa: PLC0415 (not on Windows)

    file = (private_directory() / f"port-{port}.lock").open("w")
    close_in_forked_child(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _lock_holders(port: int, levels: Iterable[int]) -> tuple[int, ...]:
    """List the processes that have those locks, 0 for one that cannot be told."""
    return tuple(pid for level in levels if (pid := _lock_holder(port, level)) is not None)


def _lock_holder(port: int, level: int) -> int | None:
    if not ABSTRACT:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect("\0" + _lock_name(port, level))
            return peer_credentials(sock)[0]
        except BlockingIOError:  # it was asked too often
            return 0
        except OSError:
            return None


class _Obstacle:
    """Those who are in the way of one who waits."""

    def __init__(self) -> None:
        self._pids: tuple[int, ...] = ()
        self._since = self._next_look = time.monotonic()

    def can_be_passed(self, holders: Callable[[], tuple[int, ...]]) -> bool:
        """Whether all of them have been suspended for `SUSPENDED_SECONDS`; looks now and then."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + _LOOK_SECONDS
        pids = holders()
        if pids != self._pids or not all(map(procfs.is_stopped, pids)):
            self._pids, self._since = pids, now
        return bool(pids) and now >= self._since + SUSPENDED_SECONDS


def peer_credentials(sock: socket.socket) -> tuple[int, int]:
    """Pid and uid of the other end (``SO_PEERCRED``, unix(7)); the own uid elsewhere.

    The pid is 0 when the peer lives in another pid namespace. Elsewhere the private directory
    keeps other users out.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, os.getuid()
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    return pid, uid


class Claim(NamedTuple):
    """Somebody's claim to be the one a port is steered to."""

    generation: int
    pid: int
    inode: int


class OwnClaim:
    """This process's claim on a port, until it is closed or the process dies."""

    def __init__(self, sock: socket.socket, generation: int) -> None:
        self._socket = sock
        self.generation = generation
        self.inode = os.fstat(sock.fileno()).st_ino

    def close(self) -> None:
        """Withdraw the claim."""
        self._socket.close()


def claim(port: int, above: Iterable[Claim] | None = None) -> OwnClaim | None:
    """Claim `port` above all claims there are; the caller holds its lock. None off Linux.

    `above` are those claims, if they were read since the lock was got.
    """
    if not ABSTRACT:
        return None
    above = claims(port) if above is None else above
    generation = 1 + max((one.generation for one in above), default=0)
    # The nonce keeps a name that somebody squats from being the one that we need.
    nonce = secrets.token_hex(8)
    name = f"{_CLAIM}/{os.getuid()}/{port}/{generation}/{os.getpid()}/{nonce}"
    return OwnClaim(bind_abstract(name), generation)


def holding_claim(port: int) -> Claim | None:
    """Return the highest claim on `port` that its process really has, or None."""
    for one in sorted(claims(port), reverse=True):
        # Names are free to everybody: only the process's own table proves it.
        if procfs.socket_inodes(one.pid, frozenset({one.inode})):
            return one
    return None


def claims(port: int, names: Iterable[UnixName] | None = None) -> list[Claim]:
    """List all claims on `port`, also such as their names alone assert.

    `names` is what `dtale_magics.system.procfs.unix_names` has said.
    """
    prefix = f"{_CLAIM}/{os.getuid()}/{port}/"
    found = []
    for entry in procfs.unix_names(prefix, names):
        generation, _, rest = entry.name.removeprefix(prefix).partition("/")
        pid = rest.partition("/")[0]
        if _is_number(generation) and _is_number(pid) and entry.listening:
            found.append(Claim(int(generation), int(pid), entry.inode))
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004 (fits 64 bits)
