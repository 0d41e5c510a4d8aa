"""What Linux tells about sockets and processes in ``/proc`` (proc(5))."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SOCKET = re.compile(r"socket:\[(\d+)\]")
_STREAM_LISTENING_FLAG = 0x10000  # __SO_ACCEPTCON of linux/net.h

LISTEN = "0A"  # TCP_LISTEN of linux/tcp.h
ESTABLISHED = "01"  # TCP_ESTABLISHED


class TcpSocket(NamedTuple):
    """A TCP socket of this network namespace; `state` as the table prints it."""

    local_port: int
    remote_port: int
    state: str
    uid: int
    inode: int


class UnixName(NamedTuple):
    """A bound abstract Unix socket: its name without the leading NUL, and its inode."""

    name: str
    inode: int
    listening: bool


def tcp_sockets(state: str) -> Iterator[TcpSocket]:
    """Yield all TCP sockets in `state`, of both IP families. Empty on other systems than Linux."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, found, _, _, _, uid, _, inode, *_ = line.split()
            if found == state:
                yield TcpSocket(_port(local), _port(remote), found, int(uid), int(inode))


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def unix_names(prefix: str, among: Iterable[UnixName] | None = None) -> list[UnixName]:
    """List abstract Unix sockets of this network namespace whose name starts with `prefix`.

    They vanish with their last descriptor, so none is ever left behind. Empty on other systems than
    Linux. `among` is an earlier answer to search instead, because reading the table is slow.
    """
    if among is not None:
        return [one for one in among if one.name.startswith(prefix)]
    try:
        table = Path("/proc/net/unix").read_bytes()
    except OSError:
        return []
    found = []
    mark = f" @{prefix}".encode()
    # The name is the user's text and may contain anything; a line has seven columns before it.
    for raw in table.split(b"\n") if mark in table else ():
        if mark not in raw:
            continue
        line = raw.decode(errors="replace")
        columns = line.split(maxsplit=7)
        if len(columns) == 8 and columns[7].startswith("@" + prefix):  # noqa: PLR2004
            flags, inode = int(columns[3], 16), int(columns[6])
            # An accepted connection has the name of its listener, but not this flag.
            found.append(UnixName(columns[7][1:], inode, bool(flags & _STREAM_LISTENING_FLAG)))
    return found


def socket_inodes(pid: int, of: frozenset[int] | None = None) -> frozenset[int]:
    """Return inodes of the sockets that `pid` has open; empty if it has ended or hides them.

    If `of` is given, only those in it are returned; the search ends when all of them are found.
    """
    if of is not None and not of:
        return frozenset()
    folder = f"/proc/{pid}/fd"
    inodes: set[int] = set()
    try:
        names = os.listdir(folder)  # noqa: PTH208 (half the time of Path.iterdir, and this is hot)
    except OSError:
        return frozenset()
    for name in reversed(names):  # those in `of` are mostly new
        try:
            match = _SOCKET.fullmatch(os.readlink(f"{folder}/{name}"))  # noqa: PTH115 (hot)
        except OSError:
            continue  # closed meanwhile
        if match and (of is None or int(match[1]) in of):
            inodes.add(int(match[1]))
            if of is not None and len(inodes) == len(of):
                break
    return frozenset(inodes)


def is_stopped(pid: int) -> bool:
    """Whether `pid` is suspended, by Ctrl-Z or a debugger for example, and cannot answer."""
    try:
        return psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
    except psutil.Error:
        return False


def environment_variable(pid: int, name: str) -> str:
    """Return the value of `name` when `pid` was started; empty if unset or hidden."""
    try:
        block = Path("/proc", str(pid), "environ").read_bytes()
    except OSError:
        return ""
    wanted = f"{name}=".encode()
    values = [entry for entry in block.split(b"\0") if entry.startswith(wanted)]
    return values[0].removeprefix(wanted).decode(errors="replace") if values else ""
