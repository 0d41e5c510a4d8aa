"""What the panel says, as plain values: a pure function of what is known."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dtale_magics.frontend.display import OPEN_ACCESS
from dtale_magics.state import frame_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dtale_magics.reach.finding import Finding
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.state import PortHolder, Status

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
        Since when, seconds since the epoch; the reader's own clock formats it.
    note
        What follows the time.
    """

    mark: str
    text: str
    since: float | None = None
    note: str = ""

    @property
    def glyph(self) -> str:
        """Shape that stands before the text."""
        return GLYPHS[self.mark]


_NAMED = 3
"""So many notebooks are named in a line."""

_UNKNOWN = Line("unknown", "Looking for the other notebooks …")


@dataclass(frozen=True)
class Button:
    """Something to click.

    Attributes
    ----------
    action
        What `Controller.act` is told: ``take``, ``release`` or ``range``.
    label
        Says exactly what will happen.
    value
        The action's argument.
    confirm
        A question to answer first, where something may be lost; empty where nothing can be.
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
    """A D-Tale of the pod: notebook, what is known of it, and its frames."""

    label: str
    text: str
    frames: tuple[str, ...] = ()
    here: bool = False


@dataclass(frozen=True)
class WayRow:
    """A URL, and what is found there from the browser and from the kernel."""

    base: str
    browser: str
    kernel: str


@dataclass(frozen=True)
class Facts:
    """What is known at one moment.

    Attributes
    ----------
    status
        This kernel's.
    kernels
        Every D-Tale of the pod, as `Session.kernels` lists them.
    events
        Time (seconds since the epoch) and text, oldest first.
    verdict
        By which URL this notebook's D-Tale is seen; None where nobody has asked.
    asked
        Whether the siblings were asked; before, nobody knows here who else has the ingress port.
    """

    status: Status
    kernels: Sequence[Mapping[str, Any]] = ()
    events: Sequence[tuple[float, str]] = ()
    verdict: Verdict | None = None
    asked: bool = True


@dataclass(frozen=True)
class Activity:
    """What the user did in the panel.

    Attributes
    ----------
    doing
        What is being done right now, in words; empty when nothing is.
    said
        How the last action ended.
    undo
        What takes it back.
    taken_from
        The notebook that the ingress port was taken from.
    ended
        When the last action ended, seconds since the epoch.
    """

    doing: str = ""
    said: Said | None = None
    undo: Button | None = None
    taken_from: str = ""
    ended: float = 0.0


@dataclass(frozen=True)
class PanelView:
    """Everything in the panel.

    Attributes
    ----------
    label
        Name of this notebook.
    server, ingress, outside
        What this notebook's D-Tale does, who has the ingress port, what one sees from outside, with
        what to do if that is nothing.
    button
        The one thing that can be done about the ingress port.
    activity
        What is being done and how the last action ended.
    news
        What happened after that.
    warning
        What the reader ought to know before anything else.
    range
        Where ports are looked for.
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
    ingress: Line
    outside: Line
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
            plain[name]["glyph"] = getattr(self, name).glyph
        return plain


def broken(label: str, what: str, hint: str, activity: Activity | None = None) -> PanelView:
    """Return the panel for a state that cannot be told, for example for unusable settings."""
    return PanelView(
        label,
        Line("unknown", what),
        Line("unknown", hint or "Correct it and run the cell again."),
        Line("unknown", "Not known while that lasts."),
        activity=activity or Activity(),
    )


def describe(facts: Facts, activity: Activity | None = None) -> PanelView:
    """Say what is known."""
    activity = activity or Activity()
    status = facts.status
    keeper = _keeper(facts)
    known = facts.asked or status.holds_ingress
    return PanelView(
        label=status.label,
        server=_server(facts),
        ingress=_ingress(status, keeper) if known else _UNKNOWN,
        outside=_outside(status, facts.verdict) if known else _UNKNOWN,
        button=_button(facts, keeper, activity.taken_from) if known else None,
        activity=activity,
        news=next((text for moment, text in facts.events[-1:] if moment > activity.ended), ""),
        warning=OPEN_ACCESS if status.open_access else "",
        range=str(status.range),
        frames=tuple(str(frame) for frame in status.frames),
        kernels=tuple(_rows(facts)),
        ways=tuple(_ways(facts.verdict)),
        events=tuple((moment, text) for moment, text in reversed(facts.events)),
    )


def _server(facts: Facts) -> Line:
    status = facts.status
    if not status.ports:
        return Line("free", "D-Tale is not running", note="start it with %dtale df")
    assert status.port is not None
    others = [str(port) for port in status.ports if port != status.port]
    note = f"open tabs also on {', '.join(others)}" if others else ""
    shared = _shared_with(facts, status.port)
    return Line("ours", f"D-Tale on port {status.port}{shared}", note=note)


