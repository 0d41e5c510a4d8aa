"""The panel without a browser behind it: exports, saved notebooks, consoles and terminals.

It never contains the link: a saved notebook would carry the capability to whoever reads it.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from dtale_magics.state import clock

if TYPE_CHECKING:
    from dtale_magics.frontend.panel_view import Line, PanelView

# The widget's output stands right before this one. Where it could not be restored, JupyterLab
# shows an error in it, which says less than the text below; where it lives, panel.css hides us.
_STYLE = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .dtale-magics-static) "
    "> .jp-OutputArea-output.jupyter-widgets:not(:has(*)) { display: none }</style>"
)

_HINT = "Run this cell in a notebook to open it."


class StaticPanel:
    """What the panel said when the cell ran, as text and as HTML.

    Parameters
    ----------
    view
        What the panel says.
    frame
        The frame that the cell showed, in words; empty for the panel alone.
    """

    def __init__(self, view: PanelView, frame: str = "") -> None:
        self._view = view
        self._frame = frame

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": text(self._view, self._frame), "text/html": self.html()}

    def html(self) -> str:
        """Return one line that names the frame, and what the panel said below it."""
        head = html.escape(f"D-Tale: {self._frame}" if self._frame else "D-Tale")
        lines = "<br>".join(html.escape(line) for line in _lines(self._view, ""))
        return (
            f'{_STYLE}<div class="dtale-magics-static"><strong>{head}</strong>. {_HINT}<br>'
            f"<small>{lines}</small></div>"
        )


def text(view: PanelView, frame: str = "") -> str:
    """Return what the panel says in some lines."""
    return "\n".join(_lines(view, frame))


def _lines(view: PanelView, frame: str) -> list[str]:
    lines = [f"{view.server.glyph} {view.label}: {_words(view.server)}"]
    lines += [f"  {one}" for one in ([frame] if frame else view.frames)]
    lines += [f"{line.glyph} {_words(line)}" for line in (view.ingress, view.outside)]
    lines += [f"▲ {view.warning}"] if view.warning else []
    said = view.activity.said
    if said is not None:
        lines += [said.text, *([said.hint] if said.hint else [])]
    return lines


def _words(line: Line) -> str:
    since = "" if line.since is None else f" since {clock(line.since)}"
    note = f"{' ' if line.text.endswith('.') else ', '}{line.note}" if line.note else ""
    return f"{line.text}{since}{note}"
