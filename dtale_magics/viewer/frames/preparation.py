"""Prepare frames that D-Tale would refuse or spoil, so that it shows them as they are.

This is done on a frame of our own that shares the user's columns: only columns that change take
memory, and the user's frame stays as it was.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from dtale_magics.viewer.frames import column_names, columns

_NAMED = 3
"""Maximum number of columns that one sentence names."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A frame as D-Tale takes it.

    Attributes
    ----------
    frame
        The frame, with the index among its columns, at the front.
    index
        Names of the columns that were the index.
    changes
        What is shown in another form than the user's, in a few words; empty if nothing is.
    instants
        Columns with a time zone, by name; D-Tale has only their local time.
    """

    frame: Any
    index: list[str]
    changes: str = ""
    instants: dict[str, Any] = dataclasses.field(default_factory=dict)


def prepare(frame: Any, *, drop_index: bool = False) -> Prepared:
    """Make a frame of our own from `frame`, which is not changed.

    Parameters
    ----------
    frame
        A ``pandas.DataFrame``.
    drop_index
        Whether to leave the index out.
    """
    names = column_names.of(frame, with_index=is_shown(frame.index) and not drop_index)
    parts = [frame.index.get_level_values(level) for level in range(len(names.index))]
    index = pd.RangeIndex(len(frame))
    made, instants, changes = [], {}, _Changes()
    if names.changed:
        changes.note("names made different", names.changed)
    all_names = [*names.index, *names.columns]
    for position, name in enumerate(all_names):
        level = position < len(parts)
        if level:  # its type is named because pandas 2 would look for another one for objects
            column = pd.Series(parts[position], dtype=parts[position].dtype)
        else:
            column = frame.iloc[:, position - len(parts)]
        column = column.set_axis(index)
        converted = columns.convert(column)
        if converted.says:
            changes.note(converted.says, [name])
        if converted.instants is not None:
            instants[name] = converted.instants
        # None stands for a column that is unchanged.
        made.append(None if converted.column is column and not level else converted.column)
    ours = _assemble(frame, made, len(parts), index)
    ours.columns = pd.Index(all_names, dtype=object)
    return Prepared(ours, names.index, changes.text(), instants)


def is_shown(index: Any) -> bool:
    """Whether an index is more than just row numbers."""
    named = any(name is not None for name in index.names)
    return named or not index.equals(pd.RangeIndex(len(index)))


def _assemble(frame: Any, made: list[Any], levels: int, index: Any) -> Any:
    """Put columns together, in the blocks of `frame` where they have not changed."""
    ours = pd.DataFrame(frame, copy=False).set_axis(index).copy(deep=False)
    ours.columns = pd.RangeIndex(ours.shape[1])
    for position, column in enumerate(made[levels:]):
        if column is not None:
            ours.isetitem(position, column)
    for position, column in enumerate(made[:levels]):
        ours.insert(position, f"level {position}", column)
    return ours


class _Changes:
    """What was changed, grouped by what to say about it."""

    def __init__(self) -> None:
        self._columns: dict[str, list[str]] = {}

    def note(self, says: str, names: list[str]) -> None:
        self._columns.setdefault(says, []).extend(names)

    def text(self) -> str:
        return "; ".join(f"{_listed(names)}: {says}" for says, names in self._columns.items())


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
