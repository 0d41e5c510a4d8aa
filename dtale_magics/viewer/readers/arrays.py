"""Arrays as frames: NumPy's, structured and masked ones, xarray's, SciPy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dtale_magics.viewer.readers.source import Source, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLE_DIMENSIONS = 2
_DENSE_VALUES = 50_000_000
_MANY_COLUMNS = 5_000
"""A sparse matrix with more columns than this is shown as a list of its stored values."""

_NANOSECONDS = frozenset({"W", "D", "h", "m", "s", "ms", "us", "ns"})
"""Units of dates and durations that pandas has; it changes values of other units."""

_COARSE_DATES = frozenset({"Y", "M"})


def of_numpy(value: Any, wanted: Wanted) -> Source | None:
    """Read a NumPy array."""
    if not isinstance(value, np.ndarray):
        return None
    if value.ndim > _TABLE_DIMENSIONS:
        raise wanted.refuse.dimensions("a numpy array", value.ndim)
    if value.ndim == 0:
        value = value.reshape(1)
    if value.dtype.names:
        value = value.reshape(-1)
        return Source(frame_of_columns({str(name): value[name] for name in value.dtype.names}))
    if isinstance(value, np.ma.MaskedArray) or value.dtype.kind in "mMVS":
        columns = value.T if value.ndim == _TABLE_DIMENSIONS else [value]
        return Source(frame_of_columns(dict(enumerate(columns)), len(value)))
    return Source(pd.DataFrame(native(np.asarray(value))))


def of_xarray(value: Any, wanted: Wanted) -> Source | None:
    """Read an xarray array or data set; the coordinates become the index."""
    if not hasattr(value, "to_dataframe"):
        return None
    if hasattr(value, "data_vars"):
        if not value.dims:
            return Source(pd.DataFrame([{name: value[name].item() for name in value.variables}]))
        return Source(_of_coordinates(value.to_dataframe()).reset_index())
    if value.ndim == 0:
        return of_numpy(value.to_numpy(), wanted)
    taken = {*map(str, value.dims), *map(str, value.coords)}
    name = "value" if value.name is None else str(value.name)
    while name in taken:
        name += "_value"
    if value.ndim == 1 or (value.size <= wanted.rows or value.chunks is None):
        return Source(_of_coordinates(value.to_dataframe(name=name)))
    rows = max(1, wanted.rows * value.sizes[value.dims[0]] // value.size)
    part = value.isel({value.dims[0]: slice(0, rows)})
    return wanted.part_of(_of_coordinates(part.to_dataframe(name=name)), int(value.size))


def _of_coordinates(frame: Any) -> Any:
    """Drop the columns that the index has as well: xarray 2025.6, for one, repeats levels there."""
    return frame.drop(columns=[name for name in frame.index.names if name in frame.columns])


def of_scipy(value: Any, wanted: Wanted) -> Source | None:
    """Read a sparse SciPy matrix."""
    if not hasattr(value, "tocoo"):
        return None
    if value.ndim == 1:
        return of_numpy(value.toarray(), wanted)
    total, columns = value.shape
    if columns > _MANY_COLUMNS:
        stored = value.tocoo()
        frame = pd.DataFrame({"row": stored.row, "column": stored.col, "value": stored.data})
        return Source(frame, f"the values that it stores, of {total:,} rows × {columns:,} columns")
    rows = min(total, max(1, _DENSE_VALUES // max(1, columns)))
    part = value.tocsr()[:rows] if rows < total else value
    return wanted.part_of(pd.DataFrame(part.toarray()), total)


def of_dask(value: Any, wanted: Wanted) -> Source | None:
    """Read the first rows of a dask array."""
    if value.ndim > _TABLE_DIMENSIONS:
        raise wanted.refuse.dimensions("a dask array", value.ndim)
    found = of_numpy((value[: wanted.rows] if value.ndim else value).compute(), wanted)
    return found and wanted.part_of(found.frame, len(value) if value.ndim else 1)


def frame_of_columns(columns: Mapping[Any, Any], rows: int | None = None) -> Any:
    """Make a frame from arrays, possibly masked; gaps do not turn whole numbers into floats."""
    made = {position: _series(values) for position, values in enumerate(columns.values())}
    frame = pd.DataFrame(made, index=None if rows is None else pd.RangeIndex(rows))
    frame.columns = pd.Index(list(columns), dtype=object)
    return frame


def _series(values: Any) -> Any:
    if values.ndim > 1 or values.dtype.names or values.dtype.kind in "VS":
        return pd.Series(list(values.tolist()), dtype=object)
    if not isinstance(values, np.ma.MaskedArray):
        return pd.Series(_of_pandas_units(native(values)))
    plain, mask = _of_pandas_units(native(values.filled())), np.ma.getmaskarray(values)
    found = pd.Series(plain)
    if mask.any() and plain.dtype.kind in "iub":
        found = found.convert_dtypes()
    return found.mask(mask) if mask.any() else found


def _of_pandas_units(values: Any) -> Any:
    """Write as text what pandas would round: years that are no number of days, attoseconds."""
    if values.dtype.kind not in "mM":
        return values
    unit, _ = np.datetime_data(values.dtype)
    if unit == "generic":  # only arrays of nothing but missing values have this
        return values.astype(f"{values.dtype.kind}8[s]")
    if unit in _NANOSECONDS or (unit in _COARSE_DATES and values.dtype.kind == "M"):
        return values
    missing = np.isnat(values)
    texts = np.array([str(one).replace("T", " ") for one in values], dtype=object)
    texts[missing] = None
    return texts


def native(values: Any) -> Any:
    """Bring numbers into this machine's byte order, which pandas needs."""
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
