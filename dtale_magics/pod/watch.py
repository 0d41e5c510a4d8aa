"""What is left to do when a port has become ours: tell the siblings, and tidy the group."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from dtale_magics.pod import channel, exchange, exclusive, peers, steering
from dtale_magics.system import procfs

if TYPE_CHECKING:
    from dtale_magics.pod.holding import Held, Holdings
    from dtale_magics.pod.peers import Peer

logger = logging.getLogger(__name__)

_BREATH_SECONDS = 0.005
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_TELL_AGAIN_SECONDS = 5.0
_LOCK_SECONDS = 3 * exclusive.SUSPENDED_SECONDS
"""Enough to pass one that is suspended with the lock, see `dtale_magics.pod.exclusive.lock`."""


class Watch:
    """Looks after one port until it is this kernel's alone, or not this kernel's any more.

    Parameters
    ----------
    holdings
        This kernel's ports.
    held
        The one that was just taken, bound or received.
    steered
        Whether it is steered to us already.
    """

    def __init__(self, holdings: Holdings, held: Held, *, steered: bool) -> None:
        self._holdings = holdings
        self._held = held
        self._port = held.port
        self._steered = steered
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
                    channel.tell(peer, "taken", **told)

    def _tidy(self) -> bool:
        """Steer the port here if it is not, with as few sockets as that needs; True when done."""
        held = self._held
        others = self._others()
        if self._steered and others and not self._too_many(others):
            return False
        try:
            with exclusive.lock(self._port, time.monotonic() + _LOCK_SECONDS):
                locked = time.monotonic()
                if not self._is_held():
                    return True
                if not self._holdings.owns(held):
                    # The new owner tells us; a lock-step later it may also be gone again.
                    return False
                if not self._steered:
                    self._steer()
                others = self._others()
                if self._too_many(others):
                    kept = steering.shrink(self._port, held.membership, len(others))
                    self._holdings.renew(held, kept)
        except exclusive.PortBusyError:
            return False
        except OSError as error:
            logger.warning("port %s: %s", self._port, error)
            return False
        if exclusive.may_have_been_passed(locked) and self._holdings.give_way(self._port):
            return True
        return not others

    def _too_many(self, others: frozenset[int]) -> bool:
        """Whether we have more sockets than it takes beside `others`."""
        return len(self._held.membership.open) > len(others) + 1

    def _steer(self) -> None:
        """Steer the port to us, also if nobody shares it: somebody may, without asking."""
        holdings, membership = self._holdings, self._held.membership
        group = steering.members(self._port)
        if not membership.certain or len(group) == 1:  # one socket alone is no group
            membership = steering.join(self._port, group, membership.open, holdings.adopt)
            holdings.renew(self._held, membership)
        membership.steer()
        self._steered = True
