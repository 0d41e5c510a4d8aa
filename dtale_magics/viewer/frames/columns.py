"""One column, in a form in which D-Tale shows its values as they are."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dtale_magics.viewer.frames import objects
from dtale_magics.viewer.frames.texts import as_text, text_of
from dtale_magics.viewer.readers import arrow

_AS_TEXT = "as text"
_FIRST_MOMENT = "periods by their first moment"
_YEARS = (dt.MINYEAR, dt.MAXYEAR)
_DENSE_BYTES = 2**30


class Converted(NamedTuple):
    """What became of a column.

    Attributes
    ----------
    column
        The new column, or the given one if it can stay.
    says
        What is different for the reader; empty if nothing is.
    instants
        The column with its time zone, if `column` has lost it.
    """

    column: Any
    says: str = ""
    instants: Any = None


def convert(column: Any) -> Converted:
    """Bring a column into a form that D-Tale shows as it is; `column` is not changed."""
    for kind, way in (
        (pd.ArrowDtype, _arrow),
        (pd.DatetimeTZDtype, _zoned),
        (pd.PeriodDtype, _periods),
        (pd.IntervalDtype, _intervals),
        (pd.SparseDtype, _sparse),
        (pd.CategoricalDtype, _category),
        (pd.Float32Dtype, _real),
        (pd.Float64Dtype, _real),
    ):
        if isinstance(column.dtype, kind):
            return way(column)
    if not isinstance(column.dtype, np.dtype):
        return Converted(column) if _is_known(column.dtype) else _of_others(column)
    if not column.dtype.isnative:
        native = column.dtype.newbyteorder("=")
        column = pd.Series(column.to_numpy().astype(native), column.index)
    ways = {
        "O": _objects,
        "S": _of_others,
        "U": _of_others,
        "V": _of_others,
        "f": _floats,
        "c": _to_text,
        "M": _dates,
    }
    return ways.get(column.dtype.kind, Converted)(column)


def _is_known(dtype: Any) -> bool:
    """Whether this is one of pandas' own types that D-Tale shows as they are."""
    is_pandas = type(dtype).__module__.partition(".")[0] == "pandas"
    types = pd.api.types
    return is_pandas and (
        isinstance(dtype, pd.StringDtype)
        or types.is_integer_dtype(dtype)
        or types.is_bool_dtype(dtype)
    )


def _of_others(column: Any) -> Converted:
    """Read, one by one, values of a type that is another library's or unknown to D-Tale."""
    values = list(column)
    held: Any = pd.array([None] * len(values), dtype=object)
    for place, value in enumerate(values):  # all at once, NumPy would unpack lists
        held[place] = value
    return convert(pd.Series(held, column.index))


def _objects(column: Any) -> Converted:
    typed = objects.typed(column)
    if typed is None:
        return _to_text(column)
    return Converted(typed) if typed.dtype == column.dtype else convert(typed)


def _arrow(column: Any) -> Converted:
    import pyarrow as pa

    plain = arrow.series(pa.chunked_array(column.array.__arrow_array__()))
    return convert(plain.set_axis(column.index))


def _zoned(column: Any) -> Converted:
    local = column.dt.tz_localize(None)
    far = _dates(local)
    if not far.says:
        return Converted(local, instants=column)
    # Outside Python's years, pandas knows offsets of most zones but does not write them.
    offsets = local - column.dt.tz_convert("UTC").dt.tz_localize(None)
    texts = [
        None if text is None else f"{text}{_offset(offset)}"
        for text, offset in zip(far.column, offsets, strict=True)
    ]
    return Converted(pd.Series(texts, column.index, dtype=object), far.says)


def _offset(offset: pd.Timedelta) -> str:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.timezone(offset.to_pytimedelta()))
    return moment.isoformat().removeprefix("1970-01-01T00:00:00")


def _real(column: Any) -> Converted:
    """Turn nullable floats into NumPy's: D-Tale knows only one kind of missing float."""
    values = column.array.to_numpy(column.dtype.numpy_dtype, na_value=np.nan)
    return Converted(pd.Series(values, column.index))


def _periods(column: Any) -> Converted:
    try:
        moments = column.dt.to_timestamp()
    except (ValueError, OverflowError):
        return _to_text(column)
    return _to_text(column) if _dates(moments).says else Converted(moments, _FIRST_MOMENT)


def _to_text(column: Any) -> Converted:
    return Converted(as_text(column), _AS_TEXT)


def _intervals(column: Any) -> Converted:
    return Converted(_ordered_text(column))


def _sparse(column: Any) -> Converted:
    """Make a column dense, as D-Tale needs numbers to be, unless that would be too large."""
    dense = len(column) * np.dtype(column.dtype.subtype).itemsize
    return convert(column.sparse.to_dense()) if dense <= _DENSE_BYTES else Converted(column)


def _ordered_text(column: Any) -> Any:
    """Write values as text that sorts in the same order as they do."""
    codes, values = pd.factorize(column.array, sort=True)
    texts: Any = [text_of(one) for one in values]
    return pd.Series(
        pd.Categorical.from_codes(codes, texts, ordered=True),
        index=column.index,
    )


def _category(column: Any) -> Converted:
    categories = column.cat.categories
    if pd.api.types.infer_dtype(categories) in {"string", "boolean"} or (
        pd.api.types.is_numeric_dtype(categories.dtype)
    ):
        return Converted(column)
    texts = [text_of(one) for one in categories]
    if len(set(texts)) < len(texts):
        return _to_text(column)
    return Converted(column.cat.rename_categories(texts))


def _dates(column: Any) -> Converted:
    """Keep dates that Python also has; write those beyond the year 9999 as text."""
    values = column.to_numpy()
    if np.datetime_data(values.dtype)[0] == "ns" or np.isnat(values).all():
        return Converted(column)
    first, last = np.nanmin(values), np.nanmax(values)
    years = [one.astype("M8[Y]").astype(int) + 1970 for one in (first, last)]
    if years[0] >= _YEARS[0] and years[1] <= _YEARS[1]:
        return Converted(column)
    texts = np.datetime_as_string(values).astype(object)
    texts = np.array([text.replace("T", " ") for text in texts], dtype=object)
    texts[np.isnat(values)] = None
    return Converted(pd.Series(texts, column.index, dtype=object), _AS_TEXT)


def _floats(column: Any) -> Converted:
    values = column.to_numpy()
    if values.dtype == "f2":  # pandas exports only three of their digits
        return Converted(column.astype("f4"))
    if values.dtype.itemsize <= np.dtype("f8").itemsize:
        return Converted(column)
    doubles = values.astype("f8")
    if ((doubles == values) | np.isnan(values)).all():
        return Converted(pd.Series(doubles, column.index))
    texts = [None if np.isnan(one) else str(one) for one in values]
    return Converted(pd.Series(texts, column.index, dtype=object), _AS_TEXT)
