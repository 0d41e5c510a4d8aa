"""This kernel's ports, which it shares with its siblings in the pod; thread-safe.

A thread looks after the ports every second, and whenever a sibling says that something has changed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dtale_magics import deadlines
from dtale_magics.errors import PortUnavailableError, SettingError
from dtale_magics.outcome import (
    AlreadyOurs,
    GivenBack,
    InFront,
    Joined,
    Party,
    Refused,
    ReplacedPlainDtale,
)
from dtale_magics.pod import channel, exchange, front, peers, refusal, sharing, steering
from dtale_magics.pod.inbox import Inbox
from dtale_magics.pod.passing import Passing, inbox_name
from dtale_magics.pod.sharing import Sharing
from dtale_magics.serving.transport.server import Server
from dtale_magics.state import PortHolder
from dtale_magics.system import plain_dtale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed.wsgi import WSGIApplication

    from dtale_magics.outcome import Outcome
    from dtale_magics.pod.exchange import Exchange, Message
    from dtale_magics.pod.front import Place

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_LOOKED_FOR = 8
"""Maximum number of ports, better than the one we have, that are tried each time."""

HOLD_OFF_SECONDS = 10.0
"""How long we leave a port alone after a plain D-Tale has asked for it."""


class Ports:
    """The ports of this kernel.

    Parameters
    ----------
    owner
        Random id of this kernel.
    app
        The WSGI application that answers on all of them.
    is_own
        Whether the first segment of a path is this kernel's, or everybody's.
    label
        Returns what the user calls this kernel; it may ask the Jupyter server.
    reports
        Further reports that siblings may ask for, by name: functions that return values for JSON.
    search_order
        Returns the ports in the order to try them.
    happened
        Is told one line for each event; an empty one for a change at a sibling.
    is_busy
        Whether a cell is running: then siblings that are idle accept first.
    """

    def __init__(  # noqa: PLR0913 (by keyword)
        self,
        *,
        owner: str,
        app: WSGIApplication,
        is_own: Callable[[str], bool],
        label: Callable[[], str],
        reports: Mapping[str, Callable[[], dict[str, Any]]],
        search_order: Callable[[], Sequence[int]],
        happened: Callable[..., None],
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self.owner = owner
        self._ask_label = label
        self._search_order = search_order
        self._happened = happened
        self._lock = threading.RLock()
        self._label = ""
        self._named: int | None = None
        self._chosen = False
        """Whether the user has chosen the port."""
        self._held_off: dict[int, float] = {}
        self._left: set[int] = set()
        """The ports that we have left to a plain D-Tale, to come back to."""
        self._server = Server(app, router=Passing(is_own), is_busy=is_busy)
        self._own_inboxes: dict[str, Inbox] = {}
        self.answer_to()
        self._sharing = Sharing(owner, self._server, lambda: self.label)
        self._channel = channel.ChannelServer(
            owner,
            {
                "share": self._sharing.hand_out,
                "changed": self._changed,
                "vacate": self._vacated,
                **{name: _answering(name, report) for name, report in reports.items()},
            },
        )
        self._look_now = threading.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._look_after, name="dtale_magics ports", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether requests are being answered in this process."""
        return self._server.alive

    @property
    def all(self) -> tuple[int, ...]:
        """Every bound port, in the order in which they were bound."""
        since = self._sharing.since
        return tuple(sorted(since, key=lambda port: since[port]))

    @property
    def named(self) -> int | None:
        """The port that URLs name: the one chosen last."""
        ports = self.all
        return self._named if self._named in ports else (ports[-1] if ports else None)

    @property
    def label(self) -> str:
        """What the user calls this kernel, as last heard: callers have no time to ask."""
        return self._label or peers.presumed_label(os.getpid())

    def answer_to(self, *slugs: str) -> None:
        """Have siblings pass us the connections whose path has one of `slugs` or our owner id."""
        with self._lock:
            for gone in self._own_inboxes.keys() - {self.owner, *slugs}:
                self._own_inboxes.pop(gone).drop()
            for name in {self.owner, *slugs} - self._own_inboxes.keys():
                with contextlib.suppress(OSError):  # squatted: we still serve what we accept
                    self._own_inboxes[name] = Inbox(inbox_name(name), self._server)

    # ------------------------------------------------------------------- actions

    def ensure(self, ports: Sequence[int]) -> None:
        """Share or bind the first of `ports` that is free or a sibling's, unless one is ours.

        Raises
        ------
        PortUnavailableError
            Says who has the first of them.
        """
        if not self.all:
            self._join(self._not_held_off(ports))

    def bind(self, port: int) -> None:
        """Share or bind `port`, which URLs name from now on; other ports stay, for open tabs.

        Raises
        ------
        PortUnavailableError
            Says who has it.
        """
        if port in self.all:
            self._named = port
        else:
            self._join([port])
        self._chosen = True

    def take(self, port: int, deadline_seconds: float) -> Outcome:
        """Get `port` and be in front there; return when that holds for all requests."""
        started = time.monotonic()
        outcome = self._take(port, started + deadline_seconds)
        if outcome.ours:
            self._named = port
        outcome = dataclasses.replace(outcome, seconds=time.monotonic() - started)
        if not isinstance(outcome, AlreadyOurs):
            told = f"is in front at port {port}." if outcome.ours else ""
            self.happened(str(outcome), told=told, port=port)
        return outcome

    def _take(self, port: int, deadline: float) -> Outcome:
        try:
            outcome = self._sharing.join_first([port])
        except PortUnavailableError:
            outcome = self._replace_plain(port, deadline)
        shared = self._sharing.get(port)
        if not outcome.ours or shared is None:
            return outcome
        before = front.in_front(port)
        if before is None or before.owner == self.owner:
            return outcome
        rival = shared.front.take(before)
        if rival is not None:
            why = f"{_party(rival)} has taken it at the same moment."
            return Refused(port, why, f"Try again: %dtale_port {port} --force", _party(rival))
        joined = isinstance(outcome, AlreadyOurs | Joined)
        return InFront(port, _party(before)) if joined else outcome

    def _replace_plain(self, port: int, deadline: float) -> Outcome:
        having = sharing.siblings_with(steering.members(port), peers.siblings())
        if having:
            return refusal.of_silent(port, having)
        dtale = plain_dtale.prove(port, deadline)
        if dtale is None:
            return refusal.of_stranger(port)
        holder = Party(f"plain D-Tale ({dtale.command})", dtale.pid, dtale.since)
        if not plain_dtale.shut_down(dtale, deadline):
            hint = f"Restart that notebook's kernel (process {dtale.pid})."
            return Refused(port, f"{holder} does not shut down.", hint, holder)
        try:
            self._sharing.join_first([port])
        except PortUnavailableError as error:
            return Refused(port, f"{holder} left, but: {error.what}", "Try again.", holder)
        return ReplacedPlainDtale(port, holder, dtale.frames)

    def release(self, port: int) -> Outcome:
        """Let the notebook that was in front before be in front again."""
        started = time.monotonic()
        shared = self._sharing.get(port)
        if shared is None:
            why = "it is not this notebook's."
            return Refused(port, why, "%dtale_port says whose it is.", wanted="given back")
        now = front.in_front(port)
        if now is not None and now.owner != self.owner:
            hint = f"To be in front here, type: %dtale_port {port} --force"
            return Refused(port, f"{_party(now)} is in front.", hint, wanted="given back")
        now = shared.front.give_back()
        if now is None:
            why = "no other notebook is on it, so this one stays in front."
            hint = "To free the port, type: %dtale --stop"
            return Refused(port, why, hint, wanted="given back")
        seconds = time.monotonic() - started
        outcome = GivenBack(port, _party(now), seconds=seconds)
        told = f"gave port {port} back; {outcome.to.label} is in front."
        self.happened(str(outcome), told=told, port=port)
        return outcome

    def give_up(self, port: int) -> None:
        """Have all notebooks leave `port` to a plain D-Tale; they go on together elsewhere."""
        siblings = peers.siblings()
        if siblings:
            with ThreadPoolExecutor(min(len(siblings), 16), "dtale_magics vacate") as pool:
                list(pool.map(lambda peer: _ask_to_vacate(peer, port), siblings))
        self._vacate(port)

    def stop(self) -> None:
        """Free every port and leave the pod."""
        self._closed.set()
        self._look_now.set()
        self._channel.close()
        self._sharing.close()
        self._server.stop()

    def happened(self, text: str, *, told: str = "", port: int = 0, routine: bool = False) -> None:
        """Log an event, and tell siblings that something changed and, with `told`, what we did."""
        self._happened(text, routine)

        def announce() -> None:
            self._label = self._ask_label()
            peers.announce(f"{self._label} {told}" if told else "", port)

        threading.Thread(target=announce, name="dtale_magics announce", daemon=True).start()

    # ------------------------------------------------------- what siblings tell

    def _changed(self, message: Message, _conversation: Exchange) -> Message:
        text = message.get("text") if message.get("port") in self.all else ""
        self._look_now.set()
        self._happened(text[:200] if isinstance(text, str) else "")
        return {}

    def _vacated(self, message: Message, _conversation: Exchange) -> Message:
        port = message.get("port")
        if not isinstance(port, int):
            return {"ok": False, "why": "the message names no port"}
        self._vacate(port)
        return {}

    def _vacate(self, port: int) -> None:
        """Leave `port` to a plain D-Tale that has asked for it, and go on at the next one."""
        self._held_off[port] = time.monotonic() + HOLD_OFF_SECONDS
        if not self._sharing.leave(port):
            return
        self._left.add(port)
        where = "open tabs go on"
        try:
            self.ensure(self._search_order())
        except PortUnavailableError as error:
            where = f"there is no other: {error.what}"
        if self.named is not None:
            where = f"D-Tale goes on at port {self.named}"
        self.happened(f"A plain D-Tale has asked for port {port}; {where}.")

    # ----------------------------------------------------------------- keeping

    def _look_after(self) -> None:
        self._label = self._ask_label()
        seen: object = None
        while not self._closed.is_set():
            self._look_now.wait(_LOOK_SECONDS)
            self._look_now.clear()
            try:
                siblings = peers.siblings()
                for port in self.all:
                    self._sharing.look_after(port, siblings)
                if not self._closed.is_set():
                    self._look_for_a_better_port()
                now = siblings, [front.in_front(port) for port in self.all]
                if now != seen:  # a killed sibling has told nobody, and messages can get lost
                    seen = now
                    self._happened("")
            except SettingError:
                pass  # reported wherever settings are shown
            except Exception:
                logger.exception("while looking after the ports")

    def _look_for_a_better_port(self) -> None:
        """Move to a port that comes earlier in the search order, if it can be had by now.

        That is where the other notebooks are, and where the ingress leads.
        """
        ports = self.all
        if not ports:
            return
        order = self._search_order()
        better = order if not self._chosen and any(port in order for port in ports) else []
        first = itertools.takewhile(lambda port: port not in ports, better[:_LOOKED_FOR])
        left = [port for port in self._left if port not in ports]
        for port in self._not_held_off([*left, *first]):
            if self._sharing.join_quietly(port):
                self._held_off.pop(port, None)
                self._left.discard(port)
                self._named = self.named if self._chosen else port
                self.happened(f"Port {port} is available; D-Tale listens there as well.")
                return

    def _not_held_off(self, ports: Sequence[int]) -> Sequence[int]:
        now = time.monotonic()
        return [port for port in ports if self._held_off.get(port, 0.0) < now]

    def _join(self, ports: Sequence[int]) -> None:
        outcome = self._sharing.join_first(ports)
        self._named = outcome.port
        if not isinstance(outcome, AlreadyOurs):
            holder: Party | None = getattr(outcome, "holder", None)
            shared = "" if holder is None else f", shared with {holder.label}"
            self.happened(f"Listening on port {outcome.port}{shared}.", routine=True)
            self._look_now.set()


def _ask_to_vacate(peer: peers.Peer, port: int) -> None:
    with contextlib.suppress(exchange.ChannelError):  # a suspended one keeps its sockets
        channel.call(peer, "vacate", timeout=deadlines.SIBLING, port=port)


def _answering(name: str, report: Callable[[], dict[str, Any]]) -> channel.Handler:
    return lambda *_: {name: report()}


def holder(port: int, place: Place) -> PortHolder:
    """Describe the kernel that has `place` at `port`, by the name it gives itself."""
    asked = [one for one in peers.siblings() if one.owner == place.owner]
    labels = [str(one["label"]) for one in peers.statuses(of=asked)] or [_party(place).label]
    return PortHolder(port, "notebook", labels[0], place.pid, place.since)


def _party(place: Place) -> Party:
    """Name the kernel at `place` by what the system knows, without asking anybody."""
    label = peers.presumed_label(place.pid, place.owner)
    return Party(label, place.pid, place.since, place.owner)
