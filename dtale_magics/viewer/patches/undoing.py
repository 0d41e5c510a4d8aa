"""What is replaced in D-Tale's modules while the extension is loaded."""

from __future__ import annotations

from typing import Any

_ORIGINALS: dict[tuple[Any, str], Any] = {}


def replace(owner: Any, name: str, replacement: Any) -> None:
    """Set an attribute of one of D-Tale's modules or classes; `undo` restores the first value."""
    _ORIGINALS.setdefault((owner, name), getattr(owner, name))
    setattr(owner, name, replacement)


def undo() -> None:
    """Put back everything that was replaced."""
    while _ORIGINALS:
        (owner, name), original = _ORIGINALS.popitem()
        setattr(owner, name, original)
