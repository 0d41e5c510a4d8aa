"""The panel as a widget: one model for each kernel, many views, and the grid below it.

The grid's iframe is made in the browser, from state that Jupyter does not save with the notebook,
so that no saved notebook contains the capability. nbclient and papermill do save it; what they run
gets no links.
"""

from __future__ import annotations

import collections
import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
from IPython import get_ipython
from traitlets import Dict, Instance

from dtale_magics.frontend import controller, panel_static

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.frontend.controller import Controller, SessionLike
    from dtale_magics.state import FrameInfo

_STATIC = Path(__file__).parent / "static"


class Hub(ipywidgets.Widget):  # type: ignore[misc]
    """What every panel of a kernel shows; it has no view of its own.

    It watches the controller only while a browser shows a panel, and has no links until a page is
    known to be there.
    """

    view = Dict().tag(sync=True)
    """`Controller.state`."""

    links = Dict().tag(sync=True)
    """`Controller.links`."""

    def __init__(self, one: Controller) -> None:
        self._controller = one
        self._has_page = False
        self._shown_in: set[str] = set()
        self._unwatch: Callable[[], None] | None = None
        self._lock = threading.RLock()
        super().__init__(view=one.state(), links=self._links())
        self.on_msg(self._receive)

    def expect_page(self) -> None:
        """Give out the links from now on."""
        self._has_page = True
        self.links = self._links()

    @property
    def closed(self) -> bool:
        """Whether the user closed it, as ``Widget.close_all()`` does."""
        return self.comm is None

    def _links(self) -> dict[str, Any]:
        links = self._controller.links()
        return links if self._has_page else {**links, "slug": "", "ports": [], "ways": []}

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
        self.links = self._links()  # first: the view may name a port that is new
        self.view = state
        _follow_frames(self._controller.session)

    def _receive(self, _: object, content: Any, __: object) -> None:
        """Answer a browser; nothing that it sends can raise here."""
        if not isinstance(content, dict):
            return
        kind, view = content.get("type"), str(content.get("view", ""))
        if kind == "here":
            self._shown_in.add(view)
            self.expect_page()
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
            # Not in the kernel's main thread: a take-over may wait for somebody.
            threading.Thread(
                target=self._controller.act, args=what, name="dtale_magics click", daemon=True
            ).start()


class Panel(anywidget.AnyWidget):
    """The panel in one or more outputs, alone or above a frame's grid."""

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"

    hub = Instance(Hub).tag(sync=True, **ipywidgets.widget_serialization)
    """Shared by all panels of the kernel."""

    frame = Dict().tag(sync=True)
    """The grid below, as `_frame_state` describes it; empty for the panel alone."""

    def __init__(self, one: Controller, hub: Hub, frame: FrameInfo | None = None) -> None:
        self._controller = one
        self._words = "" if frame is None else str(frame)
        super().__init__(hub=hub)
        self.show_frame(frame)

    def show_frame(self, frame: FrameInfo | None) -> None:
        """Show the grid of `frame` below the panel."""
        if frame is not None:
            self._words = str(frame)
            size = {name: size for name, size in self.frame.items() if name in {"width", "height"}}
            self.frame = {**_frame_state(frame), **size}

    def end(self, why: str) -> None:
        """Say in place of the grid why there is none any more."""
        self.frame = {**self.frame, "gone": why, "note": "", "newer": None}

    @property
    def closed(self) -> bool:
        """Whether the user closed it, as ``Widget.close_all()`` does."""
        return self.comm is None

    def forget(self) -> None:
        """Free what a panel takes whose frame is gone."""
        self.layout.close()
        self.close()

    def follow(self, instance: Any) -> None:
        """Have ``instance.adjust_cell_dimensions`` of D-Tale's instance change this grid's size."""
        instance._notebook_handle = _Grid(self)  # noqa: SLF001 (where D-Tale keeps what it updates)

    def resize(self, width: object, height: object) -> None:
        """Give the grid another size: pixels, or a length as CSS has it."""
        self.frame = {**self.frame, "width": _length(width), "height": _length(height)}

    @property
    def static(self) -> panel_static.StaticPanel:
        """What the panel says, for where no widget can live."""
        return panel_static.StaticPanel(self._controller.shown(), self._words)

    @property
    def live(self) -> Live:
        """The widget alone, for an output that `static` follows."""
        return Live(self)

    def __repr__(self) -> str:
        """Return what a terminal shows."""
        return panel_static.text(self._controller.view(), self._words)

    def _repr_mimebundle_(  # type: ignore[override] # a bundle without metadata will do
        self, **_: Any
    ) -> dict[str, Any]:
        self._controller.refresh()
        return {**self.live._repr_mimebundle_(), **self.static._repr_mimebundle_()}


