"""One column, in the form in which D-Tale shows its values as they are."""

from __future__ import annotations

import datetime
import decimal
from typing import Any, NamedTuple

_AS_TEXT = "as text"
_FIRST_MOMENT = "periods by their first moment"
_INT64 = (-(2**63), 2**63 - 1)
_UINT64 = 2**64 - 1
_YEARS = (datetime.MINYEAR, datetime.MAXYEAR)
_DENSE_BYTES = 2**30


class Converted(NamedTuple):
    """What became of a column.

    Attributes
    ----------
    column
        The column itself if it can stay.
    says
        What is different for the reader; empty if nothing is.
    instants
        The column with its time zone, if it has lost that.
    """

    column: Any
    says: str = ""
    instants: Any = None


def convert(column: Any) -> Converted:
    """Bring a column into a form that D-Tale shows as it is; `column` stays what it was."""
    import numpy as np  # noqa: PLC0415 (imported by then)
    import pandas as pd  # noqa: PLC0415 (imported by then)

    dtype = column.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow(column)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _zoned(column)
    if isinstance(dtype, pd.PeriodDtype):
        return _periods(column)
    if isinstance(dtype, pd.IntervalDtype):
        return Converted(_ordered_text(column))
    if isinstance(dtype, pd.SparseDtype):
        dense = len(column) * np.dtype(dtype.subtype).itemsize <= _DENSE_BYTES
        return convert(column.sparse.to_dense()) if dense else Converted(column)
    if isinstance(dtype, pd.CategoricalDtype):
        return _category(column)
    if not isinstance(dtype, np.dtype):
        return Converted(column)
    if not dtype.isnative:
        values = column.to_numpy()
        column = pd.Series(values.astype(dtype.newbyteorder("=")), column.index)
        dtype = column.dtype
    if dtype.kind == "O":
        return _objects(column)
    if dtype.kind == "f" and dtype.itemsize > np.dtype("f8").itemsize:
        return _long_doubles(column)
    if dtype.kind == "c":
        return Converted(as_text(column), _AS_TEXT)
    if dtype.kind == "M":
        return _dates(column)
    return Converted(column)


def as_text(column: Any) -> Any:
    """Write every value as text; missing ones stay missing."""
    import pandas as pd  # noqa: PLC0415 (imported by then)

    missing = gaps(column)
    values = [None if gap else _text(one) for one, gap in zip(column, missing, strict=True)]
    return pd.Series(values, index=column.index, dtype=object)


def gaps(column: Any) -> Any:
    """Tell which values are missing."""
    import numpy as np  # noqa: PLC0415 (imported by then)

    try:
        return column.isna().to_numpy(dtype=bool)
    except decimal.InvalidOperation:  # a signalling NaN may not be compared
        return np.array([_is_gap(one) for one in column], dtype=bool)


def _is_gap(value: Any) -> bool:
    import pandas as pd  # noqa: PLC0415 (imported by then)

    if isinstance(value, decimal.Decimal):
        return value.is_qnan()
    missing = pd.isna(value)
    return missing is True


def _text(value: Any) -> str:
    try:
        if isinstance(value, datetime.datetime | datetime.date | datetime.time):
            value = value.isoformat(*(" ",) if isinstance(value, datetime.datetime) else ())
        text = str(value)
    except Exception as error:  # noqa: BLE001 (of whatever class it is)
        text = f"<{type(value).__name__}: its text is a {type(error).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _arrow(column: Any) -> Converted:
    import pyarrow as pa  # noqa: PLC0415 (it is imported)

    from dtale_magics.viewer import arrow  # noqa: PLC0415 (for such columns only)

    plain = arrow.series(pa.chunked_array(column.array.__arrow_array__()))
    return convert(plain.set_axis(column.index))


def _zoned(column: Any) -> Converted:
    return Converted(column.dt.tz_localize(None), instants=column)


def _periods(column: Any) -> Converted:
    try:
        moments = column.dt.to_timestamp()
    except (ValueError, OverflowError):
        return Converted(as_text(column), _AS_TEXT)
    return Converted(moments, _FIRST_MOMENT)


def _ordered_text(column: Any) -> Any:
    """Write values as text that is sorted as they are."""
    import pandas as pd  # noqa: PLC0415 (imported by then)

    codes, values = pd.factorize(column.array, sort=True)
    return pd.Series(
        pd.Categorical.from_codes(codes, [_text(one) for one in values], ordered=True),
        index=column.index,
    )


def _category(column: Any) -> Converted:
    import pandas as pd  # noqa: PLC0415 (imported by then)

    categories = column.cat.categories
    if pd.api.types.infer_dtype(categories) in {"string", "boolean"} or (
        pd.api.types.is_numeric_dtype(categories.dtype)
    ):
        return Converted(column)
    texts = [_text(one) for one in categories]
    if len(set(texts)) < len(texts):
        return Converted(as_text(column), _AS_TEXT)
    return Converted(column.cat.rename_categories(texts))


def _dates(column: Any) -> Converted:
    """Keep dates that Python has as well; beyond the year 9999 they are text."""
    import numpy as np  # noqa: PLC0415 (imported by then)
    import pandas as pd  # noqa: PLC0415 (imported by then)

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


