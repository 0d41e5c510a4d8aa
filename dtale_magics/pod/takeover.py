"""The takeover ladder: get a port from whoever has it, without losing a request where that can be.

Five rungs (docs/architecture.md): free, steered, handed over, released, a plain D-Tale replaced. A
stranger is never touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from typing import TYPE_CHECKING

from dtale_magics.outcome import AlreadyOurs, Outcome, Party, Refused
from dtale_magics.pod import (
    channel,
    exchange,
    exclusive,
    occupancy,
    peers,
    rungs,
    steering,
    surrender,
)
from dtale_magics.pod.holding import Holdings
from dtale_magics.pod.rungs import ALL, Attempt, Rung

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.pod.channel import Handler
    from dtale_magics.pod.exchange import Exchange, Message
    from dtale_magics.pod.holding import PortOwner, Serving
    from dtale_magics.serving.listener import Listener

__all__ = ["ALL", "DEADLINE_SECONDS", "Pod", "Rung", "climb"]

DEADLINE_SECONDS = 5.0

_RETRY_SECONDS = 0.01
_MAX_TRIES = 50


def climb(attempt: Attempt) -> Outcome:
    """Try one rung after the other, and all again while the port is changing hands."""
    for _ in range(_MAX_TRIES):
        outcome, in_motion = _climb_once(attempt)
        if outcome.ours or not in_motion or attempt.left <= 0:
            break
        time.sleep(_RETRY_SECONDS)
    return outcome


def _climb_once(attempt: Attempt) -> tuple[Outcome, bool]:
    """Return the outcome, and whether the next try may have a better one."""
    outcome = rungs.keep(attempt)
    if outcome is not None:
        return outcome, False
    found = occupancy.survey(attempt.port)
    outcome = None if found.group else rungs.bind(attempt)
    if outcome is not None:
        return outcome, False
    sibling = found.sibling
    if sibling is None:
        outcome = rungs.replace_plain(attempt, found) or rungs.refuse_stranger(attempt.port)
        return outcome, found.in_motion
    outcome = (
        rungs.steer(attempt, sibling, found)
        or rungs.hand_over(attempt, sibling)
        or rungs.rebind(attempt, sibling)
        or rungs.refuse_sibling(attempt, sibling)
    )
    return outcome, True


class Pod:
    """This kernel's place among its siblings: answers them, and takes ports.

    Parameters
    ----------
    session
        Knows who this kernel is and hears when a port is gone.
    server
        Serves the listeners; `dtale_magics.serving.server.Server`.
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
        self.holdings = Holdings(server, session, self.owner)
        own = surrender.Surrender(self.holdings).handlers
        self._channel = channel.ChannelServer(
            self.owner, {**own, "take_back": self._take_back, **(handlers or {})}
        )
        steering.prepare()

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
        self.holdings.serve(reserved)

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
        self.holdings.linger(held.membership.listeners)
        return True

    def give_back(self, port: int, *, deadline_seconds: float = DEADLINE_SECONDS) -> Party | None:
        """Have the sibling that had `port` before take it back; None when there is none."""
        held = self.holdings.get(port)
        if held is None or held.previous is None:
            return None
        identity = peers.identify(held.previous, again=True)
        if identity is None or not identity.responding:
            return None
        # Read late, by a notebook that was suspended, it would take the port from somebody else.
        told = {"port": port, "until": time.time() + deadline_seconds}
        with contextlib.suppress(exchange.ChannelError):
            channel.call(held.previous, "take_back", timeout=deadline_seconds, **told)
            return identity.party(port)
        return None

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
        attempt = Attempt(self.holdings, port, started + deadline_seconds, rungs)
        try:
            with exclusive.lock(port, attempt.deadline):
                locked = time.monotonic()
                outcome = climb(attempt)
            if outcome.ours and exclusive.may_have_been_passed(locked):
                outcome = self._unless_passed(outcome)
        except exclusive.PortBusyError as error:
            outcome = Refused(port, error.what, error.hint)
        return dataclasses.replace(outcome, seconds=time.monotonic() - started)

    def _unless_passed(self, outcome: Outcome) -> Outcome:
        if not self.holdings.give_way(outcome.port):
            return outcome
        why = "this notebook was suspended while it took it, and another one has it since."
        return Refused(outcome.port, why, f"Try again: %dtale_port {outcome.port} --force")

    def _take_back(self, message: Message, _conversation: Exchange) -> Message:
        port, until = message.get("port"), message.get("until")
        if not isinstance(port, int) or not isinstance(until, float):
            return {"ok": False, "why": "the message names no port, or no time"}
        if time.time() > until:
            return {"ok": False, "why": "the message comes too late"}
        outcome = self.take(port)
        if outcome.ours and not isinstance(outcome, AlreadyOurs):
            self.holdings.session.regained(port, getattr(outcome, "holder", None))
        return {"ok": outcome.ours, "why": str(outcome)}
