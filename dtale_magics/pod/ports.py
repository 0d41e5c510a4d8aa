"""This kernel's ports, and its place among the siblings of the pod; thread-safe.

Server and control channel start with the first port and end with the last.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psutil

from dtale_magics.errors import PortUnavailableError
from dtale_magics.outcome import AlreadyOurs, GivenBack, LetGo, Refused
from dtale_magics.pod import channel, exchange, peers
from dtale_magics.pod.peers import Identity
from dtale_magics.pod.takeover import ALL, Pod
from dtale_magics.serving import listener
from dtale_magics.serving.server import Server
from dtale_magics.state import PortHolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import WSGIApplication

    from dtale_magics.outcome import Outcome, Party
    from dtale_magics.pod.takeover import Rung
    from dtale_magics.settings import PortRange
    from dtale_magics.state import Frame

_NOTICE_SECONDS = 2.0
"""How long we wait until a port which was given back is gone, and all that follows is done."""

_ASK_SECONDS = 0.5

_CHECK_SECONDS = 4.5
"""A check takes three; the channel ends what takes five."""


class Ports:
    """The ports of this kernel.

    Parameters
    ----------
    owner
        Random id of this kernel.
    app
        The WSGI application that answers on all of them.
    describe
        Gives label and frames, for siblings that ask.
    reports
        What siblings may ask for besides, by name: functions that return values for JSON.
    port_range
        Gives the range in which to go on when a port is lost.
    happened
        Hears one line for each event; an empty one for a change at a sibling.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what the session alone knows)
        self,
        owner: str,
        app: WSGIApplication,
        describe: Callable[[], tuple[str, tuple[Frame, ...]]],
        reports: Mapping[str, Callable[[], dict[str, Any]]],
        port_range: Callable[[], PortRange],
        happened: Callable[..., None],
    ) -> None:
        self.owner = owner
        self._describe = describe
        self._port_range = port_range
        self._happened = happened
        self._lock = threading.RLock()
        self._started = psutil.Process().create_time()
        self._named: int | None = None
        self._server = Server(app)
        self._label: str | None = None
        self._losses: dict[int, threading.Event] = {}
        handlers = {name: _answering(name, report) for name, report in reports.items()}
        self._pod = Pod(self, self._server, owner, handlers)
        threading.Thread(target=self._describe_now, name="dtale_magics label", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether requests are being answered in this process."""
        return self._server.alive

    @property
    def all(self) -> tuple[int, ...]:
        """Every bound port, in the order in which they were bound."""
        since = self._pod.since
        return tuple(sorted(since, key=lambda port: since[port]))

    @property
    def named(self) -> int | None:
        """The port that URLs name: the one chosen last."""
        ports = self.all
        return self._named if self._named in ports else (ports[-1] if ports else None)

    def since(self, port: int) -> float | None:
        """When `port` became this kernel's, seconds since the epoch; None if it is not."""
        return self._pod.since.get(port)

    # ------------------------------------------------- what siblings ask and tell

    @property
    def label(self) -> str:
        """What the user calls this kernel, as last heard: it is needed when there is no time."""
        return self._label or peers.presumed_label(os.getpid())

    def identity(self) -> Identity:
        """Say who this kernel is."""
        label, frames = self._describe_now()
        return Identity(
            self.owner, label, os.getpid(), self._started, self.all, frames, since=self._pod.since
        )

    def lost(self, port: int, to: Party | None) -> None:
        """Go on elsewhere after a sibling has taken `port`."""
        who = f"{to.label} has taken" if to is not None else "This notebook gave up"
        where = "open tabs go on"
        with self._lock:
            if not self.all:
                others = (other for other in self._port_range().ports if other != port)
                try:
                    self._hold(listener.reserve(others))
                except PortUnavailableError as error:
                    where = f"there is no other: {error.what}"
            if self.named is not None:
                where = f"D-Tale goes on at port {self.named}"
        self.happened(f"{who} port {port}; {where}.")
        if port in self._losses:
            self._losses[port].set()

    def regained(self, port: int, by: Party | None) -> None:
        """Say that a sibling gave `port` back."""
        who = "The notebook that had it" if by is None else by.label
        self.happened(f"{who} gave port {port} back.")

    def changed(self) -> None:
        """Hear that something changed at a sibling."""
        self._happened("", False)

    def happened(self, text: str, *, routine: bool = False) -> None:
        """Enter an event here, and let the siblings know that something changed.

        What is routine is no news: whoever has caused it knows.
        """
        self._happened(text, routine)
        threading.Thread(target=peers.announce, name="dtale_magics announce", daemon=True).start()

    # ------------------------------------------------------------------- actions

    def ensure(self, ports: Iterable[int]) -> None:
        """Reserve the first free one of `ports`, unless there is a port already.

        Raises
        ------
        PortUnavailableError
            Says who has the first of them.
        """
        with self._lock:
            if self.all:
                return
            self._hold(listener.reserve(ports))
        self.happened(f"Listening on port {self.named}.", routine=True)

    def bind(self, port: int) -> None:
        """Reserve `port`, which URLs name from now on; other ports stay, for open tabs.

        Raises
        ------
        PortUnavailableError
            Says who has it.
        """
        with self._lock:
            if port in self.all:
                self._named = port
                return
            self._hold(listener.reserve([port]))
        self.happened(f"Listening on port {port}.", routine=True)

    def take(self, port: int, deadline_seconds: float, rungs: Rung = ALL) -> Outcome:
        """Get `port` from whoever has it; see `dtale_magics.pod.takeover`."""
        outcome = self._pod.take(port, deadline_seconds=deadline_seconds, rungs=rungs)
        if outcome.ours:
            self._named = port
        if not isinstance(outcome, AlreadyOurs):
            # If it is ours, the watch over it tells the siblings, a moment later.
            (self._happened if outcome.ours else self.happened)(str(outcome))
        return outcome

    def release(self, port: int, deadline_seconds: float) -> Outcome:
        """Give `port` back to the sibling that had it before; to nobody if that is gone."""
        started = time.monotonic()
        lost = self._losses[port] = threading.Event()
        if port not in self.all:
            return Refused(port, "it is not this notebook's.", "%dtale_port says whose it is.")
        back = self._pod.give_back(port, deadline_seconds=deadline_seconds)
        if back is not None:
            lost.wait(max(0.0, started + _NOTICE_SECONDS - time.monotonic()))
        elif port in self.all:
            self.give_up(port)
        seconds = time.monotonic() - started
        return (
            LetGo(port, seconds=seconds) if back is None else GivenBack(port, back, seconds=seconds)
        )

    def give_up(self, port: int) -> None:
        """Free `port` for whoever comes, and go on at another one."""
        self._pod.release(port)

    def stop(self) -> None:
        """Free every port and leave the pod."""
        self._pod.close()
        self._server.stop()

    # --------------------------------------------------------------------- others

    def _describe_now(self) -> tuple[str, tuple[Frame, ...]]:
        label, frames = self._describe()
        self._label = label
        return label, frames

    def _hold(self, reserved: listener.Listener) -> None:
        self._pod.hold(reserved)
        self._named = reserved.port


def statuses() -> list[dict[str, Any]]:
    """Ask every sibling for its status; one that does not answer is listed by what is known."""
    found = []
    for identity in peers.identities(_ASK_SECONDS):
        status = ask(identity, "status", _ASK_SECONDS) if identity.responding else None
        found.append(status or {**identity.to_json(), "port": None, "url": None})
    return found


def checks() -> list[dict[str, Any]]:
    """Have every sibling check by which URL it is seen, at the same time; see `Verdict.as_dict`."""
    found = [one for one in peers.identities(_ASK_SECONDS) if one.responding]
    if not found:
        return []
    with ThreadPoolExecutor(len(found), "dtale_magics checks") as pool:
        answers = pool.map(lambda one: ask(one, "check", _CHECK_SECONDS), found)
        return [
            {"label": one.label, "owner": one.owner, "pid": one.pid, **answer}
            for one, answer in zip(found, answers, strict=True)
            if answer is not None
        ]


def ask(identity: Identity, what: str, seconds: float) -> dict[str, Any] | None:
    """Ask a sibling for one of its reports; None when it does not answer."""
    for peer in peers.siblings():
        if peer.owner == identity.owner:
            with contextlib.suppress(exchange.ChannelError):
                report = channel.call(peer, what, timeout=seconds).get(what)
                return dict(report) if isinstance(report, dict) else None
    return None


def _answering(name: str, report: Callable[[], dict[str, Any]]) -> channel.Handler:
    return lambda *_: {name: report()}


def sibling_with(port: int) -> PortHolder | None:
    """Find the sibling that has `port`."""
    for identity in peers.identities(_ASK_SECONDS, peers.listening(port)):
        if port in identity.ports:
            since = identity.since.get(port, identity.started)
            return PortHolder(port, "notebook", identity.label, identity.pid, since)
    return None
