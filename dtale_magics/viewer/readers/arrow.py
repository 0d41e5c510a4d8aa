"""From Arrow to pandas without rounding a number, and with types that D-Tale knows."""

from __future__ import annotations

from typing import Any

import pandas as pd

_OF_PYTHON = frozenset({"arrow.uuid", "arrow.bool8"})
"""Extension types whose values Arrow returns as Python objects unlike what it stores."""


def frame(table: Any) -> Any:
    """Make a frame from a ``pyarrow.Table``, sharing memory where possible.

    Whole numbers and booleans with gaps become pandas' nullable types, which keep every digit.
    Columns that were the index of a pandas frame become its index again.
    """
    columns = {number: series(column) for number, column in enumerate(table.columns)}
    index = pd.RangeIndex(table.num_rows)
    made = pd.DataFrame(columns, index=index, copy=False)
    made.columns = pd.Index(table.column_names, dtype=object)
    return _with_index(made, table.schema.pandas_metadata)


def series(column: Any) -> Any:
    """Make a series from an Arrow array, chunked or not."""
    import pyarrow as pa

    kind = column.type
    if getattr(kind, "extension_name", "") in _OF_PYTHON:
        return pd.Series(column.to_pylist(), dtype=object)
    if isinstance(kind, pa.BaseExtensionType):
        column = column.cast(kind.storage_type)
        kind = column.type
    if pa.types.is_dictionary(kind):
        return _category(column)
    if pa.types.is_integer(kind) and column.null_count:
        return column.to_pandas(types_mapper={kind: _nullable(kind)}.get)
    if pa.types.is_boolean(kind) and column.null_count:
        return column.to_pandas(types_mapper={kind: pd.BooleanDtype()}.get)
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
    if pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    if pa.types.is_time64(kind) and kind.unit == "ns":
        column = _time(column)
    if pa.types.is_null(kind) or pa.types.is_nested(kind):
        return pd.Series(column.to_pylist(), dtype=object)
    return column.to_pandas()


def _category(column: Any) -> Any:
    """Turn an Arrow dictionary into a category, unless pandas cannot have such categories."""
    try:
        return column.to_pandas()
    except (TypeError, ValueError, NotImplementedError):
        return series(column.cast(column.type.value_type))


def _time(column: Any) -> Any:
    """Convert times to microseconds, as Python's times have, or write them as text."""
    import pyarrow as pa

    try:
        return column.cast(pa.time64("us"))
    except pa.ArrowInvalid:
        return column.cast(pa.string())


def _nullable(kind: Any) -> Any:
    name = str(kind)  # int64, uint8
    return pd.api.types.pandas_dtype(name.replace("uint", "UInt").replace("int", "Int", 1))


def _with_index(made: Any, metadata: dict[str, Any] | None) -> Any:
    names = [one for one in (metadata or {}).get("index_columns", ()) if isinstance(one, str)]
    if not names or len(set(made.columns)) < made.shape[1] or not set(names) <= set(made.columns):
        return made
    described = {one.get("field_name"): one.get("name") for one in (metadata or {})["columns"]}
    made = made.set_index(names)
    made.index.names = [described.get(name, name) for name in names]
    return made
