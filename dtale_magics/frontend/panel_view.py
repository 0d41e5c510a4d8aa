"""What the panel says: every sentence of it, as a pure function of what is known."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from dtale_magics import outcome
from dtale_magics.errors import DtaleMagicsError
from dtale_magics.frontend.display import OPEN_ACCESS
from dtale_magics.frontend.panel_model import (
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
from dtale_magics.state import frame_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dtale_magics.outcome import Outcome
    from dtale_magics.reach.finding import Finding
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.state import PortHolder, Status

_NAMED = 3
"""So many notebooks are named in a line."""

_UNKNOWN = Line("unknown", "Looking for the other notebooks …")

_RETIRED = End(
    "unloaded",
    "dtale_magics was unloaded, and D-Tale ended with it.",
    "Run a cell with %load_ext dtale_magics, then this one again.",
)
_STOPPED = End("stopped", "D-Tale was stopped in this notebook.", "Run this cell again to go on.")

_ABOUT_INGRESS = {"take", "release"}


def broken(label: str, what: str, hint: str, activity: Activity | None = None) -> PanelView:
    """Return the panel for a state that cannot be told, for example for unusable settings."""
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
    keeper = _keeper(facts)
    known = facts.asked or status.holds_ingress
    matters = _ingress_matters(facts, activity)
    when, news = _news(facts, activity)
    button = _button(facts, keeper, activity.taken_from) if known and matters else None
    if news:
        activity = dataclasses.replace(activity, undo=None)  # it belongs to what was said before
    elif activity.undo and button and activity.undo.action == button.action:
        button = None  # one button for one action
    return PanelView(
        label=status.label,
        server=_server(facts),
        outside=_outside(status, facts.verdict) if known else _UNKNOWN,
        ingress=(_ingress(status, keeper) if known else _UNKNOWN) if matters else None,
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


def _ingress_matters(facts: Facts, activity: Activity) -> bool:
    """Whether anybody has to know of the ingress port: one notebook alone has no use for it."""
    others = any(one["owner"] != facts.status.owner for one in facts.kernels)
    holder = facts.status.ingress_holder
    held = holder is not None and holder.kind == "notebook"
    clicked = activity.said is not None and activity.said.action in _ABOUT_INGRESS
    return facts.exposed or others or held or clicked


def _news(facts: Facts, activity: Activity) -> tuple[float, str]:
    """Return what happened last since the user's last click, with its time."""
    told = [event for event in facts.events if not event.routine]
    if told and told[-1].time > activity.ended:
        return told[-1].time, told[-1].text
    return 0.0, ""


def _concern(facts: Facts, news: float | None) -> str:
    """Name all that the reader ought to see, in words that change when it does."""
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
    """Say where D-Tale is, for the one line that is always there."""
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
    """Say how a takeover ended, and offer to take it back where that restores what was."""
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
    """Say where ports are looked for from now on."""
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
    text, _, hint = str(result).partition("\n")
    return Said(action, ok=not result.refused, text=text, hint=hint)
