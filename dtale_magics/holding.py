"""The ports that this kernel holds in the pod, and what keeps each of them its own.

The seam to the rest: a `Serving` serves listeners (`dtale_magics.server.Server` is one), a
`PortOwner` (the session) knows who this kernel is and is told when a port is gone.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics import channel, exclusive, peers, procfs, steering
from dtale_magics.acceptor import LINGER_SECONDS
from dtale_magics.steering import Membership

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.exclusive import OwnClaim
    from dtale_magics.listener import Listener
    from dtale_magics.outcome import Party
    from dtale_magics.peers import Identity, Peer

logger = logging.getLogger(__name__)

_BREATH_SECONDS = 0.005
_WATCH_SECONDS = 0.05
_SLOWEST_WATCH_SECONDS = 1.0
_TELL_TIMEOUT_SECONDS = 0.5
_TELL_AGAIN_SECONDS = 5.0


class Serving(Protocol):
    """What serves listeners."""

    def add(self, *listeners: Listener) -> None:
        """Serve them, also one whose removal lingers; `ValueError` when one is closed."""

    def remove(self, listener: Listener, linger: float = ...) -> None:
        """Serve it for `linger` seconds more, then close it."""

    def detach(self, listener: Listener) -> None:
        """Stop serving it and leave it open."""


class PortOwner(Protocol):
    """The session, as the pod sees it. Called from daemon threads; must not block for long."""

    def identity(self) -> Identity:
        """Say who this kernel is."""

    def lost(self, port: int, to: Party | None) -> None:
        """Hear that `port` is somebody else's now (None: not known whose): move on.

        The listeners are dealt with; the session reserves the next free port of its range, serves
        it and passes it to `Holdings.hold`.
        """

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


class Holdings:
    """Thread-safe book of this kernel's ports."""

    def __init__(self, server: Serving, session: PortOwner) -> None:
        self.server = server
        self.session = session
        self._lock = threading.RLock()
        self._held: dict[int, Held] = {}
        self._former: dict[int, Held] = {}

    @property
    def since(self) -> Mapping[int, float]:
        """Each port held, with the time it became ours (seconds since the epoch)."""
        with self._lock:
            return {port: held.since for port, held in sorted(self._held.items())}

    def get(self, port: int) -> Held | None:
        """Return what is held of `port`."""
        with self._lock:
            return self._held.get(port)

    def hold(self, listener: Listener, previous: Peer | None = None) -> Held:
        """Enter a port that was bound plainly and is being served."""
        held = Held(listener.port, Membership([listener]), previous=previous)
        self.enter(held)
        return held

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
        own = held.claim
        if own is not None:
            return claim.generation <= own.generation
        # Bound plainly: whoever claims the port and also listens on it has joined us since.
        others = steering.members(held.port) - held.membership.inodes
        return not (others & procfs.socket_inodes(claim.pid))

    def surrender(self, held: Held, to: Party | None, linger: float = LINGER_SECONDS) -> bool:
        """Give up `held`, serving for `linger` seconds what has reached its queues.

        False when it is not held any more.
        """
        with self._lock:
            if self._held.get(held.port) is not held:
                return False
            del self._held[held.port]
            self._former[held.port] = held
            self._withdraw(held)
            for listener in held.membership.listeners:
                if listener.fileno() >= 0:
                    self.server.remove(listener, linger)
        self.tell_lost(held.port, to)
        return True

    def forget(self, held: Held) -> bool:
        """Strike `held` out, leaving its listeners to the caller; False when it is not held."""
        with self._lock:
            if self._held.get(held.port) is not held:
                return False
            del self._held[held.port]
            self._withdraw(held)
            return True

    def tell_lost(self, port: int, to: Party | None) -> None:
        """Tell the session, whose failure is its own."""
        try:
            self.session.lost(port, to)
        except Exception:
            logger.exception("after the loss of port %s", port)

    def revive(self, port: int) -> Membership | None:
        """Serve what is still open of a port that we gave up a moment ago.

        None when it was all closed, or its place in the group is not certain any more.
        """
        with self._lock:
            former = self._former.pop(port, None)
            if former is None:
                return None
            membership = former.membership
            listeners = [one for one in membership.listeners if one.fileno() >= 0]
            if not listeners:
                return None
            with contextlib.suppress(ValueError, OSError):  # one was closed under us
                self.server.add(*listeners)
                group = steering.members(port)
                if membership.certain(group) and membership.safe(group):
                    return membership
            self._linger(listeners)
            return None

    @staticmethod
    def _withdraw(held: Held) -> None:
        if held.claim is not None:
            held.claim.close()

    @property
    def by(self) -> dict[str, Any]:
        """The field ``by`` of our own messages."""
        identity = self.session.identity()
        return {"label": identity.label[:200], "pid": identity.pid, "owner": identity.owner}

    def watch(self, held: Held) -> None:
        """Start the thread that tells former owners and tidies the group; it ends by itself.

        Parameters
        ----------
        held
            A port that was just taken from siblings.
        """
        threading.Thread(
            target=self._watch, args=(held,), name="dtale_magics steering", daemon=True
        ).start()

    def _watch(self, held: Held) -> None:
        # A fresh thread runs at once and would keep the one that takes from returning.
        time.sleep(_BREATH_SECONDS)
        pause = _WATCH_SECONDS
        next_call: dict[Peer, float] = {}
        try:
            told = {"port": held.port, "by": self.by}
            while self.get(held.port) is held:
                foreign = steering.members(held.port) - held.membership.inodes
                self._tell(foreign, next_call, told)
                if self._tidy(held):
                    return
                time.sleep(pause)
                pause = min(pause * 1.2, _SLOWEST_WATCH_SECONDS)
        except Exception:
            logger.exception("the watch over port %s ends", held.port)

    def _tell(
        self, foreign: frozenset[int], next_call: dict[Peer, float], told: Mapping[str, Any]
    ) -> None:
        """Tell each sibling that still listens. An unread message waits in its queue."""
        if not foreign:
            return
        for peer in peers.siblings():
            if time.monotonic() >= next_call.get(peer, 0.0) and foreign & procfs.socket_inodes(
                peer.pid
            ):
                next_call[peer] = time.monotonic() + _TELL_AGAIN_SECONDS
                with contextlib.suppress(channel.ChannelError):
                    channel.call(peer, "taken", timeout=_TELL_TIMEOUT_SECONDS, **told)

    def _tidy(self, held: Held) -> bool:
        """Repair what others' leaving has done to the group; True when nothing is left to do."""
        membership = held.membership
        group = steering.members(held.port)
        foreign = group - membership.inodes
        if foreign and membership.safe(group):
            return False
        try:
            with exclusive.lock(held.port, time.monotonic() + _WATCH_SECONDS):
                if self.get(held.port) is not held:
                    return True
                if not self.owns(held):
                    # The new owner tells us; a lock-step later it may also be gone again.
                    return False
                if steering.members(held.port) - membership.inodes:
                    self._join_again(held)
                    return False
                return self._settle(held)
        except exclusive.PortBusyError:
            return False
        except OSError as error:
            logger.warning("port %s: %s", held.port, error)
            return False

    def _settle(self, held: Held) -> bool:
        """Shrink a group that is all ours to one socket at index 0."""
        listeners = [one for one in held.membership.listeners if one.fileno() >= 0]
        first = steering.settle(held.port, listeners)
        spares = [one for one in listeners if one is not first]
        with self._lock:
            if self._held.get(held.port) is held:
                held.membership = Membership([first], 0, frozenset())
                self._linger(spares)
        return True

    def _join_again(self, held: Held) -> None:
        old = held.membership
        fresh, superfluous = steering.join(held.port, self.server.add)
        if fresh.index is not None:
            steering.attach(fresh.listeners[0].socket, fresh.index)
        with self._lock:
            if self._held.get(held.port) is held:
                held.membership = fresh
                self._linger([*old.listeners, *superfluous])
            else:
                self._linger([*fresh.listeners, *superfluous])

    def _linger(self, listeners: list[Listener]) -> None:
        for listener in listeners:
            if listener.fileno() >= 0:
                self.server.remove(listener, LINGER_SECONDS)
