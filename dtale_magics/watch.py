"""What is left to do when a port has become ours: tell the siblings, and tidy the group."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from dtale_magics import channel, exchange, exclusive, peers, procfs, steering
from dtale_magics.steering import Membership

if TYPE_CHECKING:
    from dtale_magics.holding import Held, Holdings
    from dtale_magics.peers import Peer

logger = logging.getLogger(__name__)

_BREATH_SECONDS = 0.005
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_TELL_TIMEOUT_SECONDS = 0.5
_TELL_AGAIN_SECONDS = 5.0


class Watch:
    """Looks after one port until it is this kernel's alone, or not this kernel's any more.

    Parameters
    ----------
    holdings
        This kernel's ports.
    held
        The one that was just taken, bound or received.
    steered
        Whether one that was taken by steering still is steered to us.
    """

    def __init__(self, holdings: Holdings, held: Held, *, steered: bool = True) -> None:
        self._holdings = holdings
        self._held = held
        self._port = held.port
        self._steered = steered and held.claim is not None
        self._next_call: dict[Peer, float] = {}

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="dtale_magics watch of a port", daemon=True).start()

    def _run(self) -> None:
        # A fresh thread runs at once and would keep the one that takes from returning.
        time.sleep(_BREATH_SECONDS)
        pause = _PAUSE_SECONDS
        try:
            self._tell_former_owners()
            peers.announce()
            if not self._steered and not steering.available():
                return
            while self._is_held():
                if self._tidy():
                    return
                time.sleep(pause)
                self._tell_former_owners()
                pause = min(pause * 1.2, _LONGEST_PAUSE_SECONDS)
        except Exception:
            logger.exception("the watch over port %s ends", self._port)

    def _is_held(self) -> bool:
        return self._holdings.get(self._port) is self._held

    def _others(self) -> frozenset[int]:
        return steering.members(self._port) - self._held.membership.inodes

    def _tell_former_owners(self) -> None:
        """Tell each sibling that still listens. An unread message waits in its queue."""
        others = self._others() if self._is_held() else frozenset()
        if not others:
            return
        told = {"port": self._port, "by": self._holdings.by}
        for peer in peers.siblings():
            due = time.monotonic() >= self._next_call.get(peer, 0.0)
            if due and procfs.socket_inodes(peer.pid, others):
                self._next_call[peer] = time.monotonic() + _TELL_AGAIN_SECONDS
                with contextlib.suppress(exchange.ChannelError):
                    channel.call(peer, "taken", timeout=_TELL_TIMEOUT_SECONDS, **told)

    def _tidy(self) -> bool:
        """Repair what others' leaving has done to the group; True when nothing is left to do."""
        held = self._held
        if self._steered and self._others() and held.membership.safe(steering.members(self._port)):
            return False
        try:
            with exclusive.lock(self._port, time.monotonic() + _PAUSE_SECONDS):
                if not self._is_held():
                    return True
                if not self._holdings.owns(held):
                    # The new owner tells us; a lock-step later it may also be gone again.
                    return False
                if not self._others():
                    self._settle()
                    return True
                self._steer_again()
                return False
        except exclusive.PortBusyError:
            return False
        except OSError as error:
            logger.warning("port %s: %s", self._port, error)
            return False

    def _settle(self) -> None:
        """Shrink a group that is all ours to one socket at index 0."""
        listeners = [one for one in self._held.membership.listeners if one.fileno() >= 0]
        kept, superfluous = steering.settle(self._port, listeners, self._holdings.adopt)
        self._holdings.renew(self._held, Membership([kept]))
        self._holdings.linger(superfluous)

    def _steer_again(self) -> None:
        holdings, membership = self._holdings, self._held.membership
        if self._held.claim is None:
            # Bound plainly, so the first of the group, whoever has joined it since.
            steering.attach(membership.listeners[0].socket, 0)
        else:
            own = [one for one in membership.listeners if one.fileno() >= 0]
            group = steering.members(self._port)
            fresh = steering.join(self._port, group, own, holdings.adopt)
            if fresh.index is not None:
                steering.attach(fresh.listeners[0].socket, fresh.index)
            holdings.renew(self._held, fresh)
        self._steered = True
