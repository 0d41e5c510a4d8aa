"""A column in order, and what D-Tale asks about it: quantiles, and the number of unique values."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

_MANY = 10_000
"""Below this, hashing is as quick as sorting."""

_SPREAD = 4
"""Integers are counted value by value if their range is at most this many times their number."""

_HALF = 0.5
_HALF_WORD = 4


class _Last(threading.local):
    """The column that this thread described last: D-Tale asks about each one twice."""

    values: Any = None
    order: Order | None = None

    def clear(self) -> None:
        self.values = self.order = None


last = _Last()


class Order:
    """What is known about a column's values once they are in order.

    Attributes
    ----------
    kind
        Kind of their NumPy type.
    count
        How many there are, without the missing ones.
    unique
        How many different ones there are.
    """

    def __init__(self, values: Any) -> None:
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
        """Whether whole numbers lie close enough together to count each value."""
        smallest, greatest = int(values.min()), int(values.max())
        self._first = smallest
        return (
            greatest - smallest <= _SPREAD * len(values) and -(2**62) < smallest <= greatest < 2**62
        )

    def quantile(self, part: float) -> Any:
        """Interpolate as NumPy does, with the same operations."""
        position = (self.count - 1) * part
        place = int(position)
        share = position - place
        with np.errstate(invalid="ignore"):  # infinite numbers, as in pandas
            lower, upper = self._at(place), self._at(min(place + 1, self.count - 1))
            step = upper - lower
            return np.float64(lower + step * share if share < _HALF else upper - step * (1 - share))

    def _at(self, place: int) -> Any:
        if self._ends is None:
            assert self._sorted is not None
            return self._sorted[place]
        return np.int64(self._first + int(np.searchsorted(self._ends, place, "right")))


def order_of(values: Any) -> Order | None:
    """Put a column in order; None if that is not quicker than what D-Tale does."""
    if len(values) <= _MANY or kind(values) not in {*"iufM"} or values.dtype.itemsize < _HALF_WORD:
        return None
    if last.values is not values:
        last.values, last.order = values, Order(values.to_numpy())
    return last.order


def kind(values: Any) -> str:
    """Return the kind of a column's NumPy type; empty for others."""
    return kind_of(values.dtype)


def kind_of(dtype: Any) -> str:
    """Return the kind of a NumPy type; empty for the others."""
    return dtype.kind if isinstance(dtype, np.dtype) else ""
