"""What is said of objects that cannot be shown: one sentence, and what to type that works."""

from __future__ import annotations

import inspect
from typing import Any

from dtale_magics.errors import FrameRefusedError

_GROUPED = {
    "DataFrameGroupBy": "size()",
    "SeriesGroupBy": "size()",
    "GroupBy": "size()",
    "DatetimeIndexResampler": "size()",
    "Resampler": "size()",
    "PeriodIndexResampler": "size()",
    "TimedeltaIndexResampler": "size()",
    "Rolling": "mean()",
    "Expanding": "mean()",
    "ExponentialMovingWindow": "mean()",
}
_GROUPED_ELSEWHERE = {
    "polars": {
        "GroupBy": "len()",
        "LazyGroupBy": "len()",
        "RollingGroupBy": "agg(pl.len())",
        "DynamicGroupBy": "agg(pl.len())",
    },
    "narwhals": {"GroupBy": "agg(nw.len())", "LazyGroupBy": "agg(nw.len())"},
    "ibis": {"GroupedTable": "count()"},
    "xarray": {
        f"{of}{kind}": "mean()"
        for of in ("DataArray", "Dataset")
        for kind in ("GroupBy", "Resample", "Rolling", "Coarsen", "Weighted")
    },
}
_LIBRARIES = "pandas, polars, Arrow, DuckDB, dask, Spark, Ibis, Modin, xarray, NumPy"


def refusal(value: Any, name: str) -> FrameRefusedError:
    """Make the error for an object that holds no table."""
    what, hint = _say(value, name)
    return FrameRefusedError(name, what, hint)


def is_unfinished(value: Any) -> bool:
    """Whether a value is a grouping or the like, which has methods of tables and is none."""
    return _say_of_unfinished(value, "") is not None


def dimensions(name: str, what: str, number: int) -> FrameRefusedError:
    """Make the error for an array that is no table."""
    return FrameRefusedError(
        name,
        f"{name} is {what} with {number} dimensions; a table has two.",
        f"Show one slice: %dtale {name}{'[0]' * (number - 2)}"
        f"   or lay it flat: %dtale {name}.reshape(len({name}), -1)",
    )


def failed(value: Any, name: str, error: Exception) -> FrameRefusedError:
    """Make the error for an object whose own library could not give its rows."""
    reason = (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]
    missing = isinstance(error, ImportError) and "pyarrow" in str(error)
    hint = (
        "Install it: %pip install pyarrow"
        if missing
        else f"The error is of {_kind(value)}; see whether its rows can be had in a cell."
    )
    return FrameRefusedError(name, f"{name} ({_kind(value)}) cannot be read: {reason}", hint)


def _kind(value: Any) -> str:
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"


def _say(value: Any, name: str) -> tuple[str, str]:
    if value is None:
        return f"{name} is None.", "Assign a frame first, or check what the call returned."
    return (
        _say_of_unfinished(value, name)
        or _say_of_code(value, name)
        or _say_of_library(value, name)
        or _say_of_value(value, name)
    )


def _say_of_code(value: Any, name: str) -> tuple[str, str] | None:
    if inspect.isclass(value):
        return f"{name} is a class, not a table.", f"Make one first: frame = {name}(…)"
    if inspect.isroutine(value):
        return (
            f"{name} is a function that was not called.",
            f"Did you leave out the brackets? Type: %dtale {name}()",
        )
    if inspect.ismodule(value):
        return f"{name} is a module, not a table.", "Name a frame in it."
    return None


def _say_of_unfinished(value: Any, name: str) -> tuple[str, str] | None:
    kind, root = type(value).__name__, type(value).__module__.partition(".")[0]
    groupings = _GROUPED_ELSEWHERE.get(root, _GROUPED)
    if kind in groupings:
        return (
            f"{name} is a grouping, of which nothing is computed yet.",
            f"Say what of each group, for example: %dtale {name}.{groupings[kind]}",
        )
    if kind == "Scalar" and root == "dask":
        return f"{name} is a single value, not computed yet.", f"Type: %dtale [{name}.compute()]"
    if kind == "Delayed" and root == "dask":
        return f"{name} is not computed yet.", f"Type: %dtale {name}.compute()"
    return None


def _say_of_library(value: Any, name: str) -> tuple[str, str] | None:
    root = type(value).__module__.partition(".")[0]
    if root == "polars":
        return (
            f"{name} is a polars {type(value).__name__}, not yet a table.",
            f"Type: %dtale pl.select({name})",
        )
    if callable(getattr(value, "fetchmany", None)):
        return f"{name} has no rows to show.", "Execute a query first: a SELECT, say."
    if callable(getattr(value, "cursor", None)) and callable(getattr(value, "execute", None)):
        query = f"%dtale {name}.execute('SELECT …')"
        return f"{name} is a connection, and holds no rows.", f"Ask it for some: {query}"
    if hasattr(value, "savefig"):
        return f"{name} is a figure, not a table.", f"It shows itself: type {name} alone."
    return None


def _say_of_value(value: Any, name: str) -> tuple[str, str]:
    is_numpys = type(value).__module__.partition(".")[0] == "numpy"
    if is_numpys or isinstance(value, str | bytes | bytearray | int | float | complex):
        what = f"{name} is a single value ({type(value).__name__}), not a table."
        return what, f"Type: %dtale [{name}]"
    shown = (
        f"D-Tale shows tables of {_LIBRARIES}, lists, dictionaries, and whatever has "
        f"__arrow_c_stream__, __dataframe__ or __array__. To see it as one value: %dtale [{name}]"
    )
    return f"D-Tale cannot show {name} ({_kind(value)}): it holds no table that can be read.", shown
