"""D-Tale's description of columns, the same values from vectorised code.

D-Tale calls Python for each date of a column (7 µs each), looks for the smallest and greatest value
of columns of which it uses neither, and hashes what is quicker sorted. `install` replaces the
functions of ``dtale.views`` that do so; first shows, filter changes, edited cells and dropped rows
all pass them.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Replace = Callable[[ModuleType, str, object], None]

_DAY = 86_400
_NOON = 43_200
_YEAR_1, _YEAR_9999 = -719_162, 2_932_896
"""First and last day that Python's dates have, counted from 1970-01-01."""

_DENSE_DAYS = 100_000
"""A range with more days than that is looked at where there are dates alone."""

_MANY = 10_000
"""Below that, hashing is as quick as sorting."""

_SPREAD = 4
"""So many times as far as they are many, whole numbers may be apart to be counted one by one."""

_HALF = 0.5
_HALF_WORD = 4

_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_NEVER_BLANK = frozenset({"date", "decimal", "time"})
"""What ``infer_dtype`` calls objects whose text has always something in it."""


def install(views: ModuleType, replace: Replace) -> None:
    """Let D-Tale describe columns by the functions of this module.

    Parameters
    ----------
    views
        ``dtale.views``.
    replace
        Replaces an attribute of a module.
    """
    for make in (_apply, _unique_count, _calc_data_ranges, _calc_outlier_range, _dtype_formatter):
        name = make.__name__[1:]
        replace(views, name, make(views, getattr(views, name)))


