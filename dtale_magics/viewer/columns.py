"""One column, in the form in which D-Tale shows its values as they are."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any, NamedTuple

_AS_TEXT = "as text"
_FIRST_MOMENT = "periods by their first moment"
_INT64 = (-(2**63), 2**63 - 1)
_UINT64 = 2**64 - 1
_YEARS = (dt.MINYEAR, dt.MAXYEAR)
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
        return Converted(column)
    if not column.dtype.isnative:
        native = column.dtype.newbyteorder("=")
        column = pd.Series(column.to_numpy().astype(native), column.index)
    ways = {"O": _objects, "f": _floats, "c": _to_text, "M": _dates}
    return ways.get(column.dtype.kind, Converted)(column)


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
        if isinstance(value, dt.datetime):
            value = value.isoformat(" ")
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
    local = column.dt.tz_localize(None)
    return _to_text(column) if _dates(local).says else Converted(local, instants=column)


def _real(column: Any) -> Converted:
    """Make NumPy's floats of nullable ones: D-Tale knows one kind of missing value there."""
    import numpy as np  # noqa: PLC0415 (imported by then)
    import pandas as pd  # noqa: PLC0415 (imported by then)

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
    """Make a column dense, which numbers have to be for D-Tale, unless that is too large."""
    import numpy as np  # noqa: PLC0415 (imported by then)

    dense = len(column) * np.dtype(column.dtype.subtype).itemsize
    return convert(column.sparse.to_dense()) if dense <= _DENSE_BYTES else Converted(column)


def _ordered_text(column: Any) -> Any:
    """Write values as text that is sorted as they are."""
    import pandas as pd  # noqa: PLC0415 (imported by then)

    codes, values = pd.factorize(column.array, sort=True)
    texts: Any = [_text(one) for one in values]
    return pd.Series(
        pd.Categorical.from_codes(codes, texts, ordered=True),
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
        return _to_text(column)
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


def _floats(column: Any) -> Converted:
    import numpy as np  # noqa: PLC0415 (imported by then)
    import pandas as pd  # noqa: PLC0415 (imported by then)

    values = column.to_numpy()
    if values.dtype.itemsize <= np.dtype("f8").itemsize:
        return Converted(column)
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
    ways = {
        "string": _texts,
        "empty": Converted,
        "boolean": Converted,
        "date": _days,
        "time": Converted,
        "integer": _whole_numbers,
        "integer-na": _whole_numbers,
        "floating": _real_numbers,
        "mixed-integer-float": _real_numbers,
        "decimal": _decimals,
        "datetime": _moments,
        "datetime64": _moments,
        "timedelta": _durations,
        "timedelta64": _durations,
        "period": _period_objects,
        "interval": _interval_objects,
    }
    return ways.get(kind, _to_text)(column)


def _days(column: Any) -> Converted:
    """Keep days, unless there are moments among them, which cannot be compared to days."""
    mixed = any(isinstance(one, dt.datetime) for one in column[~gaps(column)])
    return _to_text(column) if mixed else Converted(column)


def _durations(column: Any) -> Converted:
    import pandas as pd  # noqa: PLC0415 (imported by then)

    return _or_text(column, lambda: Converted(pd.Series(pd.to_timedelta(column), column.index)))


def _period_objects(column: Any) -> Converted:
    import pandas as pd  # noqa: PLC0415 (imported by then)

    # Of several frequencies they are text.
    return _or_text(column, lambda: _periods(pd.Series(pd.PeriodIndex(column), column.index)))


def _interval_objects(column: Any) -> Converted:
    import pandas as pd  # noqa: PLC0415 (imported by then)

    def make() -> Converted:
        return _intervals(pd.Series(pd.arrays.IntervalArray(column), column.index))

    return _or_text(column, make)


def _texts(column: Any) -> Converted:
    import pandas as pd  # noqa: PLC0415 (imported by then)

    if not _is_encodable(column):
        return _to_text(column)
    values = column.to_numpy()
    if all(type(one) is str or not isinstance(one, str) for one in values):
        return Converted(column)
    # Members of an enumeration, say, whose text is another one in each place.
    plain = [str.__str__(one) if isinstance(one, str) else one for one in values]
    return Converted(pd.Series(plain, column.index, dtype=object))


def _or_text(column: Any, make: Any) -> Converted:
    try:
        converted: Converted = make()
    except Exception:  # noqa: BLE001 (pandas has many reasons)
        return _to_text(column)
    return converted


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
    any_missing = bool(missing.any())
    if smallest >= _INT64[0] and greatest <= _INT64[1]:
        dtype: Any = "Int64" if any_missing else "int64"
    elif smallest >= 0 and greatest <= _UINT64:
        dtype = "UInt64" if any_missing else "uint64"
    else:
        return _to_text(column)
    if not any_missing:
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
        return _to_text(column)
    same = all(
        one == float(number)  # to one of NumPy's, Python's whole numbers would be rounded
        for one, number in zip(column[~missing], values[~missing], strict=True)
    )
    if not same:
        return _to_text(column)
    return Converted(pd.Series(values, column.index))


def _decimals(column: Any) -> Converted:
    """Keep decimals, which are exact and sorted as numbers, unless one cannot be compared."""
    missing = gaps(column)
    values = column[~missing]
    if all(isinstance(one, decimal.Decimal) and not one.is_nan() for one in values):
        return Converted(column if not missing.any() else column.where(~missing, None))
    return _to_text(column)


def _moments(column: Any) -> Converted:
    """Make dates of objects; of several zones they are text, each with its own."""
    import pandas as pd  # noqa: PLC0415 (imported by then)

    missing = gaps(column)
    values = list(column[~missing])
    zones = {str(getattr(one, "tzinfo", None)) for one in values}
    plain = all(isinstance(one, dt.datetime) for one in values)
    if len(zones) > 1 or not plain:
        return _to_text(column)
    unit: Any = "ns" if any(getattr(one, "nanosecond", 0) for one in values) else "us"
    zone = values[0].tzinfo
    try:
        if zone is None:
            dtype: Any = f"M8[{unit}]"
            moments: Any = pd.Series(pd.array(list(column.where(~missing, None)), dtype=dtype))
        else:
            moments = pd.Series(pd.DatetimeIndex(list(column)).as_unit(unit))
    except Exception:  # noqa: BLE001 (pandas has many reasons)
        return _to_text(column)
    return convert(moments.set_axis(column.index))
