"""What the panel says: every sentence of it, as a pure function of what is known."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dtale_magics import outcome
from dtale_magics.errors import DtaleMagicsError
from dtale_magics.frontend.display import OPEN_ACCESS
from dtale_magics.frontend.panel import ingress_view
from dtale_magics.frontend.panel.model import (
    Activity,
    Button,
    End,
    Facts,
    KernelRow,
    Line,
    PanelView,
    Said,
    WayRow,
)
from dtale_magics.wording import frame_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dtale_magics.outcome import Outcome
    from dtale_magics.reach.finding import Finding
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.state import Status

_NAMED = 3
"""Maximum number of notebooks that a line names."""

_UNKNOWN = Line("unknown", "Looking for the other notebooks …")
_NOT_ASKED = Line("unknown", "No page has told yet how it gets here.")

_RETIRED = End(
    "unloaded",
    "dtale_magics was unloaded, and D-Tale ended with it.",
    "Run a cell with %load_ext dtale_magics, then this one again.",
)
_STOPPED = End("stopped", "D-Tale was stopped in this notebook.", "Run this cell again to go on.")


def broken(label: str, what: str, hint: str, activity: Activity | None = None) -> PanelView:
    """Return the panel for a state that is not known, for example due to unusable settings."""
    return PanelView(
        label,
        Line("unknown", what),
        Line("unknown", "Not known while that lasts."),
        Line("unknown", hint or "Correct it and run the cell again."),
        brief=what,
        concern="broken",
        activity=activity or Activity(),
    )


def describe(facts: Facts, activity: Activity | None = None) -> PanelView:
    """Say what is known."""
    activity = activity or Activity()
    status = facts.status
    known = facts.asked or status.holds_ingress
    matters = ingress_view.matters(facts, activity)
    when, news = _news(facts, activity)
    button = ingress_view.button(facts, activity.taken_from) if known and matters else None
    if news:
        activity = dataclasses.replace(activity, undo=None)  # it belongs to an earlier message
    elif activity.undo and button and activity.undo.action == button.action:
        button = None  # one button for one action
    return PanelView(
        label=status.label,
        server=_server(facts),
        outside=_outside(facts, matters=matters) if known else _UNKNOWN,
        ingress=(ingress_view.line(facts) if known else _UNKNOWN) if matters else None,
        brief=_brief(facts, matters=matters and known),
        concern=_concern(facts, when if news else None),
        end=_end(facts),
        button=button,
        activity=activity,
        news=news,
        warning=OPEN_ACCESS if status.open_access else "",
        range=str(status.range),
        frames=tuple(str(frame) for frame in status.frames),
        kernels=tuple(_rows(facts)),
        ways=tuple(_ways(facts.verdict)),
        events=tuple((event.time, event.text) for event in reversed(facts.events)),
    )


def _news(facts: Facts, activity: Activity) -> tuple[float, str]:
    """Return what happened last since the user's last click, with its time."""
    told = [event for event in facts.events if not event.routine]
    if told and told[-1].time > activity.ended:
        return told[-1].time, told[-1].text
    return 0.0, ""


def _concern(facts: Facts, news: float | None) -> str:
    """Name everything that the reader should see, in words that change when that changes."""
    status, verdict = facts.status, facts.verdict
    concerns = ["open access"] if status.open_access else []
    if verdict is not None and verdict.reachable is False and status.ports:
        concerns.append("not reached")
    rows = () if verdict is None else verdict.rows
    ingress = next((row for row in rows if row.source == "ingress"), None)
    if ingress and ingress.browser is not None and not ingress.browser.is_ours:
        concerns.append(f"ingress: {ingress.browser}")
    if news is not None:
        concerns.append(f"news of {news}")
    return "; ".join(concerns)


def _end(facts: Facts) -> End | None:
    if facts.retired:
        return _RETIRED
    return _STOPPED if facts.status.frames and not facts.status.ports else None


def _brief(facts: Facts, *, matters: bool) -> str:
    """Say where D-Tale is, for the one line that is always visible."""
    status = facts.status
    if not status.ports:
        return "not running; start it with %dtale df" if not status.frames else "not running"
    assert status.port is not None
    port, ingress, holder = status.port, status.ingress_port, status.ingress_holder
    shared = f"port {port}{_shared_with(facts, port)}"
    if not matters or ingress in status.ports:
        return shared
    if holder is None:
        return f"{shared}; ingress port {ingress} is free"
    return f"{shared}; ingress port {ingress}: {holder.label}"


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


def _outside(facts: Facts, *, matters: bool) -> Line:
    """Say where this notebook is seen and, if it matters, what the ingress port shows."""
    verdict, exposed = facts.verdict, ingress_view.shown(facts)
    if verdict is None or not verdict.asked:
        return exposed if matters else _NOT_ASKED
    note = " ".join(part for part in (verdict.meaning, verdict.advice) if part)
    if verdict.reachable and matters and not note and not verdict.by_ingress:
        note = f"{exposed.text[0].upper()}{exposed.text[1:]}."
    return Line(
        {True: "ours", False: "lost", None: "unknown"}[verdict.reachable],
        verdict.summary,
        note=note,
    )


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


# ------------------------------------------------------------------------------------- actions


def doing(action: str, status: Status | None) -> str:
    """Say what is being done."""
    port = "" if status is None else status.ingress_port
    return {
        "take": f"Taking ingress port {port} …",
        "release": f"Giving back ingress port {port} …",
        "range": "Setting the range …",
    }.get(action, "Working …")


def after_take(result: Any) -> Activity:
    """Say how a takeover ended, and offer to undo it if that restores the former state."""
    said = _said("take", result)
    undo, taken_from = None, ""
    match result:
        case outcome.InFront():
            taken_from = result.holder.label
            undo = Button("release", f"Undo: {taken_from} in front again")
    return Activity(said=said, undo=undo, taken_from=taken_from)


def after_release(result: Any, before: Activity) -> Activity:
    """Say how giving back ended, and offer to take the port again."""
    said = _said("release", result)
    if not said.ok:
        return Activity(said=said, taken_from=before.taken_from)
    return Activity(said=said, undo=Button("take", f"Undo: take port {result.port} again"))


def after_range(old: object, new: object, before: Activity) -> Activity:
    """Say in which range to look for ports from now on."""
    undo = Button("range", f"Undo: range {old} again", str(old)) if new != old else None
    text = f"Ports are looked for in {new} from now on."
    return Activity(said=Said("range", ok=True, text=text), undo=undo, taken_from=before.taken_from)


def after_error(action: str, error: Exception, before: Activity) -> Activity:
    """Say what went wrong."""
    if isinstance(error, DtaleMagicsError):
        said = Said(action, ok=False, text=error.what, hint=error.hint)
    else:
        said = Said(
            action,
            ok=False,
            text=f"That failed: {type(error).__name__}: {error}",
            hint="Nothing else has changed. Try again, or type: %dtale_port",
        )
    return Activity(said=said, taken_from=before.taken_from)


def _said(action: str, result: Outcome) -> Said:
    return Said(action, ok=not result.refused, text=result.what, hint=result.advice)
