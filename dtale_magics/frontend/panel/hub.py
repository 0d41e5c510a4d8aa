"""What the panels of a kernel have in common: one widget model, which talks to the page."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython import get_ipython
from traitlets import Dict

from dtale_magics.frontend.panel.answering import Answering

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.frontend.panel.controller import Controller
    from dtale_magics.frontend.panel.knowledge import PanelSession

_SECONDS_BETWEEN_USES = 30.0
"""Minimum interval between two messages that tell the server about work in a grid."""


class Hub(ipywidgets.Widget):  # type: ignore[misc]
    """What every panel of a kernel shows; it has no view of its own.

    It watches the controller only while a browser shows a panel.

    Parameters
    ----------
    one
        Provides what there is to show.
    follow_frames
        Called after each change, so that the panels say what became of their frames.
    """

    view = Dict().tag(sync=True)
    """`Controller.state`."""

    links = Dict().tag(sync=True)
    """`Controller.links`."""

    def __init__(self, one: Controller, follow_frames: Callable[[PanelSession], None]) -> None:
        self._controller = one
        self._follow_frames = follow_frames
        self._shown_in: set[str] = set()
        self._unwatch: Callable[[], None] | None = None
        self._lock = threading.RLock()
        shell = get_ipython()
        self.answering = None if shell is None else Answering(shell)
        self._use_told = 0.0
        super().__init__(view=one.state(), links=one.links())
        self.on_msg(self._receive)
        one.session.on_use = self._tell_use

    @property
    def closed(self) -> bool:
        """Whether the user closed it, as ``Widget.close_all()`` does."""
        return self.comm is None

    def shows(self, one: Controller) -> bool:
        """Whether this shows the state of `one`, and is not closed."""
        return not self.closed and self._controller is one

    def _tell_use(self) -> None:
        """Let the Jupyter server see that a grid is in use, so that it does not cull the kernel.

        It measures a kernel's activity by its messages, and work over HTTP sends none.
        """
        now = time.monotonic()
        if now < self._use_told + _SECONDS_BETWEEN_USES or self.closed:
            return
        self._use_told = now
        self.send({"type": "used"})

    def wake(self) -> None:
        """Follow every change from now on."""
        with self._lock:
            if self._unwatch is None:
                self._unwatch = self._controller.watch(self._follow)
                self._controller.refresh_soon()

    def _sleep(self) -> None:
        with self._lock:
            if self._unwatch is not None:
                self._unwatch()
                self._unwatch = None

    def _follow(self, state: dict[str, Any]) -> None:
        self.links = self._controller.links()  # comes first: the view may name a new port
        self.view = state
        self._follow_frames(self._controller.session)

    def _receive(self, _: object, content: Any, __: object) -> None:
        """Answer a browser; nothing that it sends may raise here."""
        if not isinstance(content, dict):
            return
        kind, view = content.get("type"), str(content.get("view", ""))
        if kind == "here":
            self._shown_in.add(view)
            if self.answering is not None:
                self.answering.heard()
            self.wake()
        elif kind == "gone":
            self._shown_in.discard(view)
            if not self._shown_in:
                self._sleep()
        elif kind == "told":
            with contextlib.suppress(ValueError):
                self._controller.told(str(content.get("text", "")))
        elif kind == "act":
            what = [str(content.get(name, "")) for name in ("action", "value", "click")]
            # Not in the kernel's main thread: a takeover may have to wait for somebody.
            threading.Thread(
                target=self._controller.act, args=what, name="dtale_magics click", daemon=True
            ).start()
