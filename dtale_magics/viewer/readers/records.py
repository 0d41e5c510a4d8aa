"""Lists, dictionaries and other built-in Python objects as frames."""

from __future__ import annotations

import array
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from dtale_magics.viewer.readers import arrays
from dtale_magics.viewer.readers.source import Source, Wanted

_MAX_EXACT_FLOAT = 2.0**53


def of_python(value: Any, wanted: Wanted) -> Source | None:
    """Read a built-in Python object; from an iterator, the first values are consumed."""
    if isinstance(value, str | bytes | bytearray | int | float | complex | np.generic):
        return None
    if isinstance(value, range):
        return Source(pd.Series(value).to_frame())
    if isinstance(value, Mapping):
        return Source(frame_of(dict(value)))
    if isinstance(value, set | frozenset):
        try:
            value = sorted(value)
        except TypeError:
            value = list(value)
    if isinstance(value, list | tuple) or (
        isinstance(value, Collection) and type(value).__module__ in {"builtins", "collections"}
    ):
        return Source(frame_of(list(value)))
    if isinstance(value, memoryview | array.array):
        return arrays.of_numpy(np.asarray(value), wanted)
    if isinstance(value, Iterator) and not hasattr(value, "description"):
        part = list(itertools.islice(value, wanted.one_more))
        return wanted.first(frame_of(part))
    return None


def frame_of(value: Any) -> Any:
    """Make a frame from a list or a dictionary, as D-Tale does."""
    first: Any = value[0] if isinstance(value, list) and value else None
    if type(first).__module__ == "sqlite3" and hasattr(first, "keys"):
        return frame_of_rows(value, first.keys())
    try:
        return _exact(lambda **how: pd.DataFrame(value, **how))
    except Exception:  # noqa: BLE001 (as in D-Tale, anything that is not a table is one column)
        return pd.Series(value).to_frame()


def frame_of_rows(rows: Collection[Any], names: Collection[Any]) -> Any:
    """Make a frame from rows; `names` of the columns need not be unique."""
    values = [tuple(row) for row in rows]
    frame = _exact(lambda **how: pd.DataFrame(values, columns=range(len(names)), **how))
    frame.columns = pd.Index([str(name) for name in names], dtype=object)
    return frame


def _exact(make: Callable[..., Any]) -> Any:
    """Make a frame; pandas alone would round large whole numbers if others are missing."""
    frame = make()
    reals = frame.select_dtypes("float64")
    if not reals.size or not (reals.abs() >= _MAX_EXACT_FLOAT).to_numpy().any():
        return frame
    whole = make(dtype=object)
    for position, dtype in enumerate(frame.dtypes):
        if dtype != "float64":
            whole.isetitem(position, frame.iloc[:, position])
    return whole
