"""Which filters of a frame still apply when it is shown again: each is tried on the new values."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Columns(Protocol):
    described: Mapping[str, Any]

    def why_not(self, column: str) -> str: ...


class _Tools(Protocol):
    @property
    def query(self) -> Any: ...
    @property
    def views(self) -> Any: ...


def keep(
    kept: dict[str, Any], loaded: Any, columns: _Columns, tools: _Tools, dropped: list[str]
) -> None:
    """Remove from `kept` the filters that do not apply to `loaded`, and list them in `dropped`.

    Parameters
    ----------
    kept
        Settings of the former frame.
    loaded
        D-Tale's instance with the new values, and all its context variables.
    columns
        The frame's columns before and after.
    tools
        D-Tale's modules.
    dropped
        What was left out, in words.
    """
    attempt = _Attempt(loaded, tools.query)
    filters = kept.get("columnFilters") or {}
    reasons = {
        name: columns.why_not(name) or attempt.why_not(one.get("query"))
        for name, one in filters.items()
    }
    kept["columnFilters"] = {name: one for name, one in filters.items() if not reasons[name]}
    dropped += [f"the filter on {name} (it {why})" for name, why in reasons.items() if why]
    _keep_outliers(kept, columns, tools.views, attempt, dropped)
    custom = kept.get("query")
    why = attempt.why_not(custom)
    if custom and why:
        kept["query"] = ""
        dropped.append(f"the custom filter {custom!r} (it {why})")
    _keep_predefined(kept, loaded, dropped)


def _keep_outliers(
    kept: dict[str, Any], columns: _Columns, views: Any, attempt: _Attempt, dropped: list[str]
) -> None:
    """Renew the filters for outliers: which values are outliers depends on all values."""
    filters = {}
    for name, one in (kept.get("outlierFilters") or {}).items():
        described = columns.described.get(name, {})
        query, why = None, columns.why_not(name)
        if not why:
            query = _outliers(described, name, views)
            why = "has no outliers now" if query is None else attempt.why_not(query)
        if why:
            dropped.append(f"the filter on outliers of {name} (it {why})")
        else:
            filters[name] = {**one, "query": query}
    if "outlierFilters" in kept:
        kept["outlierFilters"] = filters


def _outliers(described: Mapping[str, Any], name: str, views: Any) -> str | None:
    limits = described.get("outlierRange")
    if not limits or not described.get("hasOutliers") or "min" not in described:
        return None
    query: str = views.build_outlier_query(
        limits["lower"], limits["upper"], described["min"], described["max"], name
    )
    return query


def _keep_predefined(kept: dict[str, Any], loaded: Any, dropped: list[str]) -> None:
    """Switch off predefined filters that fail; keep D-Tale's settings for new and removed ones."""
    filters = {one.name: one for one in sys.modules["dtale.predefined_filters"].get_filters()}
    chosen = {
        name: one for name, one in (kept.get("predefinedFilters") or {}).items() if name in filters
    }
    for name, one in chosen.items():
        if not one.get("active", True) or one.get("value") is None:
            continue
        try:
            filters[name].handler(loaded.data, one["value"])
        except Exception:  # noqa: BLE001 (the user's own function)
            chosen[name] = {**one, "active": False}
            dropped.append(f"the predefined filter {name} (it fails on the new values)")
    kept["predefinedFilters"] = {**(loaded.settings.get("predefinedFilters") or {}), **chosen}
    if not kept["predefinedFilters"]:
        del kept["predefinedFilters"]


class _Attempt:
    """Tries filters on the new values."""

    def __init__(self, loaded: Any, query: Any) -> None:
        self._loaded = loaded
        self._query = query

    def why_not(self, query: str | None) -> str:
        """Say why a filter cannot be applied; empty if it can, even if no row passes it."""
        if not query:
            return ""
        try:
            self._query.run_query(
                self._loaded.data, query, self._loaded.context_variables, ignore_empty=True
            )
        except Exception as error:  # noqa: BLE001 (whatever pandas says of it)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            return f"fails: {reason[:120]}"
        return ""
