"""What is not in memory yet: the first rows of queries, lazy frames and cursors."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from dtale_magics.viewer.readers import arrow, records

if TYPE_CHECKING:
    from dtale_magics.viewer.readers.source import Source, Wanted

_DUCKDB_READERS = ("to_arrow_reader", "fetch_record_batch", "fetch_arrow_reader")
"""Names of the method that reads a result in batches, the newest first."""


def of_duckdb(value: Any, wanted: Wanted) -> Source | None:
    """Read a relation, or what a connection still has from its last query."""
    import pyarrow as pa

    if not hasattr(value, "limit"):
        return of_batches(_reader_of(value), wanted) if value.description else None
    part = _reader_of(value.limit(wanted.one_more))
    return wanted.first(arrow.frame(pa.Table.from_batches(part, part.schema)))


def of_ibis(value: Any, wanted: Wanted) -> Source | None:
    """Read a table, a column or a value from Ibis."""
    if hasattr(value, "as_table"):
        value = value.as_table()
    if not hasattr(value, "to_pyarrow"):
        return None
    return wanted.first(arrow.frame(value.limit(wanted.one_more).to_pyarrow()))


def of_dask(value: Any, wanted: Wanted) -> Source:
    """Read a dask frame or series."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there may be fewer rows
        frame = value.head(wanted.one_more, npartitions=-1, compute=True)
    if frame.ndim == 1:
        frame = frame.to_frame(0 if frame.name is None else frame.name)
    return wanted.first(frame)


def of_batches(reader: Any, wanted: Wanted) -> Source:
    """Take as many batches from a reader as are needed."""
    import pyarrow as pa

    batches, count = [], 0
    for batch in reader:
        batches.append(batch)
        count += batch.num_rows
        if count > wanted.rows:
            break
    return wanted.first(arrow.frame(pa.Table.from_batches(batches, reader.schema)))


def of_cursor(value: Any, wanted: Wanted) -> Source | None:
    """Read the result of a query (PEP 249)."""
    fetch = getattr(value, "fetchmany", None)
    if not callable(fetch):
        return None
    described = getattr(value, "description", None)
    if described is None and callable(getattr(value, "keys", None)):
        names = list(value.keys())  # SQLAlchemy's result
    elif described:
        names = [column[0] for column in described]
    else:
        return None
    return wanted.first(records.frame_of_rows(fetch(wanted.one_more), names))


def of_lazy_method(value: Any, wanted: Wanted) -> Source | None:
    """Read an object that has its own conversion to pandas, such as Spark's frames."""
    limit = getattr(value, "limit", None)
    part = limit(wanted.one_more) if callable(limit) else value
    for method in ("toArrow", "to_arrow"):
        if callable(getattr(part, method, None)):
            return wanted.first(arrow.frame(getattr(part, method)()))
    if callable(getattr(part, "toPandas", None)):
        return wanted.first(part.toPandas())
    return None


def _reader_of(result: Any) -> Any:
    """Return what reads a DuckDB result in batches, whatever name this version gives it."""
    kind = type(result)  # a relation itself has its columns as attributes, whatever their names
    name = next(name for name in _DUCKDB_READERS if hasattr(kind, name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of any of the names, and of an extra copy
        return getattr(kind, name)(result)
