"""What the panel shows, as plain values: facts, buttons, rows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dtale_magics.state import Audience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dtale_magics.news import Event
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.state import Status

GLYPHS = {
    "ours": "●",
    "free": "○",
    "held": "◐",
    "frozen": "‖",
    "stranger": "▲",
    "lost": "✗",
    "unknown": "?",
}
"""A shape for each mark, so that colour is never the only sign."""


@dataclass(frozen=True)
class Line:
    """One fact.

    Attributes
    ----------
    mark
        A key of `GLYPHS`.
    text
        The fact in words.
    since
        Since when, in seconds since the epoch; the reader's browser formats it.
    note
        Text after the time.
    """

    mark: str
    text: str
    since: float | None = None
    note: str = ""

    @property
    def glyph(self) -> str:
        """Shape in front of the text."""
        return GLYPHS[self.mark]


@dataclass(frozen=True)
class Button:
    """Something to click.

    Attributes
    ----------
    action
        Action for `Controller.act`: ``take``, ``release`` or ``range``.
    label
        Says exactly what will happen.
    value
        The action's argument.
    confirm
        A question to answer first if something may be lost; else empty.
    """

    action: str
    label: str
    value: str = ""
    confirm: str = ""


@dataclass(frozen=True)
class Said:
    """How the last action ended.

    Attributes
    ----------
    action
        The action.
    ok
        Whether it did what its button said.
    text, hint
        The outcome in words, and what to do next.
    """

    action: str
    ok: bool
    text: str
    hint: str = ""


@dataclass(frozen=True)
class KernelRow:
    """A D-Tale of the pod: notebook, what is known about it, and its frames."""

    label: str
    text: str
    frames: tuple[str, ...] = ()
    here: bool = False


@dataclass(frozen=True)
class WayRow:
    """A URL, and what the browser and the kernel found there."""

    base: str
    browser: str
    kernel: str


@dataclass(frozen=True)
class Facts:
    """What is known at one moment.

    Attributes
    ----------
    status
        Status of this kernel.
    kernels
        Every D-Tale of the pod, as `Session.kernels` lists them.
    events
        What happened, oldest first.
    verdict
        By which URL this notebook's D-Tale is seen; None if nobody has asked.
    asked
        Whether the siblings were asked; before that, we do not know who else has the ingress port.
    audience
        Who uses the ingress port.
    permitted
        Whether this user may listen there.
    retired
        Whether the extension was unloaded.
    """

    status: Status
    kernels: Sequence[Mapping[str, Any]] = ()
    events: Sequence[Event] = ()
    verdict: Verdict | None = None
    asked: bool = True
    audience: Audience = Audience.MACHINE
    permitted: bool = True
    retired: bool = False


@dataclass(frozen=True)
class Activity:
    """What the user did in the panel.

    Attributes
    ----------
    doing
        What is being done right now, in words; empty if nothing is.
    said
        How the last action ended.
    undo
        The button that undoes it.
    taken_from
        The notebook that the ingress port was taken from.
    ended
        When the last action ended, in seconds since the epoch.
    """

    doing: str = ""
    said: Said | None = None
    undo: Button | None = None
    taken_from: str = ""
    ended: float = 0.0


@dataclass(frozen=True)
class End:
    """Why there is no longer a D-Tale: in a word, in a sentence, and what to do."""

    brief: str
    text: str
    hint: str


@dataclass(frozen=True)
class PanelView:
    """Everything in the panel.

    Attributes
    ----------
    label
        Name of this notebook.
    server, outside
        What this notebook's D-Tale does, and what is seen of it from outside, with what to do if
        that is nothing.
    ingress
        Who has the ingress port; None if it does not matter.
    brief
        What the panel's one line says about the port.
    concern
        Names what the reader should see, so that the panel unfolds; empty while all is well.
    end
        Why the grid is dead; None while it is alive.
    button
        The one thing that can be done about the ingress port.
    activity
        What is being done, and how the last action ended.
    news
        What happened after that.
    warning
        What the reader should know before anything else.
    range
        Where to look for ports.
    frames
        Frames of this notebook, in words.
    kernels
        Every D-Tale of the pod, this notebook's first.
    ways
        The URLs that may lead to this notebook, best first.
    events
        Time and text, latest first.
    """

    label: str
    server: Line
    outside: Line
    ingress: Line | None = None
    brief: str = ""
    concern: str = ""
    end: End | None = None
    button: Button | None = None
    activity: Activity = field(default_factory=Activity)
    news: str = ""
    warning: str = ""
    range: str = ""
    frames: tuple[str, ...] = ()
    kernels: tuple[KernelRow, ...] = ()
    ways: tuple[WayRow, ...] = ()
    events: tuple[tuple[float, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values for JSON, each line with its glyph."""
        plain = dataclasses.asdict(self)
        for name in ("server", "ingress", "outside"):
            line = getattr(self, name)
            if line is not None:
                plain[name]["glyph"] = line.glyph
        return plain