def _long_doubles(column: Any) -> Converted:
    import numpy as np  # noqa: PLC0415 (imported by then)
    import pandas as pd  # noqa: PLC0415 (imported by then)

    values = column.to_numpy()
    doubles = values.astype("f8")
    if ((doubles == values) | np.isnan(values)).all():
        return Converted(pd.Series(doubles, column.index))
    texts = [None if np.isnan(one) else str(one) for one in values]
    return Converted(pd.Series(texts, column.index, dtype=object), _AS_TEXT)


# ------------------------------------------------------------------- objects


def _objects(column: Any) -> Converted:
    """Find the type that objects have in common; text is what remains."""
    import pandas as pd  # noqa: PLC0415 (imported by then)

    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "string":
        return Converted(column) if _is_encodable(column) else Converted(as_text(column), _AS_TEXT)
    if kind in {"empty", "boolean", "date", "time"}:
        return Converted(column)
    if kind in {"integer", "integer-na"}:
        return _whole_numbers(column)
    if kind in {"floating", "mixed-integer-float"}:
        return _real_numbers(column)
    if kind == "decimal":
        return _decimals(column)
    if kind in {"datetime", "datetime64"}:
        return _moments(column)
    if kind in {"timedelta", "timedelta64"}:
        return _or_text(column, lambda: pd.Series(pd.to_timedelta(column), column.index))
    if kind == "period":
        try:
            return _periods(pd.Series(pd.PeriodIndex(column), column.index))
        except (ValueError, TypeError):  # of several frequencies
            return Converted(as_text(column), _AS_TEXT)
    if kind == "interval":
        try:
            return Converted(_ordered_text(pd.Series(pd.arrays.IntervalArray(column), column.index)))
        except (ValueError, TypeError):
            return Converted(as_text(column), _AS_TEXT)
    return Converted(as_text(column), _AS_TEXT)


def _or_text(column: Any, make: Any) -> Converted:
    try:
        return Converted(make())
    except Exception:  # noqa: BLE001 (pandas has many reasons)
        return Converted(as_text(column), _AS_TEXT)


def _is_encodable(column: Any) -> bool:
    """Whether text has no half of a surrogate pair in it, which nothing can be sent with."""
    missing = gaps(column)
    try:
        "".join(column.to_numpy()[~missing]).encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole_numbers(column: Any) -> Converted:
    import pandas as pd  # noqa: PLC0415 (imported by then)

    missing = column.isna()
    whole = [int(one) for one in column[~missing]]
    if not whole:
        return Converted(column)
    smallest, greatest = min(whole), max(whole)
    gaps = bool(missing.any())
    if smallest >= _INT64[0] and greatest <= _INT64[1]:
        dtype = "Int64" if gaps else "int64"
    elif smallest >= 0 and greatest <= _UINT64:
        dtype = "UInt64" if gaps else "uint64"
    else:
        return Converted(as_text(column), _AS_TEXT)
    if not gaps:
        return Converted(pd.Series(whole, column.index, dtype=dtype))
    numbers = pd.array([pd.NA] * len(column), dtype=dtype)
    numbers[~missing.to_numpy()] = pd.array(whole, dtype=dtype)
    return Converted(pd.Series(numbers, column.index))


def _real_numbers(column: Any) -> Converted:
    """Make floats of objects, unless that would round one of them."""
    import numpy as np  # noqa: PLC0415 (imported by then)
    import pandas as pd  # noqa: PLC0415 (imported by then)

    missing = gaps(column)
    values = np.full(len(column), np.nan)
    try:
        values[~missing] = [float(one) for one in column[~missing]]
    except OverflowError:
        return Converted(as_text(column), _AS_TEXT)
    same = all(one == number for one, number in zip(column[~missing], values[~missing], strict=True))
    if not same:
        return Converted(as_text(column), _AS_TEXT)
    return Converted(pd.Series(values, column.index))


def _decimals(column: Any) -> Converted:
    """Keep decimals, which are exact and sorted as numbers, unless one cannot be compared."""
    missing = gaps(column)
    values = column[~missing]
    if all(isinstance(one, decimal.Decimal) and not one.is_nan() for one in values):
        return Converted(column if not missing.any() else column.where(~missing, None))
    return Converted(as_text(column), _AS_TEXT)


def _moments(column: Any) -> Converted:
    """Make dates of objects; of several zones they are text, each with its own."""
    import pandas as pd  # noqa: PLC0415 (imported by then)

    missing = gaps(column)
    values = list(column[~missing])
    zones = {str(getattr(one, "tzinfo", None)) for one in values}
    plain = all(isinstance(one, datetime.datetime) for one in values)
    if len(zones) > 1 or not plain:
        return Converted(as_text(column), _AS_TEXT)
    unit = "ns" if any(getattr(one, "nanosecond", 0) for one in values) else "us"
    zone = values[0].tzinfo
    try:
        if zone is None:
            moments = pd.Series(pd.array(list(column.where(~missing, None)), dtype=f"M8[{unit}]"))
        else:
            moments = pd.Series(pd.DatetimeIndex(list(column)).as_unit(unit))
    except Exception:  # noqa: BLE001 (pandas has many reasons)
        return Converted(as_text(column), _AS_TEXT)
    return convert(moments.set_axis(column.index))
