"""Who has a port at this moment: a snapshot of the system's tables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dtale_magics import exclusive, holders, peers, procfs


@dataclass(frozen=True)
class Occupancy:
    """Who listens on a port.

    Attributes
    ----------
    group
        Inodes of all sockets that listen on it.
    sibling
        The sibling that it belongs to; None when anybody else has a part in it.
    in_motion
        Whether it is just changing hands, so that the next look may find something else.
    """

    group: frozenset[int]
    sibling: peers.Peer | None
    in_motion: bool


def survey(port: int) -> Occupancy:
    """Find out who listens on `port`, besides this process."""
    sockets = holders.listening_sockets(port)
    group = frozenset(one.inode for one in sockets)
    unexplained = set(group)
    sibling = None
    for peer in _likely_first(port):
        inodes = procfs.socket_inodes(peer.pid)
        if sibling is None and group & inodes:
            sibling = peer
        unexplained -= inodes
        if not unexplained:
            break
    if unexplained:
        unexplained -= procfs.socket_inodes(os.getpid())
    if unexplained:  # perhaps closed since the first look, as happens after every takeover
        unexplained &= {one.inode for one in holders.listening_sockets(port)}
    if unexplained or any(one.uid != os.getuid() for one in sockets):
        sibling = None
    in_motion = not unexplained if group else not holders.find(port)
    return Occupancy(group, sibling, in_motion)


def _likely_first(port: int) -> list[peers.Peer]:
    """Siblings, those before others that claim the port.

    After a hand-over the former owner has the same socket for a moment: the claim tells them apart.
    """
    rank = {claim.pid: claim.generation for claim in sorted(exclusive.claims(port))}
    return sorted(peers.siblings(), key=lambda peer: -rank.get(peer.pid, 0))
