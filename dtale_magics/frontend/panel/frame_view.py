"""What a panel says of its frame, and how its grid is to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtale_magics.wording import shape_text

if TYPE_CHECKING:
    from dtale_magics.state import FrameInfo

HEIGHT = 475
"""Pixels that a grid takes at most, by default."""


def frame_state(frame: FrameInfo) -> dict[str, Any]:
    """Describe a frame to a page: whether it is older than another one, for example."""
    newer = frame.newer
    note = ""
    if newer is not None:
        here = f"as of cell [{frame.cell}]" if frame.cell else "as it was"
        there = f" by cell [{newer.cell}]" if newer.cell else ""
        note = f"{here}; it was shown again{there} later."
    return {
        "data_id": frame.data_id,
        "title": str(frame),
        "name": frame.name,
        "shape": shape_text(frame.rows, frame.columns),
        "rows": frame.rows,
        "shown": frame.shown,
        "note": note,
        "newer": None if newer is None else {"data_id": newer.data_id, "shown": newer.shown},
        "gone": "",
    }


def length(size: object) -> str:
    """Return a size as CSS has it: a number is one of pixels."""
    return f"{size}px" if isinstance(size, int | float) or str(size).isdecimal() else str(size)
