"""How D-Tale lays a frame out: the order of its columns, and which are locked or hidden."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIRST_HIDDEN = 100
"""D-Tale hides columns from this position on."""


@dataclass
class Layout:
    """How a frame was laid out before the user did anything in its grid.

    Attributes
    ----------
    natural
        Columns in the order of the frame, its index first.
    order
        Columns in the order of the grid.
    indexes, locked
        Columns that were the index, and that were locked.
    rows
        Number of rows.
    hidden_by_default
        Columns that D-Tale hid without being asked.
    visibility
        Columns that the user has hidden or shown, contrary to that.
    moved
        Whether the order is the user's.
    hides_empty
        Whether the user has asked to hide empty columns.
    """

    natural: tuple[str, ...]
    order: tuple[str, ...]
    indexes: tuple[str, ...]
    locked: tuple[str, ...]
    rows: int
    hidden_by_default: frozenset[str]
    visibility: dict[str, bool] = field(default_factory=dict)
    moved: bool = False
    hides_empty: bool = False

    @classmethod
    def of(cls, loaded: Any, options: Mapping[str, Any]) -> Layout:
        """Describe what D-Tale has just loaded with these options (all except ``locked``)."""
        settings, columns = loaded.settings or {}, tuple(loaded.data.columns)
        hides_empty = bool(options.get("auto_hide_empty_columns"))
        hidden = {
            one["name"]
            for one in loaded.dtypes
            if not one["visible"]
            and (
                one["index"] >= _FIRST_HIDDEN
                or (hides_empty and one["hasMissing"] == len(loaded.data))
            )
        }
        return cls(
            columns,
            columns,
            tuple(settings.get("indexes") or ()),
            tuple(settings.get("locked") or ()),
            len(loaded.data),
            frozenset(hidden - set(options.get("hide_columns") or ())),
            hides_empty=hides_empty,
        )


def edits(instance: Any, layout: Layout) -> int:
    """Count what was edited in a frame's grid: its values, and which columns and rows it has.

    Settings (filters, sorting, the order of columns) are not edits and do not count.
    """
    entries = len(instance.history or ())
    reshaped = (
        set(instance.data.columns) != set(layout.natural) or len(instance.data) != layout.rows
    )
    return max(entries, int(reshaped))


def arrange(
    loaded: Any, layout: Layout, locked: Iterable[str] | None, order: tuple[str, ...] = ()
) -> None:
    """Lock columns, and order them.

    Parameters
    ----------
    loaded
        D-Tale's instance.
    layout
        Its layout, which is updated.
    locked
        Columns to lock instead of those that are locked now.
    order
        The user's own order, used if the user has moved columns.
    """
    names = list(loaded.data.columns)
    first = list(layout.locked if locked is None else locked)
    first = [name for name in dict.fromkeys(first) if name in names]
    rest = _merged(order, list(layout.natural)) if layout.moved else layout.natural
    arranged = [*first, *(name for name in rest if name not in first)]
    if arranged != names:
        described = {one["name"]: one for one in loaded.dtypes}
        loaded.data = loaded.data[arranged]
        loaded.dtypes = [{**described[one], "index": place} for place, one in enumerate(arranged)]
    loaded.settings = {**loaded.settings, "locked": first}
    layout.order, layout.locked = tuple(arranged), tuple(first)


def _merged(wanted: tuple[str, ...], names: list[str]) -> list[str]:
    """Order `names` as `wanted`; a new one goes right after its predecessor in `names`."""
    order = [name for name in wanted if name in names]
    for place, name in enumerate(names):
        if name not in order:
            order.insert(order.index(names[place - 1]) + 1 if place else 0, name)
    return order
