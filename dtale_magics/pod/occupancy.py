"""Who has a port at this moment: a snapshot of the system's tables."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dtale_magics.pod import exclusive, peers
from dtale_magics.system import holders, procfs

_OUR_NAMES = "dtale-magics"
"""How the names of control channels, claims and locks begin."""


@dataclass(frozen=True)
class Occupancy:
    """Who listens on a port.

    Attributes
    ----------
    port
        The port in question.
    group
        Inodes of all sockets that listen on it.
    claims
        All claims on it.
    sibling
        The sibling that it belongs to; None when anybody else has a part in it.
    unexplained
        Those of the group that are neither this process's nor a sibling's.
    """

    port: int
    group: frozenset[int]
    claims: tuple[exclusive.Claim, ...]
    sibling: peers.Peer | None
    unexplained: frozenset[int]

    @property
    def in_motion(self) -> bool:
        """Whether it is just changing hands, so that the next look may find something else."""
        return not self.unexplained if self.group else not holders.find(self.port)


def survey(port: int) -> Occupancy:
    """Find out who listens on `port`, besides this process."""
    sockets = holders.listening_sockets(port)
    group = frozenset(one.inode for one in sockets)
    names = procfs.unix_names(_OUR_NAMES)
    claims = tuple(exclusive.claims(port, names))
    unexplained = group
    sibling = None
    for peer in _likely_first(peers.siblings(names), claims) if group else ():
        # While the first one is sought, all that it has of the group counts.
        inodes = procfs.socket_inodes(peer.pid, unexplained if sibling else group)
        if sibling is None and inodes:
            sibling = peer
        unexplained -= inodes
        if not unexplained:
            break
    if unexplained:
        unexplained -= procfs.socket_inodes(os.getpid(), unexplained)
    if unexplained:  # perhaps closed since the first look, as happens after every takeover
        unexplained &= {one.inode for one in holders.listening_sockets(port)}
    if unexplained or any(one.uid != os.getuid() for one in sockets):
        sibling = None
    return Occupancy(port, group, claims, sibling, unexplained)


def _likely_first(
    siblings: list[peers.Peer], claims: tuple[exclusive.Claim, ...]
) -> list[peers.Peer]:
    """Siblings, those before others that claim the port.

    After a hand-over the former owner has the same socket for a moment: the claim tells them apart.
    """
    rank = {claim.pid: claim.generation for claim in sorted(claims)}
    return sorted(siblings, key=lambda peer: -rank.get(peer.pid, 0))
