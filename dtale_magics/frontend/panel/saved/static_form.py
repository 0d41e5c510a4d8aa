"""The panel without a browser behind it: exports, saved notebooks, pages without widgets.

It shows the frame itself, and nothing that differs at the next run: no ports, no times, no other
notebooks. It has no link, because a saved notebook would carry that to everybody who reads it.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.display import display

from dtale_magics.frontend.panel.saved.preview import Preview

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dtale_magics.frontend.panel.knowledge import PanelSession
    from dtale_magics.state import FrameInfo

# The widget's output comes right before this one. If JupyterLab could not restore it, it shows an
# error there, which says less than the text below; if the widget lives, panel.css hides this one.
_STYLE = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .dtale-magics-static) "
    "> .jp-OutputArea-output.jupyter-widgets:not(:has(*)) { display: none }</style>"
)

_HINT = "Run this cell in a notebook to open it in D-Tale."


@dataclass(frozen=True)
class StaticPanel:
    """What a cell leaves where no panel lives, as text and as HTML.

    Attributes
    ----------
    frame
        The frame that the cell showed, in words; empty for the panel alone.
    preview
        Its first rows; None if they are not wanted.
    frames
        For the panel alone: what D-Tale shows, in words.
    reason, links
        Why no panel lives there, and links that lead to D-Tale nevertheless.
    """

    frame: str = ""
    preview: Preview | None = None
    frames: Sequence[str] = ()
    reason: str = ""
    links: Sequence[str] = ()

    @classmethod
    def of(cls, session: PanelSession, frame: FrameInfo | None) -> StaticPanel:
        """Return the static form of a frame or, for None, of the panel alone."""
        if frame is None:
            return cls(frames=[str(frame) for frame in session.frames.all()])
        rows = session.option("preview")
        head = session.frames.head(frame, rows) if rows else None
        return cls(str(frame), None if head is None else Preview.of(head))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}

    def text(self) -> str:
        """Return the frame in words, with its first rows below."""
        table = [] if self.preview is None else [self.preview.text()]
        return "\n".join([*self._lines(), *self.links, *table])

    def html(self) -> str:
        """Return the same as HTML."""
        first, *others = map(html.escape, self._lines())
        links = [
            f'<a href="{html.escape(link)}" target="_blank" rel="noopener">{html.escape(link)}</a>'
            for link in self.links
        ]
        lines = "<br>".join([f"<strong>{first}</strong>", *others, *links])
        hint = "" if self.links else f"<small>{_HINT}</small>"
        table = "" if self.preview is None else self.preview.html()
        return f'{_STYLE}<div class="dtale-magics-static">{lines}{table}{hint}</div>'

    def _lines(self) -> list[str]:
        if self.frame:
            lines = [self.frame]
        elif self.frames:
            lines = ["D-Tale of this notebook shows:", *self.frames]
        else:
            lines = ["D-Tale of this notebook shows no frame yet."]
        return [*lines, *([self.reason] if self.reason else [])]


class Printed:
    """What nbclient, papermill and the like get instead of a panel: what a page would show, saved.

    They would also save a widget's state, with ports, other notebooks and ids of this run only.
    """

    def __init__(self, session: PanelSession, frame: FrameInfo | None) -> None:
        self.static = StaticPanel.of(session, frame)

    def show(self, replace: Callable[[object], None] = display) -> None:
        """Display it."""
        replace(self.static)

    def follow(self, instance: Any) -> None:
        """Do nothing: there is no grid whose size an instance could change."""

    def resize(self, width: object = None, height: object = None) -> None:
        """Do nothing: there is no grid."""

    def __repr__(self) -> str:
        """Return what a terminal shows."""
        return self.static.text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.static._repr_mimebundle_()
