"""Listening TCP sockets from ``NETLINK_SOCK_DIAG``: 30 times faster than ``/proc/net``.

Reading ``/proc/net/tcp`` walks the whole table of connections and takes some milliseconds even when
it is empty.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_LISTEN = 10  # TCP_LISTEN
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_ID_REST = bytes(44)  # struct inet_diag_sockid after its two ports
_TAIL = struct.Struct("=IIIII")  # expires, rqueue, wqueue, uid, inode of struct inet_diag_msg
_TAIL_OFFSET = 4 + 48


def listening(port: int) -> list[tuple[int, int, int]]:
    """Return port, inode and uid of each listening TCP socket; `port` 0 means all ports.

    Raises
    ------
    OSError
        Where the system or a sandbox does not offer it.
    """
    found = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as sock:
        sock.settimeout(1.0)
        for number, family in enumerate((socket.AF_INET, socket.AF_INET6)):
            request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN)
            request += struct.pack("!HH", port, 0) + _ID_REST
            length = _HEADER.size + len(request)
            sock.send(_HEADER.pack(length, _BY_FAMILY, _REQUEST_DUMP, number, 0) + request)
            found += [entry for entry in _answers(sock) if port in (0, entry[0])]
    return found


def _answers(sock: socket.socket) -> Iterator[tuple[int, int, int]]:
    while True:
        data = sock.recv(65536)  # Linux fills 32 KiB at most
        while data:
            length, kind, _, _, _ = _HEADER.unpack_from(data)
            body = data[_HEADER.size : length]
            data = data[(length + 3) & ~3 :]
            if kind == _DONE:
                return
            if kind == _ERROR or length < _HEADER.size:
                raise OSError("sock_diag refuses")
            (port,) = struct.unpack_from("!H", body, 4)
            _, _, _, uid, inode = _TAIL.unpack_from(body, _TAIL_OFFSET)
            yield port, inode, uid
