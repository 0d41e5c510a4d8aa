"""A random sample of a frame's rows, for frames that take too long to show whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtale_magics.errors import UsageError

_SEED = 853
"""Seed of a generator of our own: it draws the same rows each time, and no number of the user's."""


def sample(frame: Any, rows: int) -> tuple[Any, int]:
    """Take `rows` random rows of a frame, in their order.

    Returns
    -------
    tuple
        The sample, and how many rows there are in all; the frame itself if there are no more.
    """
    total = _length(frame)
    if total <= rows:
        return frame, total
    chosen = np.sort(np.random.default_rng(_SEED).choice(total, rows, replace=False))
    if hasattr(frame, "iloc"):
        return frame.iloc[chosen], total
    if isinstance(frame, dict):
        return {key: [values[index] for index in chosen] for key, values in frame.items()}, total
    if isinstance(frame, list | tuple):
        return [frame[index] for index in chosen], total
    take = getattr(frame, "take", None)  # pyarrow.Table, pandas.Index
    return (take(chosen) if callable(take) and _is_flat(frame) else frame[chosen]), total


def _is_flat(frame: Any) -> bool:
    """Whether `take` counts rows; NumPy's counts the values of all columns."""
    return type(frame).__module__.partition(".")[0] != "numpy"


def _length(frame: Any) -> int:
    if isinstance(frame, dict):
        return max((len(values) for values in frame.values()), default=0)
    try:
        return len(frame)
    except TypeError:
        raise UsageError(
            f"A {type(frame).__name__} cannot be sampled: it does not say how many rows it has.",
            "Take a part of it yourself.",
        ) from None
