"""What can be shown, and how it becomes a pandas frame: the one place that says so.

Whatever has an Arrow form comes by Arrow, whatever narwhals knows by narwhals. No library is
imported here unless the object comes from it, pandas, NumPy and narwhals apart. Of what is not in
memory yet (a query, a lazy frame, a cursor) the first rows are taken.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from dtale_magics.errors import FrameRefusedError
from dtale_magics.viewer import arrow, refusals

LAZY_ROWS = 100_000
"""How many rows of a lazy source are shown."""

_LONGEST_EXACT_FLOAT = 2.0**53
_TABLE_DIMENSIONS = 2
_DENSE_VALUES = 50_000_000


class Source(NamedTuple):
    """What was found in an object.

    Attributes
    ----------
    frame
        A ``pandas.DataFrame``, the user's own where the object is one.
    note
        What the reader has to know, such as that these are the first rows; else empty.
    """

    frame: Any
    note: str = ""


def read(
    value: Any,
    name: str,
    rows: int | None = None,
    lazy_rows: int = LAZY_ROWS,
    *,
    typed: str = "",
) -> Source:
    """Make a pandas frame of `value`.

    Parameters
    ----------
    value
        Whatever holds a table.
    name
        What the user calls it.
    rows
        How many rows to show of it; None shows all of what is in memory.
    lazy_rows
        How many rows to show of what is not, where `rows` is None.
    typed
        The expression that it came from, where `name` is not that.

    Raises
    ------
    FrameRefusedError
        Says what to type instead.
    """
    refuse = refusals.Refusals(name, typed or name)
    reader = _Reader(refuse, rows, lazy_rows if rows is None else rows)
    try:
        source = reader.read(value)
    except FrameRefusedError:
        raise
    except Exception as error:
        raise refuse.failed(value, error) from error
    if source is None:
        raise refuse.no_table(value)
    if rows is not None and len(source.frame) > rows:
        note = f"the first {rows:,} of {len(source.frame):,} rows"
        return Source(source.frame.iloc[:rows], source.note or note)
    return source


def notes(name: str, source: Source, changes: str) -> tuple[str, ...]:
    """Say in one line what is shown of an object, and in which other form; empty if as it is."""
    parts = ". ".join(filter(None, [source.note, changes]))
    return (f"{name} is shown with a difference: {parts}.",) if parts else ()


class _Reader:
    """Reads one object; each method returns None for what it does not know."""

    def __init__(self, refuse: refusals.Refusals, rows: int | None, lazy_rows: int) -> None:
        self._refuse = refuse
        self._rows = rows
        self._lazy_rows = lazy_rows

    def read(self, value: Any) -> Source | None:
        ways: tuple[Callable[[Any], Source | None], ...] = (
            self._from_pandas,
            self._from_numpy,
            self._from_arrow,
            self._from_other_libraries,
            self._from_narwhals,
            self._from_python,
            self._from_cursor,
            self._from_protocols,
        )
        if isinstance(value, type) or callable(value):
            return None  # a class has the methods of its instances
        found = (way(value) for way in ways)
        return next((source for source in found if source is not None), None)

    # ------------------------------------------------------------ pandas, NumPy

    def _from_pandas(self, value: Any) -> Source | None:
        import pandas as pd  # noqa: PLC0415 (not at %load_ext)

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
        if type(value).__name__ == "Styler" and isinstance(
            getattr(value, "data", None), pd.DataFrame
        ):
            return Source(value.data, "without the style of its Styler")
        return None

    def _from_numpy(self, value: Any) -> Source | None:
        import numpy as np  # noqa: PLC0415 (not at %load_ext)
        import pandas as pd  # noqa: PLC0415 (not at %load_ext)

        if not isinstance(value, np.ndarray):
            return None
        if value.ndim > _TABLE_DIMENSIONS:
            raise self._refuse.dimensions("a numpy array", value.ndim)
        if value.ndim == 0:
            value = value.reshape(1)
        if value.dtype.names:
            fields = {str(name): value[name] for name in value.dtype.names}
            return Source(_frame_of_columns(fields))
        if isinstance(value, np.ma.MaskedArray):
            columns = value.T if value.ndim == _TABLE_DIMENSIONS else [value]
            return Source(_frame_of_columns(dict(enumerate(columns))))
        return Source(pd.DataFrame(_native(np.asarray(value))))

    # ----------------------------------------------------------- other libraries

    def _from_other_libraries(self, value: Any) -> Source | None:
        """Read what has neither an Arrow form nor narwhals' attention."""
        root = type(value).__module__.partition(".")[0]
        if root == "xarray":
            return self._from_xarray(value)
        if root == "scipy":
            return self._from_scipy(value)
        if root == "dask" and hasattr(value, "npartitions") and hasattr(value, "head"):
            return self._of_dask(value)
        if root == "dask" and hasattr(value, "chunks") and hasattr(value, "compute"):
            if value.ndim > _TABLE_DIMENSIONS:
                raise self._refuse.dimensions("a dask array", value.ndim)
            found = self._from_numpy((value[: self._lazy_rows] if value.ndim else value).compute())
            return found and self._part_of(found.frame, len(value) if value.ndim else 1)
        if root == "torch":
            return self._from_numpy(value.detach().cpu().numpy())
        if root in {"duckdb", "_duckdb"} and hasattr(value, "fetchmany"):
            # A connection has the result of its last query, if there was one.
            if value.description is None:
                return None
            return self._of_relation(value) if hasattr(value, "limit") else self._of_result(value)
        if root == "ibis":
            return self._from_ibis(value)
        return None

    def _from_xarray(self, value: Any) -> Source | None:
        if not hasattr(value, "to_dataframe"):
            return None
        if hasattr(value, "data_vars"):
            return Source(value.to_dataframe().reset_index())
        if value.ndim == 0:
            return self._from_numpy(value.to_numpy())
        taken = {*map(str, value.dims), *map(str, value.coords)}
        name = "value" if value.name is None else str(value.name)
        while name in taken:
            name += "_value"
        if value.ndim == 1 or (value.size <= self._lazy_rows or value.chunks is None):
            return Source(value.to_dataframe(name=name))
        wanted = max(1, self._lazy_rows * value.sizes[value.dims[0]] // value.size)
        part = value.isel({value.dims[0]: slice(0, wanted)})
        return self._part_of(part.to_dataframe(name=name), int(value.size))

    def _from_scipy(self, value: Any) -> Source | None:
        import pandas as pd  # noqa: PLC0415 (not at %load_ext)

        if not hasattr(value, "tocoo"):
            return None
        if value.ndim == 1:
            return self._from_numpy(value.toarray())
        total, columns = value.shape
        rows = min(total, max(1, _DENSE_VALUES // max(1, columns)))
        part = value.tocsr()[:rows] if rows < total else value
        return self._part_of(pd.DataFrame(part.toarray()), total)

    def _of_relation(self, value: Any) -> Source:
        import pyarrow as pa  # noqa: PLC0415 (duckdb's Arrow form needs it too)

        part = _reader_of(value.limit(self._lazy_rows + 1))
        return self._first(arrow.frame(pa.Table.from_batches(part, part.schema)))

    def _of_result(self, value: Any) -> Source:
        return self._of_batches(_reader_of(value))

    def _from_ibis(self, value: Any) -> Source | None:
        if hasattr(value, "as_table"):
            value = value.as_table()
        if not (hasattr(value, "limit") and hasattr(value, "to_pyarrow")):
            return None
        return self._first(arrow.frame(value.limit(self._lazy_rows + 1).to_pyarrow()))

    # ---------------------------------------------------------- narwhals, Arrow

    def _from_narwhals(self, value: Any) -> Source | None:
        try:
            import narwhals as nw  # noqa: PLC0415 (not at %load_ext)
        except ImportError:  # pragma: no cover (a dependency)
            return None
        native = value
        if not isinstance(value, nw.DataFrame | nw.LazyFrame | nw.Series):
            value = nw.from_native(value, pass_through=True, allow_series=True)
        else:
            native = nw.to_native(value)
        if isinstance(native, Mapping) or type(native).__module__.startswith("pandas."):
            return self._from_pandas(native)
        if isinstance(value, nw.Series):
            value = value.rename(value.name or "0").to_frame()
        if isinstance(value, nw.LazyFrame):
            polars = value.implementation.is_polars()
            part = value.head(self._lazy_rows + 1).collect(backend=None if polars else "pyarrow")
            return self._first(_frame_of_eager(part))
        if isinstance(value, nw.DataFrame):
            if value.implementation.is_pandas_like():  # Modin, cuDF
                return Source(value.to_pandas())
            return Source(_frame_of_eager(value))
        return None

    def _of_dask(self, value: Any) -> Source:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there may be fewer rows
            frame = value.head(self._lazy_rows + 1, npartitions=-1, compute=True)
        if frame.ndim == 1:
            frame = frame.to_frame(0 if frame.name is None else frame.name)
        return self._first(frame)

    def _from_arrow(self, value: Any) -> Source | None:
        root = type(value).__module__.partition(".")[0]
        if root == "pyarrow":
            import pyarrow as pa  # noqa: PLC0415 (it is imported)

            if isinstance(value, pa.Table):
                return Source(arrow.frame(value))
            if isinstance(value, pa.RecordBatch):
                return Source(arrow.frame(pa.Table.from_batches([value])))
            if isinstance(value, pa.StructArray):
                return Source(arrow.frame(pa.Table.from_struct_array(value)))
            if isinstance(value, pa.Array | pa.ChunkedArray):
                return Source(arrow.frame(pa.table({"0": value})))
            if isinstance(value, pa.RecordBatchReader):
                return self._of_batches(value)
            if hasattr(value, "count_rows") and hasattr(value, "head"):  # a dataset, a scanner
                part = arrow.frame(value.head(self._lazy_rows))
                short = len(part) < self._lazy_rows
                return Source(part) if short else self._part_of(part, value.count_rows())
            if hasattr(value, "read") and hasattr(value, "metadata"):  # a Parquet file
                return self._of_batches(
                    pa.RecordBatchReader.from_batches(value.schema_arrow, value.iter_batches())
                )
        return None

    def _of_batches(self, reader: Any) -> Source:
        import pyarrow as pa  # noqa: PLC0415 (it is imported)

        batches, count = [], 0
        for batch in reader:
            batches.append(batch)
            count += batch.num_rows
            if count > self._lazy_rows:
                break
        return self._first(arrow.frame(pa.Table.from_batches(batches, reader.schema)))

    # ------------------------------------------------------- Python, protocols

    def _from_python(self, value: Any) -> Source | None:
        import numpy as np  # noqa: PLC0415 (not at %load_ext)
        import pandas as pd  # noqa: PLC0415 (not at %load_ext)

        if isinstance(value, str | bytes | bytearray | int | float | complex | np.generic):
            return None
        if isinstance(value, range):
            return Source(pd.Series(value).to_frame())
        if isinstance(value, Mapping):
            return Source(_frame_of_objects(dict(value)))
        if isinstance(value, set | frozenset):
            try:
                value = sorted(value)
            except TypeError:
                value = list(value)
        if isinstance(value, list | tuple) or (
            isinstance(value, Collection) and type(value).__module__ in {"builtins", "collections"}
        ):
            return Source(_frame_of_objects(list(value)))
        if isinstance(value, memoryview):
            return self._from_numpy(np.asarray(value))
        if isinstance(value, Iterator) and not hasattr(value, "description"):
            part = list(itertools.islice(value, self._lazy_rows + 1))
            return self._first(_frame_of_objects(part))
        return None

    def _from_cursor(self, value: Any) -> Source | None:
        """Read the result of a query (PEP 249)."""
        import pandas as pd  # noqa: PLC0415 (not at %load_ext)

        fetch = getattr(value, "fetchmany", None)
        if not callable(fetch):
            return None
        described = getattr(value, "description", None)
        if described is None and callable(getattr(value, "keys", None)):
            names = [str(key) for key in value.keys()]  # noqa: SIM118 (SQLAlchemy's result)
        elif described:
            names = [str(column[0]) for column in described]
        else:
            return None
        part = [tuple(row) for row in fetch(self._lazy_rows + 1)]
        frame = _exact(lambda **how: pd.DataFrame(part, columns=range(len(names)), **how))
        frame.columns = pd.Index(names, dtype=object)
        return self._first(frame)

    def _from_protocols(self, value: Any) -> Source | None:

        if hasattr(value, "__arrow_c_stream__"):
            import pyarrow as pa  # noqa: PLC0415 (nobody else reads such a stream)

            if hasattr(value, "__len__"):
                return Source(arrow.frame(pa.table(value)))
            return self._of_batches(pa.RecordBatchReader.from_stream(value))
        if hasattr(value, "__arrow_c_array__"):
            import pyarrow as pa  # noqa: PLC0415 (nobody else reads it)

            return self._from_arrow(pa.array(value))
        return self._from_lazy_method(value) or self._from_method(value)

    def _from_lazy_method(self, value: Any) -> Source | None:
        """Read what has a way out of its own, as Spark's frames."""
        part = (
            value.limit(self._lazy_rows + 1) if callable(getattr(value, "limit", None)) else value
        )
        for method in ("toArrow", "to_arrow"):
            if callable(getattr(part, method, None)):
                return self._first(arrow.frame(getattr(part, method)()))
        if callable(getattr(part, "toPandas", None)):
            return self._first(part.toPandas())
        return None

    def _from_method(self, value: Any) -> Source | None:
        import numpy as np  # noqa: PLC0415 (not at %load_ext)
        import pandas as pd  # noqa: PLC0415 (not at %load_ext)

        if hasattr(value, "__dataframe__"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it is an old protocol
                return Source(pd.api.interchange.from_dataframe(value))
        for method in ("to_pandas", "to_dataframe", "_to_pandas"):
            if callable(getattr(value, method, None)):
                return self._from_pandas(getattr(value, method)())
        if hasattr(value, "__array__") and not isinstance(value, np.generic):
            return self._from_numpy(np.asarray(value))
        return None

    # -------------------------------------------------------------- first rows

    def _first(self, frame: Any) -> Source:
        """Keep the first rows of a frame that has one more where there are more."""
        if len(frame) <= self._lazy_rows:
            return Source(frame)
        note = f"the first {self._lazy_rows:,} rows; there are more (--rows N)"
        return Source(frame.iloc[: self._lazy_rows], note)

    def _part_of(self, frame: Any, total: int) -> Source:
        if total <= len(frame):
            return Source(frame)
        return Source(frame, f"the first {len(frame):,} of {total:,} rows (--rows N)")


def _frame_of_eager(value: Any) -> Any:
    """Make a frame of one of narwhals by Arrow; what Arrow does not have goes by Python."""
    import narwhals as nw  # noqa: PLC0415 (imported by then)
    import pandas as pd  # noqa: PLC0415 (imported by then)

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


def _reader_of(result: Any) -> Any:
    """Return what reads a result of DuckDB in batches, by whichever name it goes."""
    newer = getattr(result, "to_arrow_reader", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of either name, and of an extra copy
        return newer() if newer is not None else result.fetch_record_batch()


def _frame_of_objects(value: Any) -> Any:
    """Make a frame of a list or a dictionary, as D-Tale does."""
    import pandas as pd  # noqa: PLC0415 (not at %load_ext)

    first: Any = value[0] if isinstance(value, list) and value else None
    if type(first).__module__ == "sqlite3" and hasattr(first, "keys"):
        names = [str(key) for key in first.keys()]  # noqa: SIM118 (no dictionary)
        frame = _exact(lambda **how: pd.DataFrame(list(map(tuple, value)), **how))
        frame.columns = pd.Index(names, dtype=object)
        return frame
    try:
        return _exact(lambda **how: pd.DataFrame(value, **how))
    except Exception:  # noqa: BLE001 (as D-Tale: whatever is no table is one column)
        return pd.Series(value).to_frame()


def _exact(make: Callable[..., Any]) -> Any:
    """Make a frame; pandas rounds whole numbers beside missing ones, where they are large."""
    frame = make()
    reals = frame.select_dtypes("float64")
    if not reals.size or not (reals.abs() >= _LONGEST_EXACT_FLOAT).to_numpy().any():
        return frame
    whole = make(dtype=object)
    for position, dtype in enumerate(frame.dtypes):
        if dtype != "float64":
            whole.isetitem(position, frame.iloc[:, position])
    return whole


def _frame_of_columns(columns: Mapping[Any, Any]) -> Any:
    """Make a frame of arrays, masked ones among them; missing whole numbers stay whole."""
    import numpy as np  # noqa: PLC0415 (not at %load_ext)
    import pandas as pd  # noqa: PLC0415 (not at %load_ext)

    def series(values: Any) -> Any:
        if values.ndim > 1:
            return pd.Series(list(values.tolist()), dtype=object)
        if not isinstance(values, np.ma.MaskedArray):
            return pd.Series(_native(values))
        plain, mask = _native(values.filled()), np.ma.getmaskarray(values)
        found = pd.Series(plain)
        if mask.any() and plain.dtype.kind in "iub":
            found = found.convert_dtypes()
        return found.mask(mask) if mask.any() else found

    made = {position: series(values) for position, values in enumerate(columns.values())}
    frame = pd.DataFrame(made)
    frame.columns = pd.Index(list(columns), dtype=object)
    return frame


def _native(values: Any) -> Any:
    """Bring numbers into this machine's byte order, which pandas needs."""
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
