"""The panel as a widget: one model for each kernel, many views, and the grid below it.

The grid's iframe is made in the browser, from state that Jupyter does not save with the notebook,
so no saved notebook contains the capability. nbclient and papermill do save that state; notebooks
that they run get no widget.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
from IPython import get_ipython
from IPython.display import display
from traitlets import Dict, Instance

from dtale_magics.frontend import front_end
from dtale_magics.frontend.panel import controller
from dtale_magics.frontend.panel import script as panel_module
from dtale_magics.frontend.panel.frame_view import HEIGHT, frame_state, length
from dtale_magics.frontend.panel.hub import Hub
from dtale_magics.frontend.panel.saved.static_form import Printed, StaticPanel

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.frontend.panel.controller import Controller
    from dtale_magics.frontend.panel.knowledge import PanelSession
    from dtale_magics.state import FrameInfo


class Panel(anywidget.AnyWidget):
    """The panel in one or more outputs, alone or above a frame's grid."""

    _esm = panel_module.source()
    _css = panel_module.style()

    hub = Instance(Hub).tag(sync=True, **ipywidgets.widget_serialization)
    """Shared by all panels of the kernel."""

    frame = Dict().tag(sync=True)
    """The grid below, as `frame_state` describes it; empty for the panel alone."""

    def __init__(self, one: Controller, hub: Hub, frame: FrameInfo | None = None) -> None:
        self._controller = one
        self._info = frame
        self._size: dict[str, str] = {}
        super().__init__(hub=hub)
        self.show_frame(frame)

    def show_frame(self, frame: FrameInfo | None) -> None:
        """Show the grid of `frame` below the panel."""
        if frame is not None:
            self._info = frame
            session = self._controller.session
            theme = session.option("theme")
            look = {
                "height": length(session.option("height") or HEIGHT),
                "theme": "" if theme in {None, "page"} else theme,
            }
            self.frame = {**frame_state(frame), **look, **self._size}

    def end(self, why: str) -> None:
        """Say, in place of the grid, why it is gone."""
        self.frame = {**self.frame, "gone": why, "note": "", "newer": None}

    @property
    def closed(self) -> bool:
        """Whether the user closed it, as ``Widget.close_all()`` does."""
        return self.comm is None

    def forget(self) -> None:
        """Free the resources of a panel whose frame is gone."""
        self.layout.close()
        self.close()

    def follow(self, instance: Any) -> None:
        """Have ``adjust_cell_dimensions`` of D-Tale's `instance` change this grid's size."""
        instance._notebook_handle = _Grid(self)  # noqa: SLF001 (D-Tale updates this attribute)

    def resize(self, width: object = None, height: object = None) -> None:
        """Give the grid another size: pixels, or a length in CSS; None leaves it as it is."""
        given = {"width": width, "height": height}
        self._size |= {name: length(size) for name, size in given.items() if size is not None}
        self.frame = {**self.frame, **self._size}

    def show(self, replace: Callable[[object], None] = display) -> None:
        """Display the panel, and the static form for where it cannot live.

        Parameters
        ----------
        replace
            Displays the panel itself.
        """
        replace(self.live)
        static = self.static
        handle = display(static, display_id=True)
        answering = self.hub.answering
        if handle is not None and answering is not None:
            answering.wait(lambda heard: handle.update(static if heard else self.static_with_link))

    @property
    def static(self) -> StaticPanel:
        """The frame itself, for places where no widget can live."""
        return StaticPanel.of(self._controller.session, self._info)

    @property
    def static_with_link(self) -> StaticPanel:
        """The same for a page that shows no widgets."""
        session = self._controller.session
        path = "" if self._info is None else f"/dtale/main/{self._info.data_id}"
        bases = dict.fromkeys([session.base_url, session.public_url])
        links = [f"{base}{path}" for base in bases if base and base.startswith("http")]
        return dataclasses.replace(self.static, reason=front_end.why_no_panel(), links=links)

    @property
    def live(self) -> Live:
        """The widget alone, for an output that `static` follows."""
        return Live(self)

    def __repr__(self) -> str:
        """Return what a terminal shows."""
        return self.static.text()

    def _repr_mimebundle_(  # type: ignore[override] # a bundle without metadata will do
        self, **_: Any
    ) -> dict[str, Any]:
        self._controller.refresh()
        return {**self.live._repr_mimebundle_(), **self.static._repr_mimebundle_()}


class _Grid:
    """Looks to D-Tale like the display of an iframe that it can update."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def update(self, iframe: Any) -> None:
        """Take the size of an ``IPython.display.IFrame``."""
        self._panel.resize(iframe.width, iframe.height)


class Live:
    """The widget without a static form beside it."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        reference = {"version_major": 2, "version_minor": 1, "model_id": self._panel.model_id}
        # Without a text of our own, IPython would add "<… object at 0x…>".
        return {"application/vnd.jupyter.widget-view+json": reference, "text/plain": ""}


def _follow_frames(session: PanelSession) -> None:
    """Have every panel say what became of its frame."""
    frames = {frame.data_id: frame for frame in session.frames.all()}
    with _Current.lock:
        panels, ended = _Current.panels, _Current.ended
        gone = [key for key, panel in panels.items() if key and (key not in frames or panel.closed)]
        over = [panels.pop(key) for key in gone]
        kept = list(panels.items())
    for panel in over:
        if not panel.closed:
            data_id = panel.frame["data_id"]
            panel.end(session.frames.why_gone(data_id) or "D-Tale no longer has this frame.")
            ended.append(panel)
    while len(ended) > _KEPT_ENDED:
        ended.popleft().forget()
    for key, panel in kept:
        if key:
            panel.show_frame(frames[key])


_KEPT_ENDED = 50
"""Maximum number of panels that say why their frame is gone; older ones are closed."""


class _Current:
    hub: Hub | None = None
    ended: collections.deque[Panel] = collections.deque()  # noqa: RUF012 (of this process)
    panels: dict[str, Panel] = {}  # noqa: RUF012 (of this process)
    lock = threading.Lock()


def of(session: PanelSession, frame: FrameInfo | None = None) -> Panel | Printed:
    """Return the panel of `session`, or the one with the grid of `frame`.

    There is one for each frame, however often it is shown, so running a cell again and again does
    not pile up panels. A program that runs notebooks gets output that it can save.
    """
    if not front_end.is_page(get_ipython()):
        return Printed(session, frame)
    one = controller.of(session)
    with _Current.lock:
        hub = _Current.hub
        if hub is None or not hub.shows(one):
            hub = _Current.hub = Hub(one, _follow_frames)
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
    if frame is None:
        one.refresh()  # the state itself was asked for
    hub.wake()
    one.refresh_soon()
    return panel