class _Grid:
    """What D-Tale takes for the display of an iframe that it can update."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def update(self, iframe: Any) -> None:
        """Take the size of an ``IPython.display.IFrame``."""
        self._panel.resize(iframe.width, iframe.height)


def _length(size: object) -> str:
    return f"{size}px" if isinstance(size, int | float) or str(size).isdecimal() else str(size)


class Live:
    """The widget without a static form beside it."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        reference = {"version_major": 2, "version_minor": 1, "model_id": self._panel.model_id}
        # Without a text of our own, IPython would add "<… object at 0x…>".
        return {"application/vnd.jupyter.widget-view+json": reference, "text/plain": ""}


def _frame_state(frame: FrameInfo) -> dict[str, Any]:
    """Describe the grid of a frame to a page: whether it is older than another one, for example."""
    newer = frame.newer
    note = ""
    if newer is not None:
        here = f" as of cell [{frame.cell}]" if frame.cell else " as it was"
        there = f" by cell [{newer.cell}]" if newer.cell else ""
        note = f"{frame.name}{here}; it was shown again{there} later."
    return {
        "data_id": frame.data_id,
        "title": str(frame),
        "shown": frame.shown,
        "note": note,
        "newer": None if newer is None else {"data_id": newer.data_id, "shown": newer.shown},
        "gone": "",
    }


def _follow_frames(session: SessionLike) -> None:
    """Have every panel say what became of its frame."""
    frames = {frame.data_id: frame for frame in session.frames()}
    with _Current.lock:
        panels, ended = _Current.panels, _Current.ended
        gone = [key for key, panel in panels.items() if key and (key not in frames or panel.closed)]
        over = [panels.pop(key) for key in gone]
        kept = list(panels.items())
    for panel in over:
        if not panel.closed:
            data_id = panel.frame["data_id"]
            panel.end(session.why_gone(data_id) or "D-Tale no longer has this frame.")
            ended.append(panel)
    while len(ended) > _KEPT_ENDED:
        ended.popleft().forget()
    for key, panel in kept:
        if key:
            panel.show_frame(frames[key])


_KEPT_ENDED = 50
"""Panels without a frame that still say why; older ones are closed, for what they take."""


class _Current:
    hub: Hub | None = None
    ended: collections.deque[Panel] = collections.deque()  # noqa: RUF012 (of this process)
    panels: dict[str, Panel] = {}  # noqa: RUF012 (of this process)
    lock = threading.Lock()


def of(session: SessionLike, frame: FrameInfo | None = None) -> Panel:
    """Return the panel of `session`, or the one with the grid of `frame`.

    There is one for each frame however often it is shown, so that running a cell again and again
    collects nothing.
    """
    one = controller.of(session)
    with _Current.lock:
        hub = _Current.hub
        if hub is None or hub.closed or hub._controller is not one:  # noqa: SLF001 (its own module)
            hub = _Current.hub = Hub(one)
            _Current.panels = {}
        panels = _Current.panels
        key = "" if frame is None else frame.data_id
        if key in panels and panels[key].closed:
            panels.pop(key).forget()
        panel = panels.get(key)
        if panel is None:
            panel = panels[key] = Panel(one, hub, frame)
    panel.show_frame(frame)
    _follow_frames(session)
    if _asked_by_a_page():
        hub.expect_page()
    if frame is None:
        one.refresh()  # the state itself was asked for
    hub.wake()
    one.refresh_soon()
    return panel


def _asked_by_a_page() -> bool:
    """Whether the cell that runs came from an editor, and not from nbclient or papermill.

    Their clients take no input; pages do.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    request = {} if kernel is None else kernel.get_parent("shell").get("content", {})
    return bool(request.get("allow_stdin", True))
