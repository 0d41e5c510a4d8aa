"""What the panels of a kernel know, from this kernel and by asking the siblings."""

from __future__ import annotations

import dataclasses
import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics.errors import DtaleMagicsError
from dtale_magics.frontend.panel.model import Facts
from dtale_magics.frontend.panel.names import Names
from dtale_magics.serving.transport import listener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dtale_magics.frames import Frames
    from dtale_magics.reach.reachability import Reachability
    from dtale_magics.settings import PortRange, Settings
    from dtale_magics.state import Audience, Status

logger = logging.getLogger(__name__)


class PanelSession(Protocol):
    """What the panel needs from a session; `dtale_magics.session.Session` has it."""

    slug: str
    owner: str
    frames: Frames
    is_watched: Callable[[], bool]
    controller: Any
    """Stands between this session and its panels; None while there are none."""
    on_use: Callable[[], None]

    @property
    def reach(self) -> Reachability:
        """What is known about the ways to this kernel."""

    @property
    def port(self) -> int | None:
        """The port that URLs name."""

    @property
    def ports(self) -> tuple[int, ...]:
        """Every bound port."""

    @property
    def base_url(self) -> str | None:
        """Local URL of this kernel's D-Tale, without a trailing slash."""

    @property
    def public_url(self) -> str | None:
        """The URL that brings a reader here; only a path if just the page knows the host."""

    def page_capability(self) -> str:
        """Return the first path segment of the pod's page; empty if nobody has asked for it."""

    def option(self, name: str) -> Any:
        """Return the trait of ``c.DtaleMagics`` with that name; None if it is not set."""

    def settings(self) -> Settings:
        """Return the settings that hold now."""

    def status(self) -> Status:
        """Return the state of this kernel's D-Tale."""

    def status_here(self) -> Status:
        """Return what is known about it without asking anybody."""

    def kernels(self) -> list[dict[str, Any]]:
        """Return every D-Tale of the pod."""

    def events(self) -> Sequence[Any]:
        """Return what happened, oldest first: objects with ``time`` and ``text``."""

    def take_over(self, port: int | None = None) -> Any:
        """Take the ingress port."""

    def release(self, port: int | None = None) -> Any:
        """Give the ingress port back."""

    def set_range(self, chosen: PortRange | None) -> None:
        """Look for ports elsewhere."""

    def audience(self) -> Audience:
        """Say who uses the ingress port."""

    def tell_siblings(self) -> None:
        """Tell the siblings that something changed here."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` from any thread after every change."""


class Knowledge:
    """The latest facts; safe to use from any thread.

    Parameters
    ----------
    session
        This kernel's session.

    Attributes
    ----------
    facts
        The latest facts, or the error that prevented them; None at first.
    names
        What notebooks are called now.
    """

    def __init__(self, session: PanelSession) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._turn = self._known_turn = 0
        self.facts: Facts | DtaleMagicsError | None = None
        self.names = Names()

    def ask(self, *, look: Callable[[], None] | None, retired: bool) -> Facts | DtaleMagicsError:
        """Find out what holds, asking the siblings as well; raises nothing.

        Parameters
        ----------
        look
            Called when more is known about the ways to this kernel; None if nobody watches.
        retired
            Whether the extension was unloaded.
        """
        turn = self._next_turn()
        found = self._ask(look, retired)
        self._keep(turn, found)
        return found

    def look(self) -> None:
        """Find out what is known without asking a sibling; raises nothing."""
        turn = self._next_turn()
        self._keep(turn, self._look())

    def is_outdated(self) -> bool:
        """Whether anything has changed, as far as we know without asking siblings."""
        facts = self.facts
        if not isinstance(facts, Facts):
            return True
        try:
            now = self._session.status_here()
        except DtaleMagicsError:
            return True
        known = facts.status
        return (now.label, now.ports, now.holds_ingress) != (
            known.label,
            known.ports,
            known.holds_ingress,
        )

    def _ask(self, look: Callable[[], None] | None, retired: bool) -> Facts | DtaleMagicsError:  # noqa: FBT001
        session = self._session
        try:
            status, kernels = session.status(), session.kernels()
            session.reach.know(kernels)
            if look is not None:
                session.reach.follow(look)
            self._follow_names(status, kernels)
            return Facts(
                status,
                kernels,
                session.events(),
                session.reach.verdict(),
                audience=session.audience(),
                permitted=_is_permitted(status),
                retired=retired,
            )
        except DtaleMagicsError as error:
            return error
        except Exception as error:
            logger.exception("the state of D-Tale could not be read")
            what = f"The state cannot be read: {type(error).__name__}: {error}"
            return DtaleMagicsError(what, "Type: %dtale_port")

    def _look(self) -> Facts | DtaleMagicsError:
        session, before = self._session, self.facts
        try:
            events, audience = session.events(), session.audience()
            now = session.status_here()
        except DtaleMagicsError as error:
            return error
        if not isinstance(before, Facts):
            return Facts(now, [], events, asked=False, audience=audience)
        if not now.holds_ingress and not before.status.holds_ingress:
            now = dataclasses.replace(now, ingress_holder=before.status.ingress_holder)
        return dataclasses.replace(before, status=now, events=events)

    def _follow_names(self, status: Status, kernels: Sequence[dict[str, Any]]) -> None:
        """Note what notebooks are called now; tell the siblings if this one was renamed."""
        answering = [one for one in kernels if one.get("responding", True)]
        named = {str(one["owner"]): str(one["label"]) for one in answering}
        if self.names.know({**named, status.owner: status.label}, status.owner):
            self._session.tell_siblings()

    def _next_turn(self) -> int:
        with self._lock:
            self._turn += 1
            return self._turn

    def _keep(self, turn: int, found: Facts | DtaleMagicsError) -> None:
        """Keep what was found, unless a later look has finished first."""
        with self._lock:
            if turn > self._known_turn:
                self._known_turn, self.facts = turn, found


def _is_permitted(status: Status) -> bool:
    """Whether this user may listen on the ingress port; True where that does not matter."""
    return status.ingress_holder is not None or listener.may_bind(status.ingress_port)
