"""What a cell shows: HTML in notebooks, text in terminals and static exports."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from dtale_magics.state import Audience
from dtale_magics.wording import clock, frame_text, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dtale_magics.state import FrameInfo, PortHolder, Status

OPEN_ACCESS = (
    "open access: whoever reaches the port sees and edits the frames, without the link; "
    "c.DtaleMagics.open_access = False ends that"
)


class Text:
    """Lines of text, also in HTML."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": f"<pre>{html.escape(self.text)}</pre>"}


def status_text(
    status: Status, *, links: bool = True, audience: Audience = Audience.MACHINE
) -> str:
    """Say in some lines what this kernel's D-Tale is doing; without `links` for saved output."""
    where = f"D-Tale on port {status.port}" if status.port else "D-Tale is not running"
    lines = [
        f"{status.label}: {where}{f'  {status.url}' if links and status.url else ''}",
        *(f"  {frame}{f'  {frame.url}' if links and frame.url else ''}" for frame in status.frames),
    ]
    if not status.frames:
        lines.append("  no frames yet; show one with: %dtale df")
    return "\n".join([*lines, *_holder_lines(status, audience)])


def frame_link(frame: FrameInfo, public_url: str | None) -> str:
    """Say where a frame is seen; for consoles, whose output is not saved."""
    text = f"{frame}  {frame.url}"
    seen = f"{public_url}/dtale/main/{frame.data_id}"
    if public_url is None or not public_url.startswith("http") or seen == frame.url:
        return text
    return f"{text}\n  elsewhere  {seen}"


def ports_text(status: Status, audience: Audience) -> str:
    """Say in some lines which ports are bound, looked for and exposed."""
    bound = ", ".join(str(port) for port in status.ports) or "none"
    return "\n".join(
        [
            f"bound port    {bound}",
            f"range         {status.range}",
            *_holder_lines(status, audience),
            *([OPEN_ACCESS] if status.open_access else []),
        ]
    )


def _holder_lines(status: Status, audience: Audience) -> list[str]:
    """Say who is in front at the ingress port, if anybody uses that port."""
    if audience is Audience.NOBODY:
        return []
    return [f"ingress port  {status.ingress_port} {_who(status.ingress_holder)}"]


def list_text(kernels: Iterable[dict[str, Any]]) -> str:
    """List all D-Tales and what they show."""
    lines = []
    for kernel in kernels:
        ports = ", ".join(str(port) for port in kernel["ports"]) or "none"
        lines.append(f"{kernel['label']}  pid {kernel['pid']}  port {ports}")
        lines += [f"  {_frame(frame)}" for frame in kernel["frames"]]
    return "\n".join(lines) or "No D-Tale is running."


def _frame(frame: Mapping[str, Any]) -> str:
    """Say everything that is known about a frame."""
    parts = [frame_text(frame["name"], frame["rows"], frame["columns"])]
    parts += [f"cell [{frame['cell']}]"] if frame.get("cell") else []
    parts += [size_text(frame["memory"])] if frame.get("memory") else []
    return ", ".join(parts)


def verdict_text(verdict: Mapping[str, Any]) -> str:
    """Say where D-Tale is seen, why not, what to do, and what was found at each URL.

    Parameters
    ----------
    verdict
        As `dtale_magics.reach.verdict.Verdict.as_dict` returns it.
    """
    lines = [f"{verdict['glyph']} {verdict['summary']}"]
    said = (verdict["meaning"], verdict["advice"], verdict["aside"])
    lines += [f"  {line}" for line in said if line]
    rows = [(row["base"], _found(row["kernel"]), _found(row["browser"])) for row in verdict["rows"]]
    if rows:
        rows.insert(0, ("URL", "from the kernel", "from the browser"))
        first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
        lines += ["", *(f"  {url:{first}}  {one:{second}}  {two}" for url, one, two in rows)]
    return "\n".join(lines)


def check_text(checks: Iterable[Mapping[str, Any]]) -> str:
    """Say for each D-Tale where it is seen."""
    return "\n\n".join(f"{one['label']}\n{verdict_text(one)}" for one in checks)


def _found(one: Mapping[str, Any] | None) -> str:
    return "not known" if one is None else f"{one['glyph']} {one['text']}"


def _who(holder: PortHolder | None) -> str:
    if holder is None:
        return "is free"
    if holder.kind == "process":
        return f"is held by {holder.label}"
    who = "this notebook" if holder.kind == "this kernel" else holder.label
    since = "" if holder.since is None else f" since {clock(holder.since)}"
    return f"with {who} in front{since}"
