"""What stands between the session and every panel of a kernel: one view, one click at a time.

Nothing is polled. The session tells of a change, a thread that otherwise sleeps gathers what
changed within `DEBOUNCE_SECONDS`, and every watcher gets the new view. Without watchers there is no
thread and no subscription.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics import outcome, settings
from dtale_magics.errors import DtaleMagicsError, UsageError
from dtale_magics.frontend import panel_view
from dtale_magics.frontend.panel_view import Activity, Button, Facts, PanelView, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dtale_magics.reach.reachability import Reachability
    from dtale_magics.settings import PortRange
    from dtale_magics.state import FrameInfo, Status

logger = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.05
"""Changes that come so close together are shown at once."""

_REMEMBERED_CLICKS = 64


class SessionLike(Protocol):
    """What the panel needs of a session; `dtale_magics.session.Session` has it."""

    slug: str
    owner: str
    is_watched: Callable[[], bool]

    @property
    def reach(self) -> Reachability:
        """What is known of the ways to this kernel."""

    @property
    def port(self) -> int | None:
        """The port that URLs name."""

    @property
    def ports(self) -> tuple[int, ...]:
        """Every bound port."""

    def settings(self) -> settings.Settings:
        """Return what holds now."""

    def why_gone(self, data_id: str) -> str:
        """Say why there is no frame of that id any more."""

    def frames(self) -> Sequence[FrameInfo]:
        """Return what D-Tale shows."""

    def status(self) -> Status:
        """Return the state of this kernel's D-Tale."""

    def status_here(self) -> Status:
        """Return what is known of it without asking anybody."""

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

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` from any thread after every change."""


class Controller:
    """The one view of a kernel's D-Tale, and what a click does; safe from any thread.

    Parameters
    ----------
    session
        Of this kernel.
    """

    def __init__(self, session: SessionLike) -> None:
        self.session = session
        self._acting = threading.Lock()
        self._publishing = threading.RLock()
        self._activity = Activity()
        self._facts: Facts | DtaleMagicsError | None = None
        self._turn = self._known_turn = 0
        self._revision = 0
        self._shown: PanelView | None = None
        self._shown_links: dict[str, Any] = {}
        self._watchers: list[Callable[[dict[str, Any]], None]] = []
        self._watching: _Watching | None = None
        self._clicks: deque[str] = deque(maxlen=_REMEMBERED_CLICKS)
        self._retired = False

    # ------------------------------------------------------------------- view

    def view(self) -> PanelView:
        """Find out what the panel says now."""
        self._read()
        return self._describe()

    def shown(self) -> PanelView:
        """Return what every panel says, as last found out."""
        with self._publishing:
            if self._shown is None:
                self._read_here()
                self._publish()
            assert self._shown is not None
            return self._shown

    def state(self) -> dict[str, Any]:
        """Return the view last published as plain values, with its revision and the links."""
        with self._publishing:
            return {
                **self.shown().as_dict(),
                "revision": self._revision,
                "owner": self.session.owner,
            }

    def links(self) -> dict[str, Any]:
        """Return what a browser needs to find this kernel's server.

        It contains the capability: for the page of the notebook and nobody else.
        """
        session = self.session
        ports = [port for port in session.ports if port != session.port]
        return {
            "slug": session.slug,
            "owner": session.owner,
            "ports": [*([] if session.port is None else [session.port]), *ports],
            **session.reach.links(),
        }

    def told(self, text: str) -> None:
        """Hear what a page found at the URLs of `links`; `ValueError` if it is something else.

        Parameters
        ----------
        text
            See `dtale_magics.reach.reachability.Reachability.told`.
        """
        self.session.reach.told(text)
        self.refresh()

    def refresh(self) -> None:
        """Find out what holds now, and tell the watchers if it is something new."""
        self._read()
        self._publish()

    def refresh_soon(self) -> None:
        """Show what is known here, and have a thread ask the siblings, which may be slow."""
        self._read_here()
        self._publish()
        with self._publishing:
            if self._watching is not None:
                self._watching.look()
                return
        threading.Thread(target=self.refresh, name="dtale_magics refresh", daemon=True).start()

    # ---------------------------------------------------------------- watchers

    def watch(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Call `callback` with `state()` after each change, until the returned function is called.

        Calls come from any thread, one at a time.
        """
        with self._publishing:
            self._watchers.append(callback)
            if self._watching is None:
                self._watching = _Watching(self)

        def unwatch() -> None:
            with self._publishing:
                if callback in self._watchers:
                    self._watchers.remove(callback)
                if not self._watchers and self._watching is not None:
                    self._watching.stop()
                    self._watching = None

        return unwatch

    @property
    def watched(self) -> bool:
        """Whether anybody watches, so that changes cost anything."""
        return self._watching is not None

    def retire(self) -> None:
        """Do nothing any more: the extension was unloaded."""
        self._retired = True
        said = Said(
            "retire", ok=False, text="dtale_magics was unloaded.", hint="Run the cell again."
        )
        with self._publishing:
            self._activity = Activity(said=said)
            self.refresh()
            self._watchers.clear()
            if self._watching is not None:
                self._watching.stop()
                self._watching = None

    # ----------------------------------------------------------------- actions

    def act(self, action: str, value: str = "", click: str = "") -> None:
        """Do what a button says; everything that goes wrong is shown, nothing raised.

        Parameters
        ----------
        action
            ``take``, ``release``, ``range`` or ``refresh``.
        value
            For ``range``: as typed; empty returns to the configured range.
        click
            Random id of the click, which may arrive on two ways and counts once.
        """
        with self._publishing:
            if self._retired or (click and click in self._clicks):
                return
            self._clicks.append(click)
        if action == "refresh":
            self.refresh()
            return
        if not self._acting.acquire(blocking=False):
            return  # the panel shows what is being done
        try:
            if self._facts is None:
                self._read()
            before = self._activity
            self._show(Activity(doing=self._doing(action), taken_from=before.taken_from))
            try:
                after = self._perform(action, value, before)
            except DtaleMagicsError as error:
                said = Said(action, ok=False, text=error.what, hint=error.hint)
                after = Activity(said=said, taken_from=before.taken_from)
            except Exception as error:
                logger.exception("%s failed", action)
                said = Said(
                    action,
                    ok=False,
                    text=f"That failed: {type(error).__name__}: {error}",
                    hint="Nothing else has changed. Try again, or type: %dtale_port",
                )
                after = Activity(said=said, taken_from=before.taken_from)
            self._read()
            self._show(dataclasses.replace(after, ended=time.time()))
        finally:
            self._acting.release()

    def _perform(self, action: str, value: str, before: Activity) -> Activity:
        if action == "take":
            return _after_take(self.session.take_over())
        if action == "release":
            return self._after_release(self.session.release(), before)
        if action == "range":
            return self._set_range(value, before)
        raise UsageError(f"There is no action {action!r}.", "Reload the page.")

    def _after_release(self, result: Any, before: Activity) -> Activity:
        said = _said("release", result)
        if not said.ok:
            return Activity(said=said, taken_from=before.taken_from)
        return Activity(said=said, undo=Button("take", f"Undo: take port {result.port} again"))

    def _set_range(self, value: str, before: Activity) -> Activity:
        old = self.session.settings().range
        words = value.replace("–", "-").split()
        self.session.set_range(settings.parse_range(words) if words else None)
        new = self.session.settings().range
        text = f"Ports are looked for in {new} from now on."
        undo = Button("range", f"Undo: range {old} again", str(old)) if new != old else None
        return Activity(
            said=Said("range", ok=True, text=text), undo=undo, taken_from=before.taken_from
        )

    def _doing(self, action: str) -> str:
        facts = self._facts
        port = facts.status.ingress_port if isinstance(facts, Facts) else ""
        return {
            "take": f"Taking ingress port {port} …",
            "release": f"Giving back ingress port {port} …",
            "range": "Setting the range …",
        }.get(action, "Working …")

    # ---------------------------------------------------------------- internal

    def _read(self) -> None:
        """Find out; never raises, because nobody would see it."""
        self._know(self._next_turn(), self._find_out())

    def _find_out(self) -> Facts | DtaleMagicsError:
        try:
            status = self.session.status()
            self._follow_ingress(status)
            kernels = self.session.kernels()
            self.session.reach.know(kernels)
            watching = self._watching
            if watching is not None:
                self.session.reach.follow(watching.look)
            events = [(event.time, event.text) for event in self.session.events()]
            return Facts(status, kernels, events, self.session.reach.verdict())
        except DtaleMagicsError as error:
            return error
        except Exception as error:
            logger.exception("the state of D-Tale could not be read")
            what = f"The state cannot be read: {type(error).__name__}: {error}"
            return DtaleMagicsError(what, "Type: %dtale_port")

    def _read_here(self) -> None:
        """Find out what is known without asking a sibling."""
        turn, found = self._next_turn(), self._find_out_here()
        self._know(turn, found)

    def _find_out_here(self) -> Facts | DtaleMagicsError:
        try:
            events = [(event.time, event.text) for event in self.session.events()]
            now, before = self.session.status_here(), self._facts
        except DtaleMagicsError as error:
            return error
        if not isinstance(before, Facts):
            return Facts(now, [], events, asked=False)
        if not now.holds_ingress and not before.status.holds_ingress:
            now = dataclasses.replace(now, ingress_holder=before.status.ingress_holder)
        return dataclasses.replace(before, status=now, events=events)

    def _next_turn(self) -> int:
        with self._publishing:
            self._turn += 1
            return self._turn

    def _know(self, turn: int, found: Facts | DtaleMagicsError) -> None:
        """Keep what was found, unless somebody who looked later has been quicker."""
        with self._publishing:
            if turn > self._known_turn:
                self._known_turn, self._facts = turn, found

    def _follow_ingress(self, now: Status) -> None:
        """Remember whom the ingress port came from; forget it when the port has gone on."""
        activity, before = self._activity, self._facts
        if activity.doing:
            return
        if not now.holds_ingress:
            undo = activity.undo if activity.undo and activity.undo.action != "release" else None
            self._activity = dataclasses.replace(activity, undo=undo, taken_from="")
        elif isinstance(before, Facts) and not before.status.holds_ingress:
            holder = before.status.ingress_holder
            if holder is not None and holder.kind == "notebook":
                self._activity = dataclasses.replace(activity, taken_from=holder.label)

    def _describe(self) -> PanelView:
        facts = self._facts
        if isinstance(facts, Facts):
            return panel_view.describe(facts, self._activity)
        assert facts is not None
        return panel_view.broken("D-Tale", facts.what, facts.hint, self._activity)

    def _show(self, activity: Activity) -> None:
        with self._publishing:
            self._activity = activity
            if self._facts is None:
                self._read()
            self._publish()

    def _publish(self) -> None:
        with self._publishing:
            view = self._describe()
            links = self.links()
            if (view, links) == (self._shown, self._shown_links):
                return
            self._shown, self._shown_links = view, links
            self._revision += 1
            state = self.state()
            for callback in tuple(self._watchers):
                try:
                    callback(state)
                except Exception:
                    logger.exception("a panel could not be updated")


class _Watching:
    """A subscription, and the thread that sleeps until it is told of a change."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._changed = threading.Event()
        self._stopped = False
        self.look = self._changed.set
        self._unsubscribe = controller.session.subscribe(self.look)
        threading.Thread(target=self._run, name="dtale_magics panel", daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._unsubscribe()
        self._changed.set()

    def _run(self) -> None:
        while not self._stopped:
            self._changed.wait()
            if self._stopped:
                return
            time.sleep(DEBOUNCE_SECONDS)
            self._changed.clear()
            self._controller.refresh()


class _Current:
    controller: Controller | None = None
    lock = threading.Lock()


def of(session: SessionLike) -> Controller:
    """Return the controller of `session`, which exists from the first call on."""
    with _Current.lock:
        if _Current.controller is None or _Current.controller.session is not session:
            one = _Current.controller = Controller(session)
            session.is_watched = lambda: one.watched
        return _Current.controller


def retire(session: SessionLike) -> None:
    """Tell the panels of `session` that it has ended, if there are any."""
    with _Current.lock:
        controller = _Current.controller
        if controller is None or controller.session is not session:
            return
        _Current.controller = None
    controller.retire()


def _after_take(result: Any) -> Activity:
    """Say how a take-over ended, and offer to take it back where that restores what was."""
    said = _said("take", result)
    undo, taken_from = None, ""
    match result:
        case outcome.InFront():
            taken_from = result.holder.label
            undo = Button("release", f"Undo: {taken_from} in front again")
    return Activity(said=said, undo=undo, taken_from=taken_from)


def _said(action: str, result: Any) -> Said:
    if isinstance(result, outcome.Refused):
        return Said(
            action,
            ok=False,
            text=f"Port {result.port} was not taken: {result.why}",
            hint=result.hint,
        )
    text, _, hint = str(result).partition("\n")
    return Said(action, ok=True, text=text, hint=hint)
