"""D-Tale's time stamps of dates, all at once.

It depends on NumPy and pandas alone, and could serve D-Tale itself: see docs/upstream.md.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

_DAY = 86_400
_NOON = 43_200
_YEAR_1, _YEAR_9999 = -719_162, 2_932_896
"""First and last day of Python's dates, counted from 1970-01-01."""

_DENSE_DAYS = 100_000
"""If a range has more days than this, offsets are looked up only for days that have dates."""

_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def timestamps(dates: Any) -> Any:
    """Return what D-Tale's ``json_timestamp`` gives for each date of a column of naive dates.

    These are milliseconds since 1970, with each date taken as local time. A local time that occurs
    twice is taken as the first; one that is skipped, as if the clock had not been changed yet. (In
    these cases glibc's ``mktime``, which D-Tale calls, depends on what it was asked before.) NaN
    where there is no date, or one that Python does not have.
    """
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
    """Return what to add to local times, in seconds since 1970, to get UTC."""
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
    if not steady.all():  # the clock is changed on some of these days or their neighbours
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
    """Return a day's offset at noon, when clocks are never changed."""
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
