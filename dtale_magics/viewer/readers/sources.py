"""The one place that says what can be shown, and how it becomes a pandas frame.

Objects that have an Arrow form are converted by Arrow, those that narwhals knows by narwhals. Apart
from pandas, NumPy and narwhals, a library is imported here only if the object comes from it. From
an object that is not in memory yet (a query, a lazy frame, a cursor), the first rows are taken.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from dtale_magics.errors import FrameRefusedError
from dtale_magics.settings import LAZY_ROWS
from dtale_magics.viewer.readers import arrays, arrow, queries, records, refusals
from dtale_magics.viewer.readers.source import Source, Wanted


def read(
    value: Any,
    name: str,
    rows: int | None = None,
    lazy_rows: int = LAZY_ROWS,
    *,
    typed: str = "",
) -> Source:
    """Make a pandas frame from `value`.

    Parameters
    ----------
    value
        Anything that holds a table.
    name
        What the user calls it.
    rows
        How many rows of it to show; None shows all of what is in memory.
    lazy_rows
        How many rows to show of what is not in memory, if `rows` is None.
    typed
        The expression that it came from, if that is not `name`.

    Raises
    ------
    FrameRefusedError
        Says what to type instead.
    """
    wanted = Wanted(refusals.Refusals(name, typed or name), lazy_rows if rows is None else rows)
    try:
        source = _read(value, wanted)
    except FrameRefusedError:
        raise
    except Exception as error:
        raise wanted.refuse.failed(value, error) from error
    if source is None:
        raise wanted.refuse.no_table(value)
    if rows is not None and len(source.frame) > rows:
        note = f"the first {rows:,} of {len(source.frame):,} rows"
        return Source(source.frame.iloc[:rows], source.note or note)
    return source


def notes(name: str, source: Source, changes: str) -> tuple[str, ...]:
    """Say in one line how what is shown differs from the object; empty if it does not."""
    parts = ". ".join(filter(None, [source.note, changes]))
    return (f"{name} is shown with a difference: {parts}.",) if parts else ()


def _read(value: Any, wanted: Wanted) -> Source | None:
    """Read one object; each reader returns None for what it does not know."""
    ways: tuple[Callable[[Any, Wanted], Source | None], ...] = (
        _of_pandas,
        arrays.of_numpy,
        _of_arrow,
        _of_other_libraries,
        _of_narwhals,
        records.of_python,
        queries.of_cursor,
        _of_protocols,
        _of_methods,
    )
    if isinstance(value, type) or callable(value) or refusals.is_unfinished(value):
        return None  # a class has the methods of its instances
    found = (way(value, wanted) for way in ways)
    return next((source for source in found if source is not None), None)


def _of_pandas(value: Any, _: Wanted) -> Source | None:
    if isinstance(value, pd.DataFrame):
        return Source(value)
    if isinstance(value, pd.Series):
        return Source(value.to_frame(0 if value.name is None else value.name))
    if isinstance(value, pd.MultiIndex):
        return Source(value.to_frame(index=False, allow_duplicates=True))
    if isinstance(value, pd.Index):
        return Source(value.to_frame(index=False))
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return Source(pd.Series(value).to_frame())
    if type(value).__name__ == "Styler" and isinstance(getattr(value, "data", None), pd.DataFrame):
        return Source(value.data, "without the style of its Styler")
    return None


def _of_arrow(value: Any, wanted: Wanted) -> Source | None:
    if _root(value) != "pyarrow":
        return None
    import pyarrow as pa

    if isinstance(value, pa.Table):
        return Source(arrow.frame(value))
    if isinstance(value, pa.RecordBatch):
        return Source(arrow.frame(pa.Table.from_batches([value])))
    if isinstance(value, pa.StructArray) and not value.null_count:
        return Source(arrow.frame(pa.Table.from_struct_array(value)))
    if isinstance(value, pa.Array | pa.ChunkedArray):
        return Source(arrow.frame(pa.table({"0": value})))
    if isinstance(value, pa.RecordBatchReader):
        return queries.of_batches(value, wanted)
    if hasattr(value, "count_rows") and hasattr(value, "head"):  # a dataset, a scanner
        part = arrow.frame(value.head(wanted.rows))
        short = len(part) < wanted.rows
        return Source(part) if short else wanted.part_of(part, value.count_rows())
    if hasattr(value, "read") and hasattr(value, "metadata"):  # a Parquet file
        batches = value.iter_batches()
        return queries.of_batches(
            pa.RecordBatchReader.from_batches(value.schema_arrow, batches), wanted
        )
    return None


def _of_other_libraries(value: Any, wanted: Wanted) -> Source | None:
    """Read an object that has no Arrow form and that narwhals does not know."""
    root = _root(value)
    if root == "xarray":
        return arrays.of_xarray(value, wanted)
    if root == "scipy":
        return arrays.of_scipy(value, wanted)
    if root == "dask" and hasattr(value, "npartitions") and hasattr(value, "head"):
        return queries.of_dask(value, wanted)
    if root == "dask" and hasattr(value, "chunks") and hasattr(value, "compute"):
        return arrays.of_dask(value, wanted)
    if root == "torch":
        return arrays.of_numpy(value.detach().cpu().numpy(), wanted)
    if root in {"duckdb", "_duckdb"} and hasattr(value, "fetchmany"):
        return queries.of_duckdb(value, wanted)
    if root == "ibis":
        return queries.of_ibis(value, wanted)
    return None


def _of_narwhals(value: Any, wanted: Wanted) -> Source | None:
    native = value
    if not isinstance(value, nw.DataFrame | nw.LazyFrame | nw.Series):
        value = nw.from_native(value, pass_through=True, allow_series=True)
    else:
        native = nw.to_native(value)
    if isinstance(native, Mapping) or type(native).__module__.startswith("pandas."):
        return _of_pandas(native, wanted)
    if isinstance(value, nw.Series):
        value = value.rename(value.name or "0").to_frame()
    if isinstance(value, nw.LazyFrame):
        polars = value.implementation.is_polars()
        part = value.head(wanted.one_more).collect(backend=None if polars else "pyarrow")
        return wanted.first(_frame_of_eager(part))
    if isinstance(value, nw.DataFrame):
        if value.implementation.is_pandas_like():  # Modin, cuDF
            return Source(value.to_pandas())
        return Source(_frame_of_eager(value))
    return None


def _frame_of_eager(value: Any) -> Any:
    """Convert a narwhals frame by Arrow; what Arrow does not have, by Python objects."""
    strange = [
        name
        for name, dtype in value.schema.items()
        if dtype in {nw.Object, nw.Int128, nw.UInt128, nw.Unknown}
    ]
    if not strange:
        return arrow.frame(value.to_arrow())
    plain = value.drop(strange)
    made = arrow.frame(plain.to_arrow()) if plain.columns else pd.DataFrame(index=range(len(value)))
    for name in strange:
        made[name] = pd.Series(value[name].to_list(), index=made.index, dtype=object)
    return made[value.columns]


def _of_protocols(value: Any, wanted: Wanted) -> Source | None:
    """Read an object that has one of Arrow's C interfaces."""
    if hasattr(value, "__arrow_c_stream__"):
        import pyarrow as pa

        if hasattr(value, "__len__"):
            return Source(arrow.frame(pa.table(value)))
        return queries.of_batches(pa.RecordBatchReader.from_stream(value), wanted)
    if hasattr(value, "__arrow_c_array__"):
        import pyarrow as pa

        return _of_arrow(pa.array(value), wanted)
    return queries.of_lazy_method(value, wanted)


def _of_methods(value: Any, wanted: Wanted) -> Source | None:
    """Read an object that itself says how to convert it to a frame or an array."""
    if hasattr(value, "__dataframe__"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning that the protocol is old
            return Source(pd.api.interchange.from_dataframe(value))
    for method in ("to_pandas", "to_dataframe", "_to_pandas"):
        if callable(getattr(value, method, None)):
            made = getattr(value, method)()
            return _of_pandas(made, wanted) or _of_other_libraries(made, wanted)
    if hasattr(value, "__array__") and not isinstance(value, np.generic):
        return arrays.of_numpy(np.asarray(value), wanted)
    return None


def _root(value: Any) -> str:
    return type(value).__module__.partition(".")[0]
