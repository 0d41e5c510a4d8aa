"""The other kernels of the pod: who they are, without anything that a dead one could leave over."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from dtale_magics.outcome import Party
from dtale_magics.pod import channel, exchange, names
from dtale_magics.state import Frame
from dtale_magics.system import holders, procfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_SILENT_SECONDS = 2.0
"""How long a sibling that did not answer is not asked again, so that one wait is enough."""

_silent_until: dict[Peer, float] = {}


@dataclass(frozen=True)
class Peer:
    """A sibling kernel: its random owner id, process id and the name of its channel."""

    owner: str
    pid: int
    name: str


@dataclass(frozen=True)
class Identity:
    """Who a kernel is and what it serves.

    Attributes
    ----------
    owner
        Its random id; empty when it could not be asked.
    label
        What its user knows it by, the notebook's name.
    pid, started
        Its process and that one's start, seconds since the epoch: a pid alone proves nothing.
    ports
        The ports it listens on, ascending.
    frames
        What it shows.
    slug_digest
        Digest of its capability, never the slug itself.
    since
        When each port became its own, seconds since the epoch.
    responding
        False for a kernel that is stopped or starved; what is known of it comes from the system.
    """

    owner: str
    label: str
    pid: int
    started: float
    ports: tuple[int, ...] = ()
    frames: tuple[Frame, ...] = ()
    slug_digest: str = ""
    since: Mapping[int, float] = field(default_factory=dict)
    responding: bool = True

    def party(self, port: int) -> Party:
        """Return what this kernel is to whoever asks for `port`."""
        return Party(self.label, self.pid, self.since.get(port), self.owner)

    def to_json(self) -> dict[str, Any]:
        """Return what goes over the channel and out of ``list --json``."""
        return {
            "owner": self.owner,
            "label": self.label,
            "pid": self.pid,
            "started": self.started,
            "ports": list(self.ports),
            "frames": [frame._asdict() for frame in self.frames],
            "slug_digest": self.slug_digest,
            "since": {str(port): moment for port, moment in self.since.items()},
            "responding": self.responding,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Identity:
        """Read what `to_json` made; `ProtocolError` when it is something else."""
        try:
            return cls(
                owner=str(data["owner"]),
                label=str(data["label"]),
                pid=int(data["pid"]),
                started=float(data["started"]),
                ports=tuple(int(port) for port in data["ports"]),
                frames=tuple(
                    Frame(
                        str(one["name"]),
                        str(one["data_id"]),
                        int(one["rows"]),
                        int(one["columns"]),
                    )
                    for one in data["frames"]
                ),
                slug_digest=str(data["slug_digest"]),
                since={int(port): float(moment) for port, moment in data["since"].items()},
                responding=bool(data.get("responding", True)),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise exchange.ProtocolError(f"Not an identity: {error!r}.") from None


def siblings() -> list[Peer]:
    """Every other kernel of this user in the pod, by process id; a killed one is gone at once."""
    found = []
    for entry, (pid, owner) in names.parts(names.listed(channel.DIRECTORY), 2):
        if pid.isascii() and pid.isdigit() and owner and int(pid) != os.getpid():
            name = channel.DIRECTORY + entry.rest
            if names.ABSTRACT or names.owner(name) is not None:
                found.append(Peer(owner, int(pid), name))
    return sorted(found, key=lambda peer: (peer.pid, peer.owner))


def identities(timeout: float = 1.0, of: Iterable[Peer] | None = None) -> list[Identity]:
    """Ask all siblings, or those in `of`, at the same time.

    One that does not answer is listed all the same.
    """
    peers = siblings() if of is None else list(of)
    if not peers:
        return []
    with ThreadPoolExecutor(min(len(peers), 16), "dtale_magics identities") as pool:
        found = pool.map(lambda peer: identify(peer, timeout), peers)
        return [identity for identity in found if identity is not None]


def identify(peer: Peer, timeout: float = 1.0, *, again: bool = False) -> Identity | None:
    """Return who `peer` is, asked or looked up; None when it ended.

    With `again` it is asked also if it had no time to answer somebody else a moment ago.
    """
    silent = not again and time.monotonic() < _silent_until.get(peer, 0.0)
    if silent or procfs.is_stopped(peer.pid):
        return look_up(peer)
    try:
        answer = channel.call(peer, "identity", timeout=timeout)
        identity = Identity.from_json(answer["identity"])
    except exchange.PeerGoneError:
        return None
    except exchange.PeerSilentError:
        _silent_until[peer] = time.monotonic() + _SILENT_SECONDS
        return look_up(peer)
    except (exchange.ChannelError, KeyError, TypeError):
        return look_up(peer)
    # The address is proved by the system, what stands in the answer is not.
    return identity if (identity.owner, identity.pid) == (peer.owner, peer.pid) else look_up(peer)


def announce(text: str = "") -> None:
    """Tell all siblings that something changed here, and what, if they shall tell their users."""
    for peer in siblings():
        with contextlib.suppress(exchange.ChannelError):
            channel.tell(peer, "changed", text=text)


def look_up(peer: Peer) -> Identity | None:
    """Return what the system knows about `peer` without asking it; None when it ended."""
    try:
        process = psutil.Process(peer.pid)
        started = process.create_time()
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.Error:
        return None
    inodes = procfs.socket_inodes(peer.pid)
    ports = {entry.port for entry in holders.listening_sockets() if entry.inode in inodes}
    return Identity(
        owner=peer.owner,
        label=presumed_label(peer.pid, peer.owner),
        pid=peer.pid,
        started=started,
        ports=tuple(sorted(ports)),
        since=dict.fromkeys(sorted(ports), started),
        responding=False,
    )


@functools.lru_cache(maxsize=64)
def presumed_label(pid: int, owner: str = "") -> str:
    """Notebook's name as Jupyter left it in the environment of a process (stale after a rename).

    Process ids are used again, `owner` is not.
    """
    del owner
    path = procfs.environment_variable(pid, "JPY_SESSION_NAME")
    return Path(path).name or f"process {pid}"
