"""The rungs of the takeover ladder: each is one way to get a port.

A rung returns what happened, or None when it does not bear; then the next one is tried. Whoever
calls them holds the port's lock (`dtale_magics.pod.exclusive`).
"""

from __future__ import annotations

import contextlib
import enum
import errno
import functools
import os
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dtale_magics.outcome import (
    AlreadyOurs,
    Free,
    HandedOver,
    Outcome,
    Party,
    Refused,
    Released,
    ReplacedPlainDtale,
    Steered,
)
from dtale_magics.pod import channel, exchange, exclusive, peers, plain
from dtale_magics.pod import steering as group
from dtale_magics.pod.holding import Held
from dtale_magics.serving import listener
from dtale_magics.serving.listener import Listener
from dtale_magics.system import holders, procfs

if TYPE_CHECKING:
    from dtale_magics.pod.exchange import Exchange
    from dtale_magics.pod.exclusive import OwnClaim
    from dtale_magics.pod.holding import Holdings
    from dtale_magics.pod.occupancy import Occupancy
    from dtale_magics.pod.peers import Peer

_ASK_SECONDS = 2.0
_EXIT_SECONDS = 0.3
_POLL_SECONDS = 0.01


class Rung(enum.Flag):
    """Ways to get a port; tests leave some out."""

    FREE = enum.auto()
    STEER = enum.auto()
    HAND_OVER = enum.auto()
    RELEASE = enum.auto()
    PLAIN = enum.auto()


ALL = Rung.FREE | Rung.STEER | Rung.HAND_OVER | Rung.RELEASE | Rung.PLAIN


@dataclass(frozen=True)
class Attempt:
    """One attempt to get a port.

    Attributes
    ----------
    holdings
        Of the kernel that takes.
    port
        The port in question.
    deadline
        ``time.monotonic()`` at which it must end.
    rungs
        Those that may be used.
    failures
        What was tried in vain, in words.
    """

    holdings: Holdings
    port: int
    deadline: float
    rungs: Rung = ALL
    failures: list[str] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(self.deadline - time.monotonic(), 0.0)

    def connect(self, sibling: Peer) -> Exchange:
        """Open a connection to the sibling that is asked for the port."""
        return channel.connect(sibling, min(_ASK_SECONDS, self.left))


def keep(attempt: Attempt) -> Outcome | None:
    """Keep a port that is ours already."""
    held = attempt.holdings.get(attempt.port)
    if held is None:
        return None
    if attempt.holdings.owns(held):
        return AlreadyOurs(attempt.port)
    # Taken from us, and we have not heard yet: the next rungs take it back.
    attempt.holdings.surrender(held, None)
    return None


