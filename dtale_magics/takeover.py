"""The takeover ladder: get a port from whoever has it, without losing a request where that can be.

Five rungs (docs/architecture.md): free, steered, handed over, released, a plain D-Tale replaced. A
stranger is never touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import errno
import os
import secrets
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from dtale_magics import (
    channel,
    exclusive,
    holders,
    listener,
    peers,
    plain,
    procfs,
    steering,
    surrender,
)
from dtale_magics.holding import Held, Holdings
from dtale_magics.listener import Listener
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.channel import Exchange, Handler, Message
    from dtale_magics.holding import PortOwner, Serving
    from dtale_magics.peers import Peer

DEADLINE_SECONDS = 5.0

_ASK_SECONDS = 2.0
_RETRY_SECONDS = 0.01
_EXIT_SECONDS = 0.3
_MAX_TRIES = 50


class Rung(enum.Flag):
    """Ways to get a port; tests leave some out."""

    FREE = enum.auto()
    STEER = enum.auto()
    HAND_OVER = enum.auto()
    RELEASE = enum.auto()
    PLAIN = enum.auto()


ALL = Rung.FREE | Rung.STEER | Rung.HAND_OVER | Rung.RELEASE | Rung.PLAIN


class _Attempt(NamedTuple):
    """One attempt: the port, when it must end, and the rungs that may be used."""

    port: int
    deadline: float
    rungs: Rung

    @property
    def left(self) -> float:
        return max(self.deadline - time.monotonic(), 0.0)


class Pod:
    """This kernel's place among its siblings: answers them, and takes ports.

    Parameters
    ----------
    session
        Knows who this kernel is and hears when a port is gone.
    server
        Serves the listeners; `dtale_magics.server.Server`.
    owner
        Random id of this kernel.
    handlers
        Further operations that siblings may ask for.
    """

    def __init__(
        self,
        session: PortOwner,
        server: Serving,
        owner: str = "",
        handlers: Mapping[str, Handler] | None = None,
    ) -> None:
        self.owner = owner or secrets.token_hex(16)
        self.holdings = Holdings(server, session)
        own = surrender.Surrender(self.holdings).handlers
        self._channel = channel.ChannelServer(
            self.owner, {**own, "take_back": self._take_back, **(handlers or {})}
        )

    @property
    def since(self) -> Mapping[int, float]:
        """The ports of this kernel, with the time each became its own."""
        return self.holdings.since

    def close(self) -> None:
        """Leave the pod: give up all ports and answer no more."""
        for port in self.since:
            self.release(port, tell=False)
        self._channel.close()

    def hold(self, reserved: Listener) -> None:
        """Enter and serve a port that the session has reserved by itself."""
        self.holdings.server.add(reserved)
        self.holdings.hold(reserved)

    def release(self, port: int, *, tell: bool = True) -> bool:
        """Give up `port` to nobody; False when it was not ours.

        `tell` says whether the session hears of it (`PortOwner.lost`) and moves on.
        """
        held = self.holdings.get(port)
        if held is None:
            return False
        if tell:
            return self.holdings.surrender(held, None)
        if not self.holdings.forget(held):
            return False
        for one in held.membership.listeners:
            if one.fileno() >= 0:
                self.holdings.server.remove(one)
        return True

    def give_back(self, port: int, *, deadline_seconds: float = DEADLINE_SECONDS) -> Party | None:
        """Have the sibling that had `port` before take it back; None when there is none."""
        held = self.holdings.get(port)
        if held is None or held.previous is None:
            return None
        identity = peers.identify(held.previous)
        with contextlib.suppress(channel.ChannelError):
            channel.call(held.previous, "take_back", timeout=deadline_seconds, port=port)
            return None if identity is None else Party.of(identity, port)
        return None

    def announce(self) -> None:
        """Tell all siblings that something changed here."""
        for peer in peers.siblings():
            with contextlib.suppress(channel.ChannelError):
                channel.call(peer, "changed", timeout=0.2)

    def take(
        self, port: int, *, deadline_seconds: float = DEADLINE_SECONDS, rungs: Rung = ALL
    ) -> Outcome:
        """Get `port`, by the first rung that bears.

        When it returns an outcome that is `ours`, every new connection is answered here.

        Parameters
        ----------
        port
            The port in question.
        deadline_seconds
            After so long the answer is `Refused`.
        rungs
            The ways that may be tried.
        """
        started = time.monotonic()
        attempt = _Attempt(port, started + deadline_seconds, rungs)
        try:
            with exclusive.lock(port, attempt.deadline):
                outcome = self._climb(attempt)
        except exclusive.PortBusyError as error:
            outcome = Refused(port, error.what, error.hint)
        return dataclasses.replace(outcome, seconds=time.monotonic() - started)

    def _take_back(self, message: Message, _exchange: Exchange) -> Message:
        port = message.get("port")
        if not isinstance(port, int):
            return {"ok": False, "why": "the message names no port"}
        outcome = self.take(port)
        return {"ok": outcome.ours, "why": str(outcome)}

    def _climb(self, attempt: _Attempt) -> Outcome:
        for _ in range(_MAX_TRIES):
            outcome = self._try_once(attempt)
            if not isinstance(outcome, Refused) or attempt.left <= 0:
                break
            asked = outcome.holder is not None and outcome.holder.owner
            if not asked and not self._in_motion(attempt.port):
                break
            # It is just changing hands: the next look may find another holder, or none.
            time.sleep(_RETRY_SECONDS)
        return outcome

    def _in_motion(self, port: int) -> bool:
        """Whether who has the port is changing at this moment, so that a second try may help."""
        group = steering.members(port)
        if group:
            ours = procfs.socket_inodes(os.getpid())
            return not group - ours
        return not holders.find(port)

    def _try_once(self, attempt: _Attempt) -> Outcome:
        port = attempt.port
        held = self.holdings.get(port)
        if held is not None:
            if self.holdings.owns(held):
                return AlreadyOurs(port)
            # Taken from us, and we have not heard yet: what follows takes it back.
            self.holdings.surrender(held, None)
        if Rung.FREE in attempt.rungs:
            try:
                self.hold(listener.bind(port))
                return Free(port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    return Refused(port, f"{error.strerror}.", "Choose another port: %dtale_port")
        peer = self._holder(port)
        if peer is not None:
            return self._take_from(peer, attempt)
        return self._replace_plain(attempt)

    def _holder(self, port: int) -> Peer | None:
        """Return the sibling that has `port`; None when somebody else has a part in it."""
        group = steering.members(port) - procfs.socket_inodes(os.getpid())
        strangers = set(group)
        found = None
        claim = exclusive.holding_claim(port)
        for peer in peers.siblings():
            inodes = procfs.socket_inodes(peer.pid)
            # After a hand-over the former owner has the same socket for a moment.
            if group & inodes:
                strangers -= inodes
                if found is None or (claim is not None and claim.pid == peer.pid):
                    found = peer
        if strangers or not steering.same_user(port):
            return None
        return found

    def _take_from(self, peer: Peer, attempt: _Attempt) -> Outcome:
        port = attempt.port
        # Who it is is asked afterwards, where it can wait: the port first.
        why = ["no way to take it was allowed"]
        outcome: Outcome | None = None
        if Rung.STEER in attempt.rungs and steering.available():
            try:
                held = self._steer(port, peer)
                self.holdings.watch(held)
                return Steered(port, self._party(peer, port, wait=0.0))
            except OSError as error:
                why.append(f"steering failed ({error})")
        party = self._party(peer, port, wait=min(0.5, attempt.left))
        try:
            if Rung.HAND_OVER in attempt.rungs and self._receive(peer, attempt):
                outcome = HandedOver(port, party)
        except (channel.ChannelError, OSError) as error:
            why.append(f"hand-over failed ({error})")
        try:
            if outcome is None and Rung.RELEASE in attempt.rungs and self._rebind(peer, attempt):
                outcome = Released(port, party)
        except (channel.ChannelError, OSError) as error:
            why.append(f"release failed ({error})")
        if outcome is not None:
            return outcome
        return Refused(
            port,
            f"{party} has it, and it could not be taken: {'; '.join(why[-2:])}.",
            f"If that kernel hangs, restart it; or use another port: %dtale_port {port + 1}",
            party,
        )

    def _party(self, peer: Peer, port: int, wait: float) -> Party:
        identity = peers.identify(peer, wait) if wait > 0 else peers.look_up(peer)
        if identity is None:
            return Party(f"process {peer.pid}", peer.pid, None, peer.owner)
        return Party.of(identity, port)

    def _steer(self, port: int, peer: Peer) -> Held:
        server = self.holdings.server
        claim = exclusive.claim(port)
        superfluous: list[Listener] = []
        membership = None
        try:
            membership = self.holdings.revive(port)
            if membership is None:
                membership, superfluous = steering.join(port, server.add)
            if membership.index is None:
                raise steering.SteeringError(errno.EAGAIN, "its group changes without end")
            steering.attach(membership.listeners[0].socket, membership.index)
        except OSError:
            if claim is not None:
                claim.close()
            for one in [] if membership is None else membership.listeners:
                server.remove(one)
            raise
        finally:
            for one in superfluous:
                server.remove(one)
        held = Held(port, membership, claim, previous=peer)
        self.holdings.enter(held)
        return held

    def _receive(self, peer: Peer, attempt: _Attempt) -> bool:
        """Have `peer` hand over its listening sockets."""
        port = attempt.port
        request = {"op": "hand_over", "port": port, "by": self.holdings.by}
        listeners: list[Listener] = []
        given = False
        with channel.connect(peer, min(_ASK_SECONDS, attempt.left)) as exchange:
            exchange.send(request)
            channel.checked(exchange.receive(descriptors=True))
            listeners = [Listener(socket.socket(fileno=fd)) for fd in exchange.take_descriptors()]
            try:
                if not listeners or any(one.port != port for one in listeners):
                    raise channel.ProtocolError("The other kernel sent no listener of that port.")
                exchange.send({"op": "have"})
                given = exchange.receive().get("op") == "yours"
            except channel.PeerSilentError:
                # Stopped with our word in its queue: when it goes on, that is what it reads.
                given = True
            except channel.PeerGoneError:
                given = _let_go(peer, {one.inode for one in listeners})
            finally:
                if not given:
                    for one in listeners:
                        one.close()
        if not given:
            return False
        claim = exclusive.claim(port)
        self.holdings.server.add(*listeners)
        membership = steering.Membership(listeners, None if len(listeners) > 1 else 0)
        held = Held(port, membership, claim, previous=peer)
        self.holdings.enter(held)
        if steering.members(port) - {listeners[0].inode}:
            self.holdings.watch(held)
        return True

    def _rebind(self, peer: Peer, attempt: _Attempt) -> bool:
        """Have `peer` release the port, and bind it."""
        request = {"op": "release", "port": attempt.port, "by": self.holdings.by}
        with channel.connect(peer, min(_ASK_SECONDS, attempt.left)) as exchange:
            exchange.send(request)
            channel.checked(exchange.receive())
            bound = listener.bind(attempt.port)
            self.holdings.server.add(bound)
            self.holdings.hold(bound, peer)
            with contextlib.suppress(channel.ChannelError):  # the port is ours all the same
                exchange.send({"op": "bound"})
        return True

    def _replace_plain(self, attempt: _Attempt) -> Outcome:
        port = attempt.port
        if Rung.PLAIN in attempt.rungs and steering.members(port):
            dtale = plain.prove(port, attempt.deadline)
            if dtale is not None:
                party = Party(f"plain D-Tale ({dtale.command})", dtale.pid, dtale.since)
                if plain.shut_down(dtale, attempt.deadline):
                    try:
                        self.hold(listener.bind(port))
                        return ReplacedPlainDtale(port, party, dtale.frames)
                    except OSError as error:
                        return Refused(port, f"{party} left, but: {error}.", "Try again.", party)
                return Refused(
                    port,
                    f"{party} does not shut down.",
                    f"Restart that notebook's kernel (process {dtale.pid}).",
                    party,
                )
        return _refused(port)


def _let_go(peer: Peer, inodes: set[int]) -> bool:
    """Whether `peer` has those sockets no more; a process that ends needs a moment to close all."""
    deadline = time.monotonic() + _EXIT_SECONDS
    while procfs.socket_inodes(peer.pid) & inodes:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_RETRY_SECONDS)
    return True


def _refused(port: int) -> Refused:
    found = holders.find(port)
    party = None
    if len(found) == 1:
        one = found[0]
        party = Party(one.command or f"user {one.user}", one.pid, one.since)
    listening = any(one.listening for one in found)
    who = "; ".join(map(str, found)) or holders.describe(port)
    what = "which is no D-Tale of yours, " if listening else ""
    hint = f"End it yourself if it is yours, or use another port: %dtale_port {port + 1}"
    return Refused(port, f"it is held by {who}; {what}and is left alone.", hint, party)
