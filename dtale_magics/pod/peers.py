"""The other kernels of the pod, found without anything that a dead one could leave behind.

To the operation ``status`` a kernel answers with its `dtale_magics.state.Status.as_dict`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from dtale_magics import deadlines
from dtale_magics.outcome import Party
from dtale_magics.pod import channel, exchange, names
from dtale_magics.system import holders, procfs

if TYPE_CHECKING:
    from collections.abc import Iterable

_SILENT_SECONDS = 2.0
"""How long we leave a sibling alone that did not answer, so that we wait for it only once."""

_REPORTED = {"label": str, "ports": list, "frames": list}
"""What every report contains."""

_silent_until: dict[Peer, float] = {}


@dataclass(frozen=True)
class Peer:
    """A sibling kernel: its random owner id, process id and the name of its channel."""

    owner: str
    pid: int
    name: str

    def party(self, label: str = "") -> Party:
        """Name it by `label`, or by what the system knows; it is not asked."""
        return Party(label or presumed_label(self.pid, self.owner), self.pid, None, self.owner)


def siblings() -> list[Peer]:
    """Every other kernel of this user in the pod, by process id; a killed one is gone at once."""
    found = []
    for name, (pid, owner), _ in names.listed(channel.DIRECTORY, 2):
        another = pid.isascii() and pid.isdigit() and owner and int(pid) != os.getpid()
        if another and (names.ABSTRACT or names.owner(name) is not None):
            found.append(Peer(owner, int(pid), name))
    return sorted(found, key=lambda peer: (peer.pid, peer.owner))


def statuses(
    timeout: float = deadlines.SIBLING, of: Iterable[Peer] | None = None, what: str = ""
) -> list[Any]:
    """Ask all siblings, or those in `of`, at the same time for their status or another report.

    For one that does not answer, what the system knows is returned, with ``responding`` false.
    """
    found = siblings() if of is None else list(of)
    if not found:
        return []
    with ThreadPoolExecutor(min(len(found), 16), "dtale_magics statuses") as pool:
        answers = list(pool.map(lambda peer: status(peer, timeout, what), found))
    return [answer for answer in answers if answer is not None]


def status(peer: Peer, timeout: float = deadlines.SIBLING, what: str = "") -> dict[str, Any] | None:
    """Return the status of `peer`, or what the system knows; None when it has ended."""
    if time.monotonic() < _silent_until.get(peer, 0.0) or procfs.is_stopped(peer.pid):
        return look_up(peer)
    try:
        found = ask(peer, what or "status", timeout)
    except exchange.PeerGoneError:
        return None
    except exchange.PeerSilentError:
        _silent_until[peer] = time.monotonic() + _SILENT_SECONDS
        return look_up(peer)
    except exchange.ChannelError:
        return look_up(peer)
    # The system vouches for the address, but nobody for the answer, and a sibling may run another
    # version of this package.
    right = (found.get("owner"), found.get("pid")) == (peer.owner, peer.pid)
    whole = all(isinstance(found.get(name), kind) for name, kind in _REPORTED.items())
    return {**found, "responding": True} if right and whole else look_up(peer)


def look_up(peer: Peer) -> dict[str, Any] | None:
    """Return what the system knows about `peer` without asking it; None when it has ended."""
    try:
        if psutil.Process(peer.pid).status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.Error:
        return None
    inodes = procfs.socket_inodes(peer.pid)
    ports = {entry.port for entry in holders.listening_sockets() if entry.inode in inodes}
    label = presumed_label(peer.pid, peer.owner)
    known = {"owner": peer.owner, "label": label, "pid": peer.pid, "ports": sorted(ports)}
    return {**known, "port": None, "url": None, "frames": [], "responding": False}


def checks() -> list[dict[str, Any]]:
    """Have all siblings check, at the same time, where they are seen; see `Verdict.as_dict`."""
    found = [one for one in siblings() if not procfs.is_stopped(one.pid)]

    def check(peer: Peer) -> dict[str, Any] | None:
        with contextlib.suppress(exchange.ChannelError):
            return {
                **ask(peer, "check", deadlines.SIBLING_CHECK),
                "owner": peer.owner,
                "pid": peer.pid,
            }
        return None

    with ThreadPoolExecutor(max(len(found), 1), "dtale_magics checks") as pool:
        return [answer for answer in pool.map(check, found) if answer is not None]


def ask(peer: Peer, what: str, timeout: float) -> dict[str, Any]:
    """Ask a sibling for a report; `dtale_magics.pod.exchange.ChannelError` if it gives none."""
    report = channel.call(peer, what, timeout=timeout).get(what)
    if not isinstance(report, dict):
        raise exchange.ProtocolError(f"Process {peer.pid} gives no {what}.")
    return report


def announce(text: str = "", port: int = 0) -> None:
    """Tell siblings that something changed; those that share `port` show `text` to their users."""
    for peer in siblings():
        with contextlib.suppress(exchange.ChannelError):
            channel.tell(peer, "changed", text=text, port=port)


@functools.lru_cache(maxsize=64)
def presumed_label(pid: int, owner: str = "") -> str:
    """Name of a notebook as its process's environment has it (stale after a rename).

    `owner` is part of the cache's key: process ids are used again, owner ids are not.
    """
    del owner
    path = procfs.environment_variable(pid, "JPY_SESSION_NAME")
    return Path(path).name or f"process {pid}"
