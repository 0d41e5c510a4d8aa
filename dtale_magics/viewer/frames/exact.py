"""The grid's cells as the values are: what D-Tale sends to its page, digit by digit.

A browser has only doubles, so a whole number that they cannot hold is sent as text; ``exact.js``
shows text in a column of numbers as it is. Dates keep their nanoseconds and zone, floats their last
digits and sign.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Cell = Callable[[Any], Any]

_LARGEST = 2**53 - 1
"""Whole numbers up to this are what JavaScript calls safe integers."""

_DAY_LENGTH = len("2024-01-01")


class GridFormatter:
    """Turns rows into JSON values, as ``dtale.utils.JSONFormatter`` does.

    Parameters
    ----------
    columns
        D-Tale's descriptions of the columns, in the order of the rows' values.
    missing
        What stands for a missing value.
    classify
        ``dtale.utils.classify_type``.
    instants
        Columns with their time zone, by name and row label; D-Tale's own have the local time.
    """

    def __init__(
        self,
        columns: Iterable[Mapping[str, Any]],
        missing: Any,
        classify: Callable[[str], str],
        instants: Mapping[str, Any],
    ) -> None:
        self._missing = missing
        self._instants = instants
        self._cells = [
            (place, column["name"], self._cell(column["dtype"], classify))
            for place, column in enumerate(columns, 1)
        ]

    def format_dicts(self, rows: Iterable[Any]) -> list[dict[str, Any]]:
        """Make a dictionary of each row; the first value of a row is its label."""
        return [self.format_dict(row) for row in rows]

    def format_dict(self, row: Any) -> dict[str, Any]:
        """Make a dictionary of one row."""
        made = {}
        for place, name, cell in self._cells:
            value = row[place]
            if _is_missing(value):
                made[name] = self._missing
            elif name in self._instants:
                made[name] = self._with_zone(name, row[0], value) or cell(value)
            else:
                made[name] = cell(value)
        return made

    def _cell(self, dtype: str, classify: Callable[[str], str]) -> Cell:
        kind = classify(dtype)
        if kind == "I":
            return whole_number
        if kind == "F":
            return _short_float if dtype == "float32" else real_number
        if kind == "D":
            return moment
        return self._text

    def _text(self, value: Any) -> str:
        text = str(value)
        # Text that looks like a missing value is put in quotes to tell it apart.
        return f'"{text}"' if text == self._missing else text

    def _with_zone(self, name: str, label: Any, local: Any) -> str | None:
        """Write a local time with its offset; None if it was edited meanwhile."""
        instants = self._instants[name]
        try:
            instant = instants.iloc[label]
            if instant.tz_localize(None) != local:
                return None
        except (IndexError, TypeError, ValueError, AttributeError):
            return None
        return f"{moment(instant, whole=True)}{_offset(instant)}"


def whole_number(value: Any) -> Any:
    """Return a whole number, as text if a browser would round it."""
    number = int(value)
    return number if -_LARGEST <= number <= _LARGEST else str(number)


def real_number(value: Any) -> Any:
    """Return a float with all its digits; JSON has no infinite ones."""
    number = float(value)
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return number


def _short_float(value: Any) -> Any:
    """Return a four-byte float with the digits that it has, and no others."""
    number = float(value)
    # NumPy writes 123456792 as 123456790.0, because no other four-byte float is nearer to that.
    whole = number.is_integer() and abs(number) <= _LARGEST
    return number if whole else real_number(str(np.float32(value)))


def moment(value: Any, *, whole: bool = False) -> str:
    """Write a date as D-Tale does: with time and fraction if it has them, or if `whole` is set."""
    stamp = value if isinstance(value, pd.Timestamp) else pd.Timestamp(value)
    day = f"{stamp.year:04d}-{stamp.month:02d}-{stamp.day:02d}"
    text = f"{day} {stamp.hour:02d}:{stamp.minute:02d}:{stamp.second:02d}"
    if stamp.nanosecond:
        return f"{text}.{stamp.microsecond:06d}{stamp.nanosecond:03d}"
    if stamp.microsecond:
        return f"{text}.{stamp.microsecond:06d}"
    return text if whole or not text.endswith(" 00:00:00") else day


def written(data: Any, instants: Mapping[str, Any], *, as_text: bool) -> Any:
    """Return values for saving or copying, with their zones and all of their digits.

    Parameters
    ----------
    data
        A ``pandas.DataFrame``, which is not changed.
    instants
        As for `GridFormatter`; a column that was edited meanwhile has local times.
    as_text
        Whether pandas will write text; then four-byte floats are made longer.
    """
    changed = {}
    for name in data.columns:
        column = data[name]
        if name in instants:
            whole = instants[name].reindex(data.index)
            if whole.dt.tz_localize(None).equals(column):
                changed[name] = whole
        elif as_text and column.dtype == "float32":
            changed[name] = column.map(_short_float, na_action="ignore").astype("f8")
    if not changed:
        return data
    data = data.copy(deep=False)
    for name, column in changed.items():
        data[name] = column
    return data


def _offset(instant: Any) -> str:
    """Write a zone's offset from UTC; before there were time zones, it had seconds."""
    clock: str = instant.isoformat()[_DAY_LENGTH:]
    return clock[max(clock.rfind("+"), clock.rfind("-")) :]


def local_time(text: str, instants: Any) -> str:
    """Turn a time with an offset, typed into a cell, into the local time of its column."""
    try:
        stamp = pd.Timestamp(text)
    except ValueError:
        return text
    if stamp.tz is None:
        return text
    return stamp.tz_convert(instants.dt.tz).tz_localize(None).isoformat(" ")


def _is_missing(value: Any) -> bool:
    missing = pd.isna(value)
    return missing is True or (not hasattr(missing, "__len__") and bool(missing))
