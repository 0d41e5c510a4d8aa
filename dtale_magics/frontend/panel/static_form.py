"""The panel without a browser behind it: exports, saved notebooks, pages without widgets.

It shows the frame itself, and nothing that is another one at the next run: no ports, no times, no
other notebooks. It has no link, which a saved notebook would carry to whoever reads it.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dtale_magics.frontend.panel.preview import Preview

# The widget's output stands right before this one. Where it could not be restored, JupyterLab
# shows an error in it, which says less than the text below; where it lives, panel.css hides us.
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
        Why no panel lives there, and what leads to D-Tale all the same.
    """

    frame: str = ""
    preview: Preview | None = None
    frames: Sequence[str] = ()
    reason: str = ""
    links: Sequence[str] = ()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text(), "text/html": self.html()}

    def text(self) -> str:
        """Return the frame in words, and its first rows below."""
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
