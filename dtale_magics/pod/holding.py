"""The ports that this kernel holds in the pod, and what keeps each of them its own.

The seam to the rest: a `Serving` serves listeners (`dtale_magics.serving.server.Server` is one), a
`PortOwner` (the session) knows who this kernel is and is told when a port is gone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics.pod import channel, exchange, exclusive, peers, steering
from dtale_magics.pod.steering import Membership
from dtale_magics.pod.watch import Watch
from dtale_magics.serving.acceptor import LINGER_SECONDS
from dtale_magics.system import procfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dtale_magics.outcome import Party
    from dtale_magics.pod.exclusive import OwnClaim
    from dtale_magics.pod.peers import Identity, Peer
    from dtale_magics.serving.listener import Listener

logger = logging.getLogger(__name__)


class Serving(Protocol):
    """What serves listeners."""

    def add(self, *listeners: Listener, wait: bool = ...) -> None:
        """Serve them, also one whose removal lingers; `ValueError` when one is closed.

        Without `wait` that is still to come, soon, and nothing is raised.
        """

    def remove(self, *listeners: Listener, linger: float = ...) -> None:
        """Serve them for `linger` seconds more, then close them."""

    def detach(self, listener: Listener) -> None:
        """Stop serving it and leave it open."""


class PortOwner(Protocol):
    """The session, as the pod sees it. Called from daemon threads; must not block for long."""

    @property
    def label(self) -> str:
        """What the user calls this kernel, as far as that is known without asking anybody."""

    def identity(self) -> Identity:
        """Say who this kernel is."""

    def lost(self, port: int, to: Party | None) -> None:
        """Hear that `port` is somebody else's now (None: not known whose): move on.

        The listeners are dealt with; the session reserves the next free port of its range and
        passes it to `Pod.hold`. No lock may be waited for here that anybody holds for long: the
        thread is one of the control channel's.
        """

    def regained(self, port: int, by: Party | None) -> None:
        """Hear that a sibling gave `port` back; None where it is not known which."""

    def changed(self) -> None:
        """Hear that something changed at a sibling: a panel may want to be drawn again."""


@dataclass(eq=False)
class Held:
    """A port of this kernel.

    Attributes
    ----------
    port
        Its number.
    membership
        The sockets.
    claim
        Says that the port is steered here; None where it was bound plainly.
    since
        When it became ours, seconds since the epoch.
    previous
        The sibling that had it before.
    """

    port: int
    membership: Membership
    claim: OwnClaim | None = None
    since: float = field(default_factory=time.time)
    previous: Peer | None = None

    def withdraw_claim(self) -> None:
        """Say no more that the port is steered here."""
        if self.claim is not None:
            self.claim.close()


class Holdings:
    """Thread-safe book of this kernel's ports."""

    def __init__(self, server: Serving, session: PortOwner, owner: str) -> None:
        self.server = server
        self.session = session
        self.owner = owner
        self._lock = threading.RLock()
        self._held: dict[int, Held] = {}
        self._former: dict[int, Held] = {}
        self._lingering: dict[int, list[Listener]] = {}

    @property
    def since(self) -> Mapping[int, float]:
        """Each port held, with the time it became ours (seconds since the epoch)."""
        with self._lock:
            return {port: held.since for port, held in sorted(self._held.items())}

    def get(self, port: int) -> Held | None:
        """Return what is held of `port`."""
        with self._lock:
            return self._held.get(port)

    def serve(self, reserved: Listener, previous: Peer | None = None) -> None:
        """Serve and enter a port that was bound plainly."""
        self.server.add(reserved)
        held = Held(reserved.port, Membership([reserved]), previous=previous)
        self.enter(held)
        self.watch(held)

    def enter(self, held: Held) -> None:
        """Enter a port in place of whatever stood there."""
        with self._lock:
            self._held[held.port] = held
            self._former.pop(held.port, None)

    def owns(self, held: Held) -> bool:
        """Whether nobody has a better claim on that port than `held`."""
        claim = exclusive.holding_claim(held.port)
        if claim is None:
            return True
        if held.claim is not None:
            return claim.inode == held.claim.inode
        # Bound plainly: whoever claims the port and listens on it has got it from us since.
        return not procfs.socket_inodes(claim.pid, steering.members(held.port))

    def surrender(self, held: Held, to: Party | None, linger: float = LINGER_SECONDS) -> bool:
        """Give up `held`, serving for `linger` seconds what has reached its queues.

        False when it is not held any more.
        """
        with self._lock:
            if self._held.get(held.port) is not held:
                return False
            del self._held[held.port]
            self._former[held.port] = held
            held.withdraw_claim()
            self._leave(held.membership.listeners, linger)
        self.tell_lost(held.port, to)
        return True

    def give_way(self, port: int) -> bool:
        """Give up a port that a sibling took while we were suspended in the middle of steering it.

        Whatever we steered when we went on is undone by the sibling, which hears of it. False when
        the port is ours.
        """
        held = self.get(port)
        if held is not None:
            if self.owns(held):
                return False
            self.surrender(held, None)
        claim = exclusive.holding_claim(port)
        for peer in peers.siblings():
            if claim is not None and peer.pid == claim.pid:
                with contextlib.suppress(exchange.ChannelError):
                    channel.tell(peer, "taken", port=port, by=self.by)
        return True

    def set_aside(self, held: Held) -> bool:
        """Strike `held` out but keep its claim and listeners; False when it is not held."""
        with self._lock:
            if self._held.get(held.port) is not held:
                return False
            del self._held[held.port]
            return True

    def put_back(self, held: Held) -> None:
        """Serve and enter what was set aside; if we have got that port anew, let it linger."""
        with self._lock:
            self.server.add(*held.membership.listeners)
            if self._held.setdefault(held.port, held) is not held:
                held.withdraw_claim()
                self.linger(held.membership.listeners)

    def forget(self, held: Held) -> bool:
        """Strike `held` out, leaving its listeners to the caller; False when it is not held."""
        if not self.set_aside(held):
            return False
        held.withdraw_claim()
        return True

    def tell_lost(self, port: int, to: Party | None) -> None:
        """Tell the session, whose failure is its own."""
        try:
            self.session.lost(port, to)
        except Exception:
            logger.exception("after the loss of port %s", port)

    def adopt(self, *fresh: Listener) -> None:
        """Have listeners served that have just begun to listen; returns before they are."""
        self.server.add(*fresh, wait=False)

    def revive(self, port: int) -> tuple[Membership | None, list[Listener]]:
        """Serve again what is still open of a port that we gave up a moment ago.

        Returns
        -------
        membership, listeners
            The membership is None when its place in the group is not certain. The
            listeners are all that are ours, and served until somebody removes them.
        """
        with self._lock:
            former = self._former.pop(port, None)
            known = set(self._lingering.pop(port, ()))
            known.update(() if former is None else former.membership.listeners)
            listeners = []
            for one in known:
                if one.fileno() >= 0:
                    with contextlib.suppress(ValueError):  # closed meanwhile
                        self.server.add(one)
                        listeners.append(one)
            if former is None:
                return None, listeners
            membership = former.membership
            held = set(membership.listeners)
            membership.listeners += [one for one in listeners if one not in held]
            return membership if membership.certain else None, listeners

    @property
    def by(self) -> dict[str, Any]:
        """The field ``by`` of our own messages."""
        return {"label": self.session.label[:200], "pid": os.getpid(), "owner": self.owner}

    def linger(self, listeners: Iterable[Listener], seconds: float = LINGER_SECONDS) -> None:
        """Close those that are open after `seconds`, and serve them until then."""
        still_open = [one for one in listeners if one.fileno() >= 0]
        if not still_open:
            return
        with self._lock:
            port = still_open[0].port
            before = self._lingering.get(port, ())
            rest = [one for one in before if one.fileno() >= 0 and one not in still_open]
            self._lingering[port] = rest + still_open
            self.server.remove(*still_open, linger=seconds)

    def _leave(self, listeners: list[Listener], seconds: float = LINGER_SECONDS) -> None:
        """Let them linger, except spare ones, which siblings that join would have to count."""
        self.linger((one for one in listeners if one.spare), 0.0)
        self.linger((one for one in listeners if not one.spare), seconds)

    def renew(self, held: Held, membership: Membership) -> None:
        """Let `held` have the sockets of `membership` and its former ones linger.

        If it is not held any more, the new ones linger.
        """
        with self._lock:
            former, fresh = held.membership.listeners, membership.listeners
            if self._held.get(held.port) is held:
                held.membership = membership
                self._leave([one for one in former if one not in fresh])
            else:
                self.linger(one for one in fresh if one not in former)

    def watch(self, held: Held, *, steered: bool = False) -> None:
        """Look after a port that has become ours, in a thread that ends by itself.

        `steered` says whether it is steered to us already.
        """
        Watch(self, held, steered=steered).start()