def _apply(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    del views

    def apply(values: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        import pandas as pd  # noqa: PLC0415 (imported by then)

        # D-Tale applies one function to dates in this module: that of their time stamps.
        if isinstance(values, pd.Series) and _kind(values) == "M" and len(values):
            return timestamps(values)
        return original(values, function, *args, **kwargs)

    return apply


def _unique_count(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    del views

    def unique_count(values: Any) -> Any:
        order = order_of(values)
        return original(values) if order is None else order.unique

    return unique_count


def _calc_data_ranges(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def calc_data_ranges(data: Any, dtypes: Any = None) -> Any:
        import pandas as pd  # noqa: PLC0415 (imported by then)

        # D-Tale uses ranges of numbers only, but gives up all of them where one column has none.
        safe = dtypes and all(
            _kind_of(dtype) in {*"biufmM"}
            or isinstance(dtype, pd.CategoricalDtype | pd.StringDtype)
            for dtype in data.dtypes
        )
        if not safe:
            return original(data, dtypes or {})
        numbers = [name for name in data.columns if views.classify_type(dtypes.get(name)) in "FI"]
        return {
            name: {"min": _python(column.min()), "max": _python(column.max())}
            for name, column in ((name, data[name]) for name in numbers)
        }

    return calc_data_ranges


def _calc_outlier_range(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    del views

    def calc_outlier_range(values: Any) -> Any:
        # Floats of four bytes go another way in pandas, and are rounded differently there.
        order = None if values.dtype == "float32" else order_of(values)
        if order is None or not order.count or order.kind == "M":
            return original(values)
        lower, upper = order.quantile(0.25), order.quantile(0.75)
        spread = upper - lower
        return lower - 1.5 * spread, upper + 1.5 * spread

    return calc_outlier_range


def _dtype_formatter(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def dtype_formatter(data: Any, dtypes: Any, data_ranges: Any, prev_dtypes: Any = None) -> Any:
        import numpy as np  # noqa: PLC0415 (imported by then)

        describe = original(data, dtypes, data_ranges, prev_dtypes)

        def described(index: int, name: str) -> dict[str, Any]:
            if dtypes.get(name) not in _NEVER_BLANK or data[name].isna().any():
                try:
                    with np.errstate(all="ignore"):  # a range may be wider than a float
                        return _plain(describe(index, name))  # type: ignore[no-any-return]
                finally:
                    _last.clear()
            before = (prev_dtypes or {}).get(name, {})
            return {
                "name": name,
                "dtype": dtypes[name],
                "index": index,
                "visible": before.get("visible", True),
                "hasOutliers": 0,
                "hasMissing": 0,
                "unique_ct": views.unique_count(data[name]),
            }

        return described

    return dtype_formatter


# ------------------------------------------------------------------- in order


class _Last(threading.local):
    """The column that this thread described last: D-Tale asks twice of each."""

    values: Any = None
    order: Order | None = None

    def clear(self) -> None:
        self.values = self.order = None


_last = _Last()


class Order:
    """What is known of a column's values once they are in order.

    Attributes
    ----------
    kind
        Of their NumPy type.
    count
        How many there are, without the missing ones.
    unique
        How many different ones.
    """

    def __init__(self, values: Any) -> None:
        import numpy as np  # noqa: PLC0415 (imported by then)

        self.kind = values.dtype.kind
        gaps = 0
        if self.kind == "M":
            values = values.view("i8")
            gaps = int(np.count_nonzero(values == np.iinfo("i8").min))
        elif self.kind == "f":
            gaps = int(np.count_nonzero(np.isnan(values)))
        self.count = len(values) - gaps
        self._first, self._ends, self._sorted = 0, None, None
        if self.kind in "iu" and self._is_narrow(values):
            near = values - values.min() if self._first else values
            counts = np.bincount(near.astype("i8", copy=False))
            self.unique = int(np.count_nonzero(counts))
            self._ends = np.cumsum(counts)
            return
        ordered = np.sort(values)  # NaN comes last, NaT first
        ordered = ordered[gaps:] if self.kind == "M" else ordered[: self.count]
        self.unique = int(np.count_nonzero(ordered[1:] != ordered[:-1])) + bool(self.count)
        self._sorted = ordered

    def _is_narrow(self, values: Any) -> bool:
        """Whether whole numbers lie so close together that each can be counted."""
        smallest, greatest = int(values.min()), int(values.max())
        self._first = smallest
        return (
            greatest - smallest <= _SPREAD * len(values) and -(2**62) < smallest <= greatest < 2**62
        )

    def quantile(self, part: float) -> Any:
        """Interpolate as NumPy does, with the same operations."""
        import numpy as np  # noqa: PLC0415 (imported by then)

        position = (self.count - 1) * part
        place = int(position)
        share = position - place
        with np.errstate(invalid="ignore"):  # infinite numbers, as in pandas
            lower, upper = self._at(place), self._at(min(place + 1, self.count - 1))
            step = upper - lower
            return np.float64(lower + step * share if share < _HALF else upper - step * (1 - share))

    def _at(self, place: int) -> Any:
        import numpy as np  # noqa: PLC0415 (imported by then)

        if self._ends is None:
            assert self._sorted is not None
            return self._sorted[place]
        return np.int64(self._first + int(np.searchsorted(self._ends, place, "right")))


def order_of(values: Any) -> Order | None:
    """Put a column in order; None where that is not quicker than what D-Tale does."""
    kind = _kind(values)
    if len(values) <= _MANY or kind not in {*"iufM"} or values.dtype.itemsize < _HALF_WORD:
        return None
    if _last.values is not values:
        _last.values, _last.order = values, Order(values.to_numpy())
    return _last.order


# ----------------------------------------------------------------- time stamps


def timestamps(dates: Any) -> Any:
    """Return what D-Tale's ``json_timestamp`` gives for each of a column of naive dates.

    That is milliseconds since 1970 of the local time that they name. A local time that occurs twice
    is taken as the first, one that is left out as if the clock had not been changed yet. (glibc's
    ``mktime``, which D-Tale calls, goes there by what it was asked the time before.) NaN where
    there is no date, or none that Python has.
    """
    import numpy as np  # noqa: PLC0415 (imported by then)
    import pandas as pd  # noqa: PLC0415 (imported by then)

    values = dates.to_numpy()
    ticks = _UNITS[np.datetime_data(values.dtype)[0]]
    whole = values.view("i8")
    missing = whole == np.iinfo("i8").min
    any_missing = bool(missing.any())
    good = whole[~missing] if any_missing else whole
    if not len(good):
        return pd.Series(np.full(len(whole), np.nan), index=dates.index, name=dates.name)
    seconds, rest = np.divmod(good, ticks)
    micro = rest // (ticks // 1_000_000) if ticks >= 1_000_000 else rest * (1_000_000 // ticks)  # noqa: PLR2004
    days = seconds // _DAY
    outside = (days < _YEAR_1) | (days > _YEAR_9999)
    # The same operations in the same order as D-Tale's, so that the floats are the same.
    result = (seconds + _offsets(seconds, days, outside)).astype("f8")
    result += micro / 1_000_000.0
    result *= 1000
    if outside.any():
        result = np.where(outside, np.nan, np.trunc(result))
    elif not any_missing:
        return pd.Series(result.astype("i8"), index=dates.index, name=dates.name)
    else:
        result = result.astype("i8")
    if any_missing:
        full = np.full(len(whole), np.nan)
        full[~missing] = result
        result = full
    return pd.Series(result, index=dates.index, name=dates.name)


def _offsets(seconds: Any, days: Any, outside: Any) -> Any:
    """Return what to add to local times, in seconds since 1970, to get those of UTC."""
    import numpy as np  # noqa: PLC0415 (imported by then)

    first, last = int(days.min()), int(days.max())
    if last - first > _DENSE_DAYS or outside.any():
        known, place = np.unique(days, return_inverse=True)
        wanted = np.unique(np.concatenate([known - 1, known, known + 1]))
    else:
        known, place = np.arange(first, last + 1), days - first
        wanted = np.arange(first - 1, last + 2)
    noon = np.array([_noon_offset(int(day)) for day in wanted])
    before, at, after = (noon[np.searchsorted(wanted, known + step)] for step in (-1, 0, 1))
    steady = (before == at) & (at == after)
    offsets = at[place]
    if not steady.all():  # the clock is changed on those days, or beside them
        odd = np.flatnonzero(~steady[place] & ~outside)
        if len(odd):
            times, inverse = np.unique(seconds[odd], return_inverse=True)
            row = np.searchsorted(known, times // _DAY)
            ways = zip(
                times.tolist(),
                before[row].tolist(),
                at[row].tolist(),
                after[row].tolist(),
                strict=True,
            )
            found = np.array([_offset(local, sorted({*offsets})) for local, *offsets in ways])
            offsets[odd] = found[inverse]
    return offsets


def _noon_offset(day: int) -> int:
    """Return the offset at noon of a day, when no clock is changed."""
    if not _YEAR_1 <= day <= _YEAR_9999:
        return 0
    noon = day * _DAY + _NOON
    return int(time.mktime((1970, 1, 1 + day, 12, 0, 0, 0, 0, -1))) - noon


def _offset(local: int, offsets: list[int]) -> int:
    """Choose the offset of one local time among those of the days around it, ascending."""
    for offset in offsets:
        if time.localtime(local + offset).tm_gmtoff == -offset:
            return offset
    return offsets[-1]


def _python(value: Any) -> Any:
    """Return a number of NumPy as Python's own, which can be sent."""
    return value.item() if hasattr(value, "item") else value


def _plain(found: Any) -> Any:
    """Return a description with numbers of Python's own: four bytes cannot be sent."""
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    return _python(found)


def _kind(values: Any) -> str:
    return _kind_of(values.dtype)


def _kind_of(dtype: Any) -> str:
    """Return the kind of a NumPy type; empty for the others."""
    import numpy as np  # noqa: PLC0415 (imported by then)

    return dtype.kind if isinstance(dtype, np.dtype) else ""
