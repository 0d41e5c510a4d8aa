"""A visitor without the capability: a plain D-Tale that wants the port.

In a kernel without this extension, ``dtale.show(df, port=40000, force=True)`` requests ``/health``
and then ``/shutdown`` from whatever has the port. We believe a process of the same user on this
machine; everybody else gets the answer that everybody gets.
"""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

import psutil

from dtale_magics.system import procfs

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_USER_AGENT = "python-requests/"
_OF_BROWSERS_AND_PROXIES = {"cookie", "forwarded", "origin", "referer", "via", "x-real-ip"}
_PREFIXES = ("sec-", "x-forwarded-", "x-proxy")


def is_plain_dtale(request: Request) -> bool:
    """Whether `request` comes straight from a process of this user that acts for itself.

    A browser or a proxy on this machine may also be this user's but act for anybody; both can be
    told by their headers.
    """
    names = [name.lower() for name in request.headers.keys()]  # noqa: SIM118 (not a dict)
    if any(name in _OF_BROWSERS_AND_PROXIES or name.startswith(_PREFIXES) for name in names):
        return False
    if not request.headers.get("User-Agent", "").startswith(_USER_AGENT):
        return False
    address, port = request.remote_addr or "", int(request.environ.get("REMOTE_PORT", 0))
    if not _is_local(address):
        return False
    ends = (port, int(request.environ["SERVER_PORT"]))
    connections = procfs.tcp_sockets(procfs.ESTABLISHED)
    uids = {one.uid for one in connections if (one.local_port, one.remote_port) == ends}
    return uids == {os.getuid()}


def _is_local(address: str) -> bool:
    try:
        if ipaddress.ip_address(address).is_loopback:
            return True
    except ValueError:
        return False
    interfaces = psutil.net_if_addrs().values()
    return any(one.address == address for addresses in interfaces for one in addresses)
