"""Names of columns and index levels, as D-Tale needs them: text, and no two alike."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_RESERVED = frozenset({"dtale_index", "dtale_expander", "__filtered"})
"""Names by which D-Tale's grid knows its own columns."""

_UNNAMED = "unnamed"


@dataclass(frozen=True)
class Names:
    """The names that a frame is shown with.

    Attributes
    ----------
    index, columns
        One for each level and each column, in their order.
    changed
        Those that had to be changed to differ from one another or from D-Tale's own.
    """

    index: list[str]
    columns: list[str]
    changed: list[str]


def of(frame: Any, *, with_index: bool) -> Names:
    """Find names for the columns of `frame`, and for the levels of its index if that is shown."""
    columns = [text(label) for label in frame.columns]
    taken = _Taken(columns)
    columns = [taken.name(name) for name in columns]
    index = []
    if with_index:
        for level, label in enumerate(frame.index.names):
            if label is None:
                unnamed = "index" if frame.index.nlevels == 1 else f"level_{level}"
                if unnamed in taken.used:
                    unnamed = f"level_{level}"
                index.append(taken.name(unnamed, quietly=True))
            else:
                index.append(taken.name(text(label), " (index)"))
    return Names(index, columns, taken.changed)


def text(label: Any) -> str:
    """Write a label as D-Tale does; the parts of a tuple are joined."""
    if isinstance(label, tuple):
        find = (
            sys.modules["dtale.utils"].find_dtype_formatter
            if "dtale.utils" in sys.modules
            else None
        )
        parts = [_part(part, find) for part in label]
        label = "_".join(part for part in parts if part)
    try:
        name = str(label).strip()
    except Exception:  # noqa: BLE001 (the label may be of any class)
        name = type(label).__name__
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _part(part: Any, find: Any) -> str:
    if find is None or isinstance(part, str | int):
        return str(part)
    return str(find(type(part).__name__)(part, as_string=True))


class _Taken:
    """Hands out names, and none of them twice."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = set(wanted) | _RESERVED
        self.used = set(_RESERVED)
        self.changed: list[str] = []

    def name(self, wanted: str, suffix: str = "", *, quietly: bool = False) -> str:
        name, number = wanted or _UNNAMED, 1
        if wanted and wanted not in self.used:
            self.used.add(wanted)
            return wanted
        if suffix and f"{wanted}{suffix}" not in self.used | self._wanted:
            name = f"{wanted}{suffix}"
        while name in self.used or (name != wanted and name in self._wanted):
            number += 1
            name = f"{wanted or _UNNAMED} ({number})"
        self.used.add(name)
        if not quietly:
            self.changed.append(name)
        return name
