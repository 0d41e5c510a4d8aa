"""Replacements for functions of D-Tale's while the extension is loaded.

Each does what D-Tale's function does, for more frames (`preparation`), more exactly (`exact`) or
faster (`description`). They are installed as part of the import of ``dtale.app``.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
from flask import has_request_context, request

from dtale_magics.viewer.frames import description, exact, preparation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    Replace = Callable[[ModuleType, str, object], None]

INSTANTS = "_dtale_magics_instants"
"""Attribute of D-Tale's instance that has its columns with a time zone, by name."""


_WRITTEN = frozenset({"dtale.data_export", "dtale.build_column_text", "dtale.build_row_text"})
"""D-Tale's functions that write values into files and into the clipboard."""


class _Here(threading.local):
    """Collects what is prepared in this thread."""

    prepared: list[preparation.Prepared] | None = None


_here = _Here()


@contextmanager
def noted() -> Iterator[list[preparation.Prepared]]:
    """Collect how frames are prepared that D-Tale loads in this thread inside the ``with``."""
    found: list[preparation.Prepared] = []
    _here.prepared = found
    try:
        yield found
    finally:
        _here.prepared = None


def install(views: ModuleType, state: ModuleType, replace: Replace) -> None:
    """Replace D-Tale's functions.

    Parameters
    ----------
    views, state
        ``dtale.views`` and ``dtale.global_state``.
    replace
        Replaces an attribute of a module.
    """
    _classify_unsigned_numbers(replace)
    description.install(views, replace)
    replace(views, "format_data", _format_data(views.format_data))
    replace(views, "grid_formatter", _grid_formatter(views, state))
    replace(views, "get_str_arg", _get_str_arg(views.get_str_arg, state))
    replace(views, "run_query", _run_query(views, state))


def _classify_unsigned_numbers(replace: Replace) -> None:
    """Have D-Tale's modules treat unsigned integers as numbers, as its page does."""
    original = sys.modules["dtale.utils"].classify_type

    def classify_type(name: str | None) -> str:
        return "I" if (name or "").lower().startswith("uint") else original(name)

    for module_name, module in list(sys.modules.items()):
        is_dtales = module_name.partition(".")[0] == "dtale"
        if is_dtales and getattr(module, "classify_type", None) is original:
            replace(module, "classify_type", classify_type)


def _format_data(original: Callable[..., Any]) -> Callable[..., Any]:
    def format_data(data: Any, inplace: bool = False, drop_index: bool = False) -> Any:  # noqa: FBT001, FBT002 (D-Tale's signature)
        del inplace  # the user's frame is never changed
        if isinstance(data, pd.Series):
            data = data.to_frame(0 if data.name is None else data.name)
        elif isinstance(data, pd.Index):
            data = data.to_frame(index=False)
        if not isinstance(data, pd.DataFrame):
            data, _ = original(data, inplace=False, drop_index=drop_index)
            drop_index = False
        prepared = preparation.prepare(data, drop_index=drop_index)
        if _here.prepared is not None:
            _here.prepared.append(prepared)
        return prepared.frame, prepared.index

    return format_data


def _grid_formatter(views: Any, state: Any) -> Callable[..., Any]:
    original = views.grid_formatter

    def grid_formatter(
        col_types: Any,
        nan_display: Any = "",
        overrides: Any = None,
        as_string: bool = False,  # noqa: FBT001, FBT002 (D-Tale's signature)
    ) -> Any:
        # D-Tale's descriptions of a frame have this; those that it makes for other tables do not.
        is_frame = col_types and all("unique_ct" in column for column in col_types)
        if not is_frame or overrides or as_string:
            return original(col_types, nan_display, overrides, as_string)
        classify, instants = views.classify_type, _instants_of_request(state)
        return exact.GridFormatter(col_types, nan_display, classify, instants)

    return grid_formatter


def _get_str_arg(original: Callable[..., Any], state: Any) -> Callable[..., Any]:
    def get_str_arg(request: Any, name: str, default: Any = None) -> Any:
        value = original(request, name, default)
        if name == "updated" and value and request.endpoint == "dtale.edit_cell":
            column = _instants_of_request(state).get(original(request, "col"))
            return value if column is None else exact.local_time(value, column)
        return value

    return get_str_arg


def _run_query(views: Any, state: Any) -> Callable[..., Any]:
    original = views.run_query

    def run_query(*args: Any, **keywords: Any) -> Any:
        data = original(*args, **keywords)
        if not has_request_context() or request.endpoint not in _WRITTEN:
            return data
        is_text = request.args.get("type") != "parquet"
        return exact.written(data, _instants_of_request(state), as_text=is_text)

    return run_query


def _instants_of_request(state: Any) -> Mapping[str, Any]:
    """Return the columns with a time zone of the requested frame."""
    data_id = (request.view_args or {}).get("data_id") if has_request_context() else None
    if data_id is None or not state.contains(data_id):
        return {}
    return getattr(state.get_data_inst(data_id), INSTANTS, None) or {}
