"""D-Tale's description of columns: the same values, from vectorised code.

D-Tale calls a Python function for each date of a column (7 µs each), looks for the smallest and
greatest value of columns for which it uses neither, and hashes where sorting is quicker. `install`
replaces the functions of ``dtale.views`` that do so; first shows, filter changes, edited cells and
dropped rows all go through them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dtale_magics.viewer.frames import order, timestamps

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Replace = Callable[[ModuleType, str, object], None]

_NEVER_BLANK = frozenset({"date", "decimal", "time"})
"""Names that ``infer_dtype`` gives to objects whose text is never empty."""


def install(views: ModuleType, replace: Replace) -> None:
    """Have D-Tale describe columns with the functions of this module.

    Parameters
    ----------
    views
        ``dtale.views``.
    replace
        Replaces an attribute of a module.
    """
    for make in (_apply, _unique_count, _calc_data_ranges, _calc_outlier_range, _dtype_formatter):
        name = make.__name__[1:]
        replace(views, name, make(views, getattr(views, name)))


def _apply(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    del views

    def apply(values: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        # In this module, D-Tale applies only one function to dates: the one for time stamps.
        if isinstance(values, pd.Series) and order.kind(values) == "M" and len(values):
            return timestamps.timestamps(values)
        return original(values, function, *args, **kwargs)

    return apply


def _unique_count(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    del views

    def unique_count(values: Any) -> Any:
        found = order.order_of(values)
        return original(values) if found is None else found.unique

    return unique_count


def _calc_data_ranges(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def calc_data_ranges(data: Any, dtypes: Any = None) -> Any:
        # D-Tale uses the ranges of numbers only, but gives up all of them if one column has none.
        safe = len(data) and all(
            order.kind_of(dtype) in {*"biufmM"}
            or isinstance(dtype, pd.CategoricalDtype | pd.StringDtype)
            for dtype in data.dtypes
        )
        if not safe:
            return original(data, dtypes or {})
        # For the rows of a filter, D-Tale asks about numbers only, and passes no types.
        numbers = [
            name
            for name in data.columns
            if not dtypes or views.classify_type(dtypes.get(name)) in "FI"
        ]
        return {
            name: {"min": _python(column.min()), "max": _python(column.max())}
            for name, column in ((name, data[name]) for name in numbers)
        }

    return calc_data_ranges


def _calc_outlier_range(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    del views

    def calc_outlier_range(values: Any) -> Any:
        # In pandas, floats of four bytes take another path and are rounded differently.
        found = None if values.dtype == "float32" else order.order_of(values)
        if found is None or not found.count or found.kind == "M":
            return original(values)
        lower, upper = found.quantile(0.25), found.quantile(0.75)
        spread = upper - lower
        return lower - 1.5 * spread, upper + 1.5 * spread

    return calc_outlier_range


def _dtype_formatter(views: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def dtype_formatter(data: Any, dtypes: Any, data_ranges: Any, prev_dtypes: Any = None) -> Any:
        describe = original(data, dtypes, data_ranges, prev_dtypes)

        def described(index: int, name: str) -> dict[str, Any]:
            if dtypes.get(name) not in _NEVER_BLANK or data[name].isna().any():
                try:
                    with np.errstate(all="ignore"):  # a range may be wider than a float
                        return _plain(describe(index, name))  # type: ignore[no-any-return]
                finally:
                    order.last.clear()
            before = (prev_dtypes or {}).get(name, {})
            return {
                "name": name,
                "dtype": dtypes[name],
                "index": index,
                "visible": before.get("visible", True),
                "hasOutliers": 0,
                "hasMissing": 0,
                "unique_ct": views.unique_count(data[name]),
            }

        return described

    return dtype_formatter


def _python(value: Any) -> Any:
    """Return a NumPy number as one of Python's, which JSON can have."""
    return value.item() if hasattr(value, "item") else value


def _plain(found: Any) -> Any:
    """Return a description with Python's own numbers: NumPy's four-byte ones cannot be sent."""
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    return _python(found)
