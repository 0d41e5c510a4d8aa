"""What a panel says about its frame, and how its grid should look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtale_magics.wording import shape_text

if TYPE_CHECKING:
    from dtale_magics.state import FrameInfo

HEIGHT = 475
"""Maximum height of a grid in pixels, by default."""


def frame_state(frame: FrameInfo) -> dict[str, Any]:
    """Describe a frame for a page, including whether a newer one has its name."""
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
    """Return a size as CSS; a number means pixels."""
    return f"{size}px" if isinstance(size, int | float) or str(size).isdecimal() else str(size)