def bind(attempt: Attempt) -> Outcome | None:
    """Bind a port that nobody has."""
    if Rung.FREE not in attempt.rungs:
        return None
    try:
        attempt.holdings.serve(listener.bind(attempt.port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        return Refused(attempt.port, f"{error.strerror}.", "Choose another port: %dtale_port")
    return Free(attempt.port)


def steer(attempt: Attempt, sibling: Peer, occupancy: Occupancy) -> Outcome | None:
    """Bind beside the sibling and steer all new connections here; it need not even run."""
    if Rung.STEER not in attempt.rungs or not group.available():
        return None
    try:
        held = _join_and_attach(attempt, sibling, occupancy)
    except OSError as error:
        attempt.failures.append(f"steering failed ({error})")
        return None
    attempt.holdings.watch(held, steered=True)
    return Steered(attempt.port, party(sibling))


def _join_and_attach(attempt: Attempt, sibling: Peer, occupancy: Occupancy) -> Held:
    holdings, port = attempt.holdings, attempt.port
    claim = exclusive.claim(port, occupancy.claims)
    membership, own = holdings.revive(port)
    try:
        if membership is None:
            membership = group.join(port, occupancy.group, own, holdings.adopt)
        membership.steer()
    except OSError:
        if claim is not None:
            claim.close()
        holdings.linger(own if membership is None else membership.listeners)
        raise
    held = Held(port, membership, claim, previous=sibling)
    holdings.enter(held)
    return held


def hand_over(attempt: Attempt, sibling: Peer) -> Outcome | None:
    """Have the sibling hand over its listening sockets, with every connection in their queues."""
    if Rung.HAND_OVER not in attempt.rungs:
        return None
    try:
        held, label = _receive(attempt, sibling)
    except (exchange.ChannelError, OSError) as error:
        attempt.failures.append(f"hand-over failed ({error})")
        return None
    holdings = attempt.holdings
    holdings.server.add(*held.membership.listeners)
    holdings.enter(held)
    holdings.watch(held)
    return HandedOver(attempt.port, party(sibling, label))


def _receive(attempt: Attempt, sibling: Peer) -> tuple[Held, str]:
    """Receive the sockets; an error leaves them with the sibling.

    The claim is there before the word that decides: a sibling to which it got lost, as it was
    stopped meanwhile, sees by the claim whose the port is.
    """
    with attempt.connect(sibling) as conversation:
        conversation.send({"op": "hand_over", "port": attempt.port, "by": attempt.holdings.by})
        offer = channel.checked(conversation.receive(descriptors=True))
        listeners = [Listener(socket.socket(fileno=fd)) for fd in conversation.take_descriptors()]
        claim: OwnClaim | None = None
        given = False
        try:
            if not listeners or any(one.port != attempt.port for one in listeners):
                raise exchange.ProtocolError("The other kernel sent no listener of that port.")
            claim = exclusive.claim(attempt.port)
            given = _confirmed(conversation, sibling, listeners)
        finally:
            if not given:
                for one in listeners:
                    one.close()
                if claim is not None:
                    claim.close()
    if not given:
        raise exchange.PeerGoneError("The other kernel did not let the port go.")
    index = offer.get("index") if len(listeners) > 1 else 0
    membership = group.Membership(listeners, index if isinstance(index, int) else None)
    return Held(attempt.port, membership, claim, previous=sibling), str(offer.get("label", ""))


def _confirmed(conversation: Exchange, sibling: Peer, listeners: list[Listener]) -> bool:
    """Say that we have the sockets, and find out whether the sibling let them go."""
    try:
        conversation.send({"op": "have"})
        return conversation.receive().get("op") == "yours"
    except exchange.PeerSilentError:
        # Stopped with our word in its queue: when it goes on, it reads that, and sees our claim.
        return exclusive.ABSTRACT
    except exchange.PeerGoneError:
        return _let_go(sibling, frozenset(one.inode for one in listeners))


def _let_go(sibling: Peer, inodes: frozenset[int]) -> bool:
    """Whether it has those sockets no more; a process that ends needs a moment to close all."""
    deadline = time.monotonic() + _EXIT_SECONDS
    while procfs.socket_inodes(sibling.pid, inodes):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def rebind(attempt: Attempt, sibling: Peer) -> Outcome | None:
    """Have the sibling release the port and bind it; in between nobody listens."""
    if Rung.RELEASE not in attempt.rungs:
        return None
    holdings, port = attempt.holdings, attempt.port
    try:
        with attempt.connect(sibling) as conversation:
            conversation.send({"op": "release", "port": port, "by": holdings.by})
            answer = channel.checked(conversation.receive())
            holdings.serve(listener.bind(port), sibling)
            with contextlib.suppress(exchange.ChannelError):  # the port is ours all the same
                conversation.send({"op": "bound"})
    except (exchange.ChannelError, OSError) as error:
        attempt.failures.append(f"release failed ({error})")
        return None
    return Released(port, party(sibling, str(answer.get("label", ""))))


def replace_plain(attempt: Attempt, occupancy: Occupancy) -> Outcome | None:
    """Have a D-Tale without this extension shut down, and bind the port."""
    port = attempt.port
    if Rung.PLAIN not in attempt.rungs or not occupancy.group:
        return None
    dtale = plain.prove(port, attempt.deadline)
    if dtale is None:
        return None
    holder = Party(f"plain D-Tale ({dtale.command})", dtale.pid, dtale.since)
    if not plain.shut_down(dtale, attempt.deadline):
        hint = f"Restart that notebook's kernel (process {dtale.pid})."
        return Refused(port, f"{holder} does not shut down.", hint, holder)
    try:
        attempt.holdings.serve(listener.bind(port))
    except OSError as error:
        return Refused(port, f"{holder} left, but: {error}.", "Try again.", holder)
    return ReplacedPlainDtale(port, holder, dtale.frames)


def refuse_sibling(attempt: Attempt, sibling: Peer) -> Refused:
    """Say why a sibling keeps its port."""
    holder = party(sibling)
    why = "; ".join(attempt.failures[-3:]) or "no way to take it was allowed"
    return Refused(
        attempt.port,
        f"{holder} has it, and it could not be taken: {why}.",
        f"If that kernel hangs, restart it; or use another port: %dtale_port {attempt.port + 1}",
        holder,
    )


def refuse_stranger(port: int) -> Refused:
    """Say who has a port that is not for the taking."""
    siblings = {peer.pid for peer in peers.siblings()}
    found = holders.find(port)
    # A program that listens beside a D-Tale of ours is the reason, and the D-Tale is not.
    found = [one for one in found if one.listening and one.pid not in siblings] or found
    holder = None
    if len(found) == 1:
        one = found[0]
        holder = Party(one.command or f"user {one.user}", one.pid, one.since)
    who = "; ".join(map(str, found)) or holders.describe(port)
    if os.getpid() in {one.pid for one in found if one.listening}:
        hint = f"Stop that server, or use another port: %dtale_port {port + 1}"
        return Refused(port, "a server of your own, in this notebook, has it.", hint, holder)
    listening = any(one.listening for one in found)
    what = "which is no D-Tale of yours, " if listening else ""
    hint = f"End it yourself if it is yours, or use another port: %dtale_port {port + 1}"
    return Refused(port, f"it is held by {who}; {what}and is left alone.", hint, holder)


def party(sibling: Peer, label: str = "") -> Party:
    """Name a sibling as it named itself, or by what the system knows; without asking it."""
    return Party(label or _presumed_label(sibling), sibling.pid, None, sibling.owner)


@functools.lru_cache(maxsize=64)
def _presumed_label(sibling: Peer) -> str:
    """Remember what stood in the environment when that process was started: it cannot change."""
    return peers.presumed_label(sibling.pid)
