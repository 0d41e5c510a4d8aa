"""Values as text, and which of them are missing."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pandas as pd


def as_text(column: Any) -> Any:
    """Write every value as text; missing ones stay missing."""
    missing = gaps(column)
    values = [None if gap else text_of(one) for one, gap in zip(column, missing, strict=True)]
    return pd.Series(values, index=column.index, dtype=object)


def gaps(column: Any) -> Any:
    """Tell which values are missing."""
    try:
        return column.isna().to_numpy(dtype=bool)
    except decimal.InvalidOperation:  # a signalling NaN may not be compared
        return np.array([_is_gap(one) for one in column], dtype=bool)


def _is_gap(value: Any) -> bool:
    if isinstance(value, decimal.Decimal):
        return value.is_qnan()
    missing = pd.isna(value)
    return missing is True


def text_of(value: Any) -> str:
    """Write one value as text that can be sent."""
    try:
        if isinstance(value, dt.datetime):
            value = value.isoformat(" ")
        text = str(value)
    except Exception as error:  # noqa: BLE001 (the value may be of any class)
        text = f"<{type(value).__name__}: its text is a {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
