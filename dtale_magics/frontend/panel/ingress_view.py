"""What the panel says about the ingress port: whether it matters, who has it, what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtale_magics.frontend.panel.model import Activity, Button, Facts, Line
from dtale_magics.state import Audience

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.state import PortHolder

_ABOUT_IT = {"take", "release"}


def matters(facts: Facts, activity: Activity) -> bool:
    """Whether anybody has to know about the ingress port.

    A single notebook has no use for it, and neither have those that a Hub's proxy leads to one by
    one.
    """
    others = any(one["owner"] != facts.status.owner for one in facts.kernels)
    holder = facts.status.ingress_holder
    held = holder is not None and holder.kind == "notebook"
    clicked = activity.said is not None and activity.said.action in _ABOUT_IT
    if facts.audience is Audience.MACHINE and (others or held):
        return True
    return facts.audience is Audience.INGRESS or clicked


def line(facts: Facts) -> Line:
    """Say who has it."""
    status = facts.status
    name, holder = f"ingress port {status.ingress_port}", status.ingress_holder
    if status.holds_ingress:
        since = None if holder is None else holder.since
        return Line("ours", f"This notebook is in front at {name}", since)
    if holder is None:
        note = "" if facts.permitted else "where this user may not listen"
        return Line("free", f"Nobody has {name}", note=note)
    if holder.kind != "notebook":
        return Line("stranger", f"{name.capitalize()} is held by {holder.label}")
    shared = status.ingress_port in status.ports
    notes = ["this notebook’s links work there too"] if shared else []
    frozen = _is_frozen(facts)
    if frozen:
        notes.insert(0, "not responding")
    mark = "frozen" if frozen else "held"
    return Line(mark, f"{holder.label} is in front at {name}", holder.since, "; ".join(notes))


def shown(facts: Facts) -> Line:
    """Say what the ingress port shows; we do not know here whether the ingress itself works."""
    status = facts.status
    seen = "from outside: " if facts.audience is Audience.INGRESS else ""
    port, holder = status.ingress_port, status.ingress_holder
    if port in status.ports:
        return Line("ours", f"{seen}port {port} shows this notebook, below its links")
    if holder is None:
        return Line("free", f"{seen}port {port} shows nothing")
    if holder.kind == "notebook":
        return Line("held", f"{seen}port {port} shows {holder.label}, not this notebook")
    return Line("stranger", f"{seen}port {port} does not show this notebook")


def button(facts: Facts, taken_from: str) -> Button | None:
    """Return the one thing that can be done about it."""
    status, kernels = facts.status, facts.kernels
    port, holder = status.ingress_port, status.ingress_holder
    if status.holds_ingress:
        if any(taken_from == one["label"] for one in kernels):
            return Button("release", f"Give back ingress port {port} to {taken_from}")
        return None
    if holder is None:
        if not facts.permitted:
            return None
        return Button("take", f"Use ingress port {port}")
    if holder.kind == "notebook":
        aside = " (not responding)" if _is_frozen(facts) else ""
        return Button("take", f"Take over ingress port {port} from {holder.label}{aside}")
    return Button(
        "take",
        f"Try to take over ingress port {port}",
        confirm=(
            f"{holder.label} does not use dtale_magics. If it is a plain D-Tale of yours, it is "
            "shut down and loses its frames; anything else is left alone. Go on?"
        ),
    )


def _is_frozen(facts: Facts) -> bool:
    keeper = _keeper(facts)
    return keeper is not None and not keeper.get("responding", True)


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
