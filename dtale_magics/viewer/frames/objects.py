"""A column of Python objects: which type they have in common."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dtale_magics.viewer.frames.texts import gaps

if TYPE_CHECKING:
    from collections.abc import Callable

_INT64 = (-(2**63), 2**63 - 1)
_UINT64 = 2**64 - 1


def typed(column: Any) -> Any:
    """Find the type that objects have in common.

    Returns
    -------
    pandas.Series or None
        The column with that type; the column itself if D-Tale shows its objects as they are; None
        if they can only be shown as text.
    """
    kind = pd.api.types.infer_dtype(column, skipna=True)
    ways: dict[str, Callable[[Any], Any]] = {
        "string": _strings,
        "empty": _itself,
        "boolean": _itself,
        "date": _days,
        "time": _times,
        "integer": _whole_numbers,
        "integer-na": _whole_numbers,
        "floating": _real_numbers,
        "mixed-integer-float": _real_numbers,
        "decimal": _decimals,
        "datetime": _moments,
        "datetime64": _moments,
        "timedelta": _durations,
        "timedelta64": _durations,
        "period": pd.PeriodIndex,
        "interval": pd.arrays.IntervalArray,
    }
    if kind not in ways:
        return None
    try:
        found = ways[kind](column)
    except Exception:  # noqa: BLE001 (pandas has many reasons, such as several frequencies)
        return None
    if found is None or found is column:
        return found
    return pd.Series(found).set_axis(column.index)


def _itself(column: Any) -> Any:
    return column


def _strings(column: Any) -> Any:
    values = column.to_numpy()
    # Text with half of a surrogate pair cannot be sent.
    "".join(str.__str__(one) for one in values[~gaps(column)]).encode()
    if all(type(one) is str or not isinstance(one, str) for one in values):
        return column
    # Members of an enumeration, for example, whose text differs from place to place.
    return _objects([str.__str__(one) if isinstance(one, str) else one for one in values])


def _days(column: Any) -> Any:
    """Keep days, unless there are moments among them, which cannot be compared with days."""
    values = column[~gaps(column)]
    return None if any(isinstance(one, dt.datetime) for one in values) else column


def _times(column: Any) -> Any:
    """Keep times, unless only some have a zone: those cannot be compared with the others."""
    zoned = {one.tzinfo is not None for one in column[~gaps(column)]}
    return None if len(zoned) > 1 else column


def _durations(column: Any) -> Any:
    return pd.to_timedelta(column)


def _whole_numbers(column: Any) -> Any:
    missing = column.isna()
    whole = [int(one) for one in column[~missing]]
    if not whole:
        return column
    smallest, greatest = min(whole), max(whole)
    any_missing = bool(missing.any())
    if smallest >= _INT64[0] and greatest <= _INT64[1]:
        dtype: Any = "Int64" if any_missing else "int64"
    elif smallest >= 0 and greatest <= _UINT64:
        dtype = "UInt64" if any_missing else "uint64"
    else:
        return None
    if not any_missing:
        return pd.Series(whole, dtype=dtype)
    numbers = pd.array([pd.NA] * len(column), dtype=dtype)
    numbers[~missing.to_numpy()] = pd.array(whole, dtype=dtype)
    return numbers


def _real_numbers(column: Any) -> Any:
    """Turn objects into floats, unless that would round one of them."""
    missing = gaps(column)
    values = np.full(len(column), np.nan)
    values[~missing] = [float(one) for one in column[~missing]]
    same = all(
        one == float(number)  # compared with a NumPy float, Python's whole numbers get rounded
        for one, number in zip(column[~missing], values[~missing], strict=True)
    )
    return values if same else None


def _decimals(column: Any) -> Any:
    """Keep decimals, which are exact and sort as numbers, unless one cannot be compared."""
    missing = gaps(column)
    values = column[~missing]
    if all(isinstance(one, decimal.Decimal) and not one.is_nan() for one in values):
        return column if not missing.any() else column.where(~missing, None)
    return None


def _moments(column: Any) -> Any:
    """Turn objects into dates; if they are of several zones, into text, each with its own."""
    missing = gaps(column)
    values = list(column[~missing])
    zones = {str(getattr(one, "tzinfo", None)) for one in values}
    if len(zones) > 1 or not all(isinstance(one, dt.datetime) for one in values):
        return None
    unit: Any = "ns" if any(getattr(one, "nanosecond", 0) for one in values) else "us"
    if values[0].tzinfo is not None:
        return pd.DatetimeIndex(list(column)).as_unit(unit)
    dtype: Any = f"M8[{unit}]"
    return pd.array(list(column.where(~missing, None)), dtype=dtype)


def _objects(values: list[Any]) -> Any:
    return pd.Series(values, dtype=object)