def _shared_with(facts: Facts, port: int) -> str:
    """Name the other notebooks on `port`, a few of them."""
    others = [
        str(one["label"])
        for one in facts.kernels
        if one["owner"] != facts.status.owner and port in one["ports"]
    ]
    if not others:
        return ""
    named = others if len(others) <= _NAMED else [*others[: _NAMED - 1]]
    more = len(others) - len(named)
    return f", shared with {', '.join(named)}" + (f" and {more} more" if more else "")


def _ingress(status: Status, keeper: Mapping[str, Any] | None) -> Line:
    name, holder = f"ingress port {status.ingress_port}", status.ingress_holder
    if status.holds_ingress:
        since = None if holder is None else holder.since
        return Line("ours", f"This notebook is in front at {name}", since)
    if holder is None:
        return Line("free", f"Nobody has {name}")
    if holder.kind != "notebook":
        return Line("stranger", f"{name.capitalize()} is held by {holder.label}")
    shared = status.ingress_port in status.ports
    notes = ["this notebook’s links work there too"] if shared else []
    frozen = keeper is not None and not keeper.get("responding", True)
    if frozen:
        notes.insert(0, "not responding")
    mark = "frozen" if frozen else "held"
    return Line(mark, f"{holder.label} is in front at {name}", holder.since, "; ".join(notes))


def _outside(status: Status, verdict: Verdict | None) -> Line:
    """Say where this notebook is seen; without an ingress that is known, what its port shows."""
    if verdict is None or not verdict.asked:
        return _exposed(status)
    note = " ".join(part for part in (verdict.meaning, verdict.advice) if part)
    if verdict.reachable and not note and not verdict.by_ingress:
        note = f"{_exposed(status).text[0].upper()}{_exposed(status).text[1:]}."
    return Line(
        {True: "ours", False: "lost", None: "unknown"}[verdict.reachable],
        verdict.summary,
        note=note,
    )


def _exposed(status: Status) -> Line:
    """Say what the ingress port shows; whether the ingress itself works is not known here."""
    port, holder = status.ingress_port, status.ingress_holder
    if port in status.ports:
        return Line("ours", f"from outside: port {port} shows this notebook, below its links")
    if holder is None:
        return Line("free", f"from outside: port {port} shows nothing")
    if holder.kind == "notebook":
        return Line("held", f"from outside: port {port} shows {holder.label}, not this notebook")
    return Line("stranger", f"from outside: port {port} does not show this notebook")


def _button(facts: Facts, keeper: Mapping[str, Any] | None, taken_from: str) -> Button | None:
    status, kernels = facts.status, facts.kernels
    port, holder = status.ingress_port, status.ingress_holder
    if status.holds_ingress:
        if any(taken_from == one["label"] for one in kernels):
            return Button("release", f"Give back ingress port {port} to {taken_from}")
        return None
    if holder is None:
        return Button("take", f"Use ingress port {port}")
    if holder.kind == "notebook":
        frozen = keeper is not None and not keeper.get("responding", True)
        aside = " (not responding)" if frozen else ""
        return Button("take", f"Take over ingress port {port} from {holder.label}{aside}")
    return Button(
        "take",
        f"Try to take over ingress port {port}",
        confirm=(
            f"{holder.label} does not use dtale_magics. If it is a plain D-Tale of yours, it is "
            "shut down and loses its frames; anything else is left alone. Go on?"
        ),
    )


def _keeper(facts: Facts) -> Mapping[str, Any] | None:
    """Find the D-Tale that has the ingress port."""
    holder = facts.status.ingress_holder
    if holder is None or holder.kind != "notebook":
        return None
    port = facts.status.ingress_port
    others = [one for one in facts.kernels if one["owner"] != facts.status.owner]
    named = [one for one in others if _is(one, holder)]
    return next((one for one in [*named, *others] if port in one["ports"]), None)


def _is(kernel: Mapping[str, Any], holder: PortHolder) -> bool:
    return bool(holder.pid is not None and kernel["pid"] == holder.pid)


def _rows(facts: Facts) -> Iterable[KernelRow]:
    own = facts.status.owner
    for kernel in sorted(facts.kernels, key=lambda one: (one["owner"] != own, one["label"])):
        ports = [str(port) for port in kernel["ports"]]
        parts = [f"port {', '.join(ports)}" if ports else "no port", f"process {kernel['pid']}"]
        if not kernel.get("responding", True):
            parts.append("not responding")
        frames = tuple(
            frame_text(frame["name"], frame["rows"], frame["columns"]) for frame in kernel["frames"]
        )
        yield KernelRow(kernel["label"], " · ".join(parts), frames, kernel["owner"] == own)


def _ways(verdict: Verdict | None) -> Iterable[WayRow]:
    for row in verdict.rows if verdict is not None else ():
        yield WayRow(row.base, _found(row.browser), _found(row.kernel))


def _found(finding: Finding | None) -> str:
    return "not known" if finding is None else f"{finding.glyph} {finding}"
