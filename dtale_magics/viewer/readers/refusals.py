"""What to say about objects that cannot be shown: one sentence, and a command that works."""

from __future__ import annotations

import ast
import inspect
import os
from dataclasses import dataclass
from pathlib import PurePath
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
_READERS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".parquet": "parquet",
    ".feather": "feather",
    ".xlsx": "excel",
    ".xls": "excel",
}
"""The pandas function that reads a file, by the suffixes of its name."""

_QUERIES = {
    "duckdb": "sql('SHOW ALL TABLES')",
    "_duckdb": "sql('SHOW ALL TABLES')",
    "sqlite3": "execute('SELECT * FROM sqlite_master')",
}
"""A query for a connection that works in every database of its kind."""


def operand(expression: str) -> str:
    """Write an expression so that a dot, a bracket or a call can follow it: ``(a + b)``."""
    try:
        node = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError):
        return expression
    # Only the larger expression tells whether brackets are needed.
    return ast.unparse(ast.Attribute(node, "x")).removesuffix(".x").rstrip()


@dataclass(frozen=True)
class Refusals:
    """The errors for one object that cannot be shown.

    Attributes
    ----------
    name
        What the user calls it.
    typed
        The expression that it came from, which hints build on.
    """

    name: str
    typed: str

    def no_table(self, value: Any) -> FrameRefusedError:
        """Make the error for an object that holds no table."""
        what, hint = self._say(value)
        return FrameRefusedError(self.name, what, hint)

    def dimensions(self, what: str, number: int) -> FrameRefusedError:
        """Make the error for an array that is not a table."""
        array = operand(self.typed)
        return FrameRefusedError(
            self.name,
            f"{self.name} is {what} with {number} dimensions; a table has two.",
            f"Show one slice: %dtale {array}{'[0]' * (number - 2)}"
            f"   or lay it flat: %dtale {array}.reshape(len({self.typed}), -1)",
        )

    def failed(self, value: Any, error: Exception) -> FrameRefusedError:
        """Make the error for an object whose own library could not give its rows."""
        reason = (str(error).strip().partition("\n")[0] or type(error).__name__)[:300]
        missing = isinstance(error, ImportError) and "pyarrow" in str(error)
        hint = (
            "Install it: %pip install pyarrow"
            if missing
            else f"The error is of {_kind(value)}; see whether its rows can be had in a cell."
        )
        what = f"{self.name} ({_kind(value)}) cannot be read: {reason}"
        return FrameRefusedError(self.name, what, hint)

    def _say(self, value: Any) -> tuple[str, str]:
        return (
            self._say_of_none(value)
            or self._say_of_unfinished(value)
            or self._say_of_code(value)
            or self._say_of_library(value)
            or self._say_of_file(value)
            or self._say_of_value(value)
        )

    def _say_of_none(self, value: Any) -> tuple[str, str] | None:
        if value is not None:
            return None
        changed = _changed_in_place(self.typed)
        if changed:
            hint = f"With inplace=True, a call gives nothing back. Type: %dtale {changed}"
            return f"{self.name} is None.", hint
        return f"{self.name} is None.", "Assign a frame first, or check what the call returned."

    def _say_of_code(self, value: Any) -> tuple[str, str] | None:
        name = self.name
        if inspect.isclass(value):
            return f"{name} is a class, not a table.", f"Make one first: frame = {self.typed}(…)"
        if inspect.isroutine(value):
            return (
                f"{name} is a function that was not called.",
                f"Did you leave out the brackets? Type: %dtale {operand(self.typed)}()",
            )
        if inspect.ismodule(value):
            return f"{name} is a module, not a table.", "Name a frame in it."
        if inspect.isawaitable(value):
            awaited = f"await {operand(self.typed)}"
            return f"{name} is to be awaited before there is a table.", f"Type: %dtale {awaited}"
        if inspect.isasyncgen(value):
            rows = f"[row async for row in {operand(self.typed)}]"
            return f"{name} gives its rows where it is awaited.", f"Type: %dtale {rows}"
        return None

    def _say_of_unfinished(self, value: Any) -> tuple[str, str] | None:
        name, kind = self.name, type(value).__name__
        root = type(value).__module__.partition(".")[0]
        groupings = _GROUPED_ELSEWHERE.get(root, _GROUPED)
        if kind in groupings:
            return (
                f"{name} is a grouping, of which nothing is computed yet.",
                (
                    "Say what of each group, for example: "
                    f"%dtale {operand(self.typed)}.{groupings[kind]}"
                ),
            )
        computed = f"{operand(self.typed)}.compute()"
        if kind == "Scalar" and root == "dask":
            return f"{name} is a single value, not computed yet.", f"Type: %dtale [{computed}]"
        if kind == "Delayed" and root == "dask":
            return f"{name} is not computed yet.", f"Type: %dtale {computed}"
        return None

    def _say_of_library(self, value: Any) -> tuple[str, str] | None:
        name, kind = self.name, type(value).__name__
        root = type(value).__module__.partition(".")[0]
        if root == "dtale" and hasattr(value, "data"):
            return (
                f"{name} is a grid of D-Tale's.",
                (
                    f"It shows itself: type {self.typed} alone. "
                    f"What it holds: %dtale {operand(self.typed)}.data"
                ),
            )
        if root == "polars":
            what = f"{name} is a polars {kind}, not yet a table."
            return what, f"Type: %dtale pl.select({self.typed})"
        if callable(getattr(value, "cursor", None)) and callable(getattr(value, "commit", None)):
            query = _QUERIES.get(root, "execute('SELECT …')")
            return (
                f"{name} is a connection to a database.",
                f"Show what a query finds, for example: %dtale {operand(self.typed)}.{query}",
            )
        if callable(getattr(value, "fetchmany", None)):
            return f"{name} has no rows to show.", "Execute a query first: a SELECT, say."
        if hasattr(value, "savefig"):
            return (
                f"{name} is a figure, not a table.",
                f"It shows itself: type {self.typed} alone.",
            )
        return None

    def _say_of_file(self, value: Any) -> tuple[str, str] | None:
        if not isinstance(value, str | os.PathLike):
            return None
        suffixes = PurePath(os.fsdecode(value)).suffixes
        suffixes = [one for one in map(str.lower, suffixes) if one in _READERS]
        if not suffixes and isinstance(value, str):
            return None
        reader = _READERS[suffixes[0]] if suffixes else "csv"
        tabs = ", sep='\\t'" if suffixes[:1] == [".tsv"] else ""
        return (
            f"{self.name} is the name of a file, not a table.",
            (
                "Read it, for example: "
                f"import pandas as pd   and   %dtale pd.read_{reader}({self.typed}{tabs})"
            ),
        )

    def _say_of_value(self, value: Any) -> tuple[str, str]:
        is_numpys = type(value).__module__.partition(".")[0] == "numpy"
        if is_numpys or isinstance(value, str | bytes | bytearray | int | float | complex):
            what = f"{self.name} is a single value ({type(value).__name__}), not a table."
            return what, f"Type: %dtale [{self.typed}]"
        shown = (
            f"D-Tale shows tables of {_LIBRARIES}, lists, dictionaries, and whatever has "
            "__arrow_c_stream__, __dataframe__ or __array__. "
            f"To see it as one value: %dtale [{self.typed}]"
        )
        what = f"D-Tale cannot show {self.name} ({_kind(value)})"
        return f"{what}: it holds no table that can be read.", shown


def is_unfinished(value: Any) -> bool:
    """Whether a value is a grouping or the like, which has a table's methods but is not one."""
    kind, root = type(value).__name__, type(value).__module__.partition(".")[0]
    return kind in _GROUPED_ELSEWHERE.get(root, _GROUPED) or (
        root == "dask" and kind in {"Scalar", "Delayed"}
    )


def _kind(value: Any) -> str:
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"


def _changed_in_place(expression: str) -> str:
    """Return what ``frame.method(…, inplace=True)`` changes; nothing for any other expression."""
    try:
        node = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    match node:
        case ast.Call(func=ast.Attribute(value=changed), keywords=keywords) if any(
            one.arg == "inplace" for one in keywords
        ):
            return ast.unparse(changed)
    return ""
