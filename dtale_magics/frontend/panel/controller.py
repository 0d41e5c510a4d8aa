"""Stands between the session and all panels of a kernel: one view, one click at a time.

When the session reports a change, a thread that otherwise sleeps gathers the changes of
`DEBOUNCE_SECONDS`, and every watcher gets the new view. Without watchers there is no thread and no
subscription.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from dtale_magics import settings
from dtale_magics.errors import DtaleMagicsError, UsageError
from dtale_magics.frontend.panel import view
from dtale_magics.frontend.panel.knowledge import Knowledge
from dtale_magics.frontend.panel.model import Activity, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.frontend.panel.knowledge import PanelSession
    from dtale_magics.frontend.panel.model import PanelView
    from dtale_magics.state import Status

logger = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.05
"""Changes within this time are shown together."""

_REMEMBERED_CLICKS = 64

_LOOK_SECONDS = 10.0
"""How often to check, while somebody watches, whether a sibling's message was lost."""


class Controller:
    """The one view of a kernel's D-Tale, and what clicks do; safe to use from any thread.

    Parameters
    ----------
    session
        This kernel's session.
    """

    def __init__(self, session: PanelSession) -> None:
        self.session = session
        self._acting = threading.Lock()
        self._publishing = threading.RLock()
        self._activity = Activity()
        self._knowledge = Knowledge(session)
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
        """Return what every panel says, as last determined."""
        with self._publishing:
            if self._shown is None:
                self._knowledge.look()
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

        It contains the capability, so it is for the page of the notebook and nobody else.
        """
        session = self.session
        ports = [port for port in session.ports if port != session.port]
        return {
            "slug": session.slug,
            "owner": session.owner,
            "page": session.page_capability(),
            "ports": [*([] if session.port is None else [session.port]), *ports],
            **session.reach.links(),
        }

    def told(self, text: str) -> None:
        """Take what a page found at the URLs of `links`; `ValueError` if it is anything else.

        Parameters
        ----------
        text
            See `dtale_magics.reach.reachability.Reachability.told`.
        """
        self.session.reach.told(text)
        self.refresh()

    def refresh(self) -> None:
        """Find out what holds now, and tell the watchers if anything is new."""
        self._read()
        self._publish()

    def has_changed(self) -> bool:
        """Whether anything differs from what the panels say, as far as we know without siblings."""
        return self._knowledge.is_outdated()

    def refresh_soon(self) -> None:
        """Show what is known here, and have a thread ask the siblings, which may be slow."""
        self._knowledge.look()
        self._publish()
        with self._publishing:
            if self._watching is not None:
                self._watching.look()
                return
        threading.Thread(target=self.refresh, name="dtale_magics refresh", daemon=True).start()

    # ---------------------------------------------------------------- watchers

    def watch(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Call `callback` with `state()` after each change, until the returned function is called.

        The calls may come from any thread, but only one at a time.
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
        """Do nothing from now on: the extension was unloaded."""
        self._retired = True
        with self._publishing:
            self._activity = Activity()
            self.refresh()
            self._watchers.clear()
            if self._watching is not None:
                self._watching.stop()
                self._watching = None

    # ----------------------------------------------------------------- actions

    def act(self, action: str, value: str = "", click: str = "") -> None:
        """Do what a button says; errors are shown, not raised.

        Parameters
        ----------
        action
            ``take``, ``release``, ``range`` or ``refresh``.
        value
            For ``range``: as typed; empty returns to the configured range.
        click
            Random id of the click, which may arrive twice, in two ways, but counts once.
        """
        with self._publishing:
            if self._retired or (click and click in self._clicks):
                return
            self._clicks.append(click)
        if action == "refresh":
            self.refresh()
            return
        if not self._acting.acquire(blocking=False):
            return  # the panel shows that something is being done
        try:
            if self._knowledge.facts is None:
                self._read()
            before, facts = self._activity, self._knowledge.facts
            status = facts.status if isinstance(facts, Facts) else None
            doing = view.doing(action, status)
            self._show(Activity(doing=doing, taken_from=before.taken_from))
            try:
                after = self._perform(action, value, before)
            except Exception as error:
                if not isinstance(error, DtaleMagicsError):
                    logger.exception("%s failed", action)
                after = view.after_error(action, error, before)
            self._read()
            self._show(dataclasses.replace(after, ended=time.time()))
        finally:
            self._acting.release()

    def _perform(self, action: str, value: str, before: Activity) -> Activity:
        if action == "take":
            return view.after_take(self.session.take_over())
        if action == "release":
            return view.after_release(self.session.release(), before)
        if action == "range":
            return self._set_range(value, before)
        raise UsageError(f"There is no action {action!r}.", "Reload the page.")

    def _set_range(self, value: str, before: Activity) -> Activity:
        old = self.session.settings().range
        words = value.replace("–", "-").split()
        self.session.set_range(settings.parse_range(words) if words else None)
        return view.after_range(old, self.session.settings().range, before)

    # ---------------------------------------------------------------- internal

    def _read(self) -> None:
        """Find out what holds; never raises, because nobody would see it."""
        watching, before = self._watching, self._knowledge.facts
        found = self._knowledge.ask(
            look=None if watching is None else watching.look, retired=self._retired
        )
        if isinstance(found, Facts):
            self._follow_ingress(found.status, before)

    def _follow_ingress(self, now: Status, before: Facts | DtaleMagicsError | None) -> None:
        """Remember whom the ingress port came from; forget it when the port has moved on."""
        activity = self._activity
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
        facts = self._knowledge.facts
        if isinstance(facts, Facts):
            activity = self._knowledge.names.up_to_date(self._activity)
            return self._knowledge.names.up_to_date(view.describe(facts, activity))
        assert facts is not None
        return view.broken("D-Tale", facts.what, facts.hint, self._activity)

    def _show(self, activity: Activity) -> None:
        with self._publishing:
            self._activity = activity
            if self._knowledge.facts is None:
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
    """A subscription, and its thread, which sleeps until it is told of a change."""

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
            heard = self._changed.wait(_LOOK_SECONDS)
            if self._stopped:
                return
            if not heard and not self._controller.has_changed():
                continue
            time.sleep(DEBOUNCE_SECONDS)
            self._changed.clear()
            self._controller.refresh()


_making = threading.Lock()


def of(session: PanelSession) -> Controller:
    """Return the controller of `session`; the first call makes it."""
    with _making:
        if session.controller is None:
            one = session.controller = Controller(session)
            session.is_watched = lambda: one.watched
        controller: Controller = session.controller
        return controller


def retire(session: PanelSession) -> None:
    """Tell the panels of `session` that it has ended, if there are any."""
    with _making:
        controller, session.controller = session.controller, None
    if controller is not None:
        controller.retire()
