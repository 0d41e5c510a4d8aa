"""The way back from D-Tale's frame to one like the user's, with its index and column names.

D-Tale turns the index into columns and column names into text, and drops time zones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_SAMPLE = 1000
"""Number of objects in a column that are measured; the rest are assumed to be like them."""


@dataclass(frozen=True)
class Origin:
    """What a frame was to the user.

    Attributes
    ----------
    is_series
        Whether it was one column without a frame.
    columns
        Names of the columns; None if it had none, as an array.
    columns_name
        Names of the levels of the columns.
    index_names
        Names of the levels of the index.
    zones
        Time zones: of columns by position, of index levels by ``-1``, ``-2`` ….
    """

    is_series: bool = False
    columns: tuple[Hashable, ...] | None = None
    columns_name: tuple[Hashable, ...] = ()
    index_names: tuple[Hashable, ...] = ()
    zones: dict[int, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: Any) -> Origin:
        """Describe whatever the user shows."""
        is_series = isinstance(frame, pd.Series)
        if is_series:
            frame = frame.to_frame()
        elif not isinstance(frame, pd.DataFrame):
            return cls()
        zones = {
            position: dtype.tz
            for position, dtype in enumerate(frame.dtypes)
            if isinstance(dtype, pd.DatetimeTZDtype)
        }
        levels = frame.index.levels if isinstance(frame.index, pd.MultiIndex) else [frame.index]
        zones |= {
            -1 - position: level.dtype.tz
            for position, level in enumerate(levels)
            if isinstance(level.dtype, pd.DatetimeTZDtype)
        }
        return cls(
            is_series,
            tuple(frame.columns),
            tuple(frame.columns.names),
            tuple(frame.index.names),
            zones,
        )

    def restore(self, data: Any, layout: Sequence[str], indexes: Sequence[str]) -> Any:
        """Turn `data`, as D-Tale has it, into what the user would have made.

        Parameters
        ----------
        data
            Rows and columns, filtered or not; it is not changed.
        layout
            D-Tale's names of the columns when the frame was shown, those of the index first.
        indexes
            The names among them that are the index.
        """
        if self.columns is None:
            return data.copy()
        own = [name for name in layout if name not in indexes]
        known = dict(zip(own, self.columns, strict=False)) if len(own) == len(self.columns) else {}
        zones = {name: self.zones.get(place) for place, name in enumerate(own)}
        levels = [name for name in self.index_names if name is not None]
        if len(indexes) == len(self.index_names):
            zones |= {name: self.zones.get(-1 - place) for place, name in enumerate(indexes)}
        data = data.copy()
        for name, zone in zones.items():
            if zone is not None and name in data and data[name].dtype.kind == "M":
                data[name] = _in_zone(data[name], zone)
        has_index = bool(indexes) and all(name in data for name in indexes)
        if has_index:
            data = data.set_index(list(indexes))
            data.index.names = levels if len(levels) == len(indexes) else [None] * len(indexes)
        data.columns = self._columns([known.get(name, name) for name in data.columns])
        if self.is_series and len(data.columns) == 1:
            series = data.iloc[:, 0]
            series.name = self.columns[0] if known else series.name
            return series
        return data

    def _columns(self, names: list[Any]) -> Any:
        if len(self.columns_name) > 1 and all(isinstance(name, tuple) for name in names):
            return pd.MultiIndex.from_tuples(names, names=self.columns_name)
        name = self.columns_name[0] if len(self.columns_name) == 1 else None
        return pd.Index(names, name=name, tupleize_cols=False)


def _in_zone(column: Any, zone: Any) -> Any:
    """Give wall times their zone again; leave the column as it is if one is ambiguous in it."""
    try:
        return column.dt.tz_localize(zone)
    except (ValueError, TypeError):
        return column


def memory_of(data: Any) -> int:
    """Estimate the bytes that the values of a frame take."""
    total = int(data.index.memory_usage())
    for name in data.columns:
        column = data[name]
        size = int(column.memory_usage(index=False, deep=False))
        if column.dtype == object and len(column):
            step = max(1, len(column) // _SAMPLE)
            sample = list(itertools.islice(column.iloc[::step], _SAMPLE))
            size += sum(one.__sizeof__() for one in sample) * len(column) // len(sample)
        total += size
    return total
