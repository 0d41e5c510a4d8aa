"""What a frame keeps of the user's work in D-Tale when its cell is run again.

It keeps what the user has set, as far as that still applies to the new values. D-Tale's own
defaults (columns hidden from the hundredth on, a locked index) are derived from the new frame.
"""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from dtale_magics.viewer import kept_filters
from dtale_magics.viewer.layout import arrange
from dtale_magics.viewer.patches import hardening

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from dtale_magics.viewer.layout import Layout

logger = logging.getLogger(__name__)

_SETTING_OF_OPTION = {
    "range_highlights": "rangeHighlight",
    "column_formats": "columnFormats",
    "background_mode": "backgroundMode",
    "vertical_headers": "verticalHeaders",
    "highlight_filter": "highlightFilter",
    "nan_display": "nanDisplay",
    "sort": "sortInfo",
}

_OF_THE_DATA = frozenset({"indexes", "locked", "startup_code"})

_VISIBILITY = frozenset({"show_columns", "hide_columns"})

_HEATMAP_OF_ONE = "heatmap-col-"

_ALL = "all"
"""D-Tale's word for "every column" in highlights."""


_WORDS = {"N": "numbers", "D": "dates", "S": "text", "B": "true and false", "TD": "durations"}
"""What the columns of each of D-Tale's classes hold."""


class Tools(NamedTuple):
    """D-Tale's modules: ``dtale.query``, ``dtale.views``, ``dtale.utils``."""

    query: ModuleType
    views: ModuleType
    utils: ModuleType


class Laid(NamedTuple):
    """A frame as D-Tale has it, and its layout when it was loaded."""

    instance: Any
    layout: Layout


def carry_over(former: Laid, fresh: Laid, options: Mapping[str, Any], tools: Tools) -> list[str]:
    """Give `fresh` what the user has set in `former`, as far as it still applies.

    Parameters
    ----------
    former, fresh
        The same frame before and after; the layout of `fresh` is updated.
    options
        Show options that the user gave this time; they take precedence.
    tools
        D-Tale's modules.

    Returns
    -------
    list of str
        What no longer applies and was left out, in words.
    """
    (instance, before), (loaded, layout) = former, fresh
    given = {_SETTING_OF_OPTION.get(option, option) for option in options}
    kept = {
        key: value
        for key, value in (instance.settings or {}).items()
        if key not in given and key not in _OF_THE_DATA
    }
    columns = _Columns(instance.dtypes or [], loaded.dtypes, tools.utils.classify_type)
    dropped: list[str] = []
    _keep_looks(kept, columns, dropped)
    if options.get(hardening.ENABLE_HTML) is False:
        _drop_html(kept, dropped)
    loaded.context_variables = {
        **(instance.context_variables or {}),
        **(loaded.context_variables or {}),
    }
    sort = kept.pop("sortInfo", None)
    kept_filters.keep(kept, loaded, columns, tools, dropped)
    loaded.settings = {**loaded.settings, **kept}
    if sort:
        _sort(loaded, sort, columns, tools.utils, dropped)
    locked = None if "locked" in given else _still_locked(instance, before, layout)
    _note_moves(instance, before, layout)
    arrange(loaded, layout, locked, tuple(instance.data.columns))
    if not given & _VISIBILITY:
        _set_visibility(former, fresh)
    layout.hides_empty = layout.hides_empty or before.hides_empty
    return dropped


def carry_over_safely(
    former: Laid, fresh: Laid, options: Mapping[str, Any], tools: Tools
) -> list[str]:
    """Do the same, or nothing: code can set anything, and that must not make a show fail."""
    loaded, layout = fresh
    names = ("data", "dtypes", "settings", "context_variables")
    as_loaded = {name: getattr(loaded, name) for name in names}
    layout_as_loaded = copy.copy(layout)
    try:
        return carry_over(former, fresh, options, tools)
    except Exception as error:
        logger.exception("what was set in the grid cannot be kept")
        for name, value in as_loaded.items():
            setattr(loaded, name, value)
        vars(layout).update(vars(layout_as_loaded))
        return [f"all that was set in its grid (reading it failed: {error})"]


class _Columns:
    """The columns of a frame before and after, and D-Tale's classes of their types."""

    def __init__(self, former: Any, loaded: Any, classify: Any) -> None:
        self._former = {one["name"]: _class(one["dtype"], classify) for one in former}
        self._loaded = {one["name"]: _class(one["dtype"], classify) for one in loaded}
        self.described: Mapping[str, Any] = {one["name"]: one for one in loaded}

    def __contains__(self, column: object) -> bool:
        return column in self._loaded

    def why_not(self, column: str) -> str:
        """Say why settings for a column no longer apply to it; empty if they do."""
        if column not in self._loaded:
            return "is gone"
        now = self._loaded[column]
        if now != self._former.get(column, now):
            return f"holds {_WORDS.get(now, 'other values')} now"
        return ""


def _class(dtype: str, classify: Any) -> str:
    """Return D-Tale's class of a type; all numbers are one class, as gaps make integers floats."""
    found: str = classify(dtype)
    return "N" if found in {"I", "F"} else found


def _keep_looks(kept: dict[str, Any], columns: _Columns, dropped: list[str]) -> None:
    """Remove formats, highlights and the like from `kept` where they no longer apply."""
    for key, word in (("columnFormats", "format"), ("rangeHighlight", "highlights")):
        if isinstance(kept.get(key), dict):
            reasons = {
                column: "" if column == _ALL else columns.why_not(column) for column in kept[key]
            }
            kept[key] = {name: one for name, one in kept[key].items() if not reasons[name]}
            dropped += [
                f"the {word} of {column} (it {why})" for column, why in reasons.items() if why
            ]
    if isinstance(kept.get("column_edit_options"), dict):
        offered = kept["column_edit_options"]
        kept["column_edit_options"] = {
            name: one for name, one in offered.items() if name in columns
        }
    if isinstance(kept.get("allow_cell_edits"), list):
        kept["allow_cell_edits"] = [name for name in kept["allow_cell_edits"] if name in columns]
    mode = kept.get("backgroundMode") or ""
    if mode.startswith(_HEATMAP_OF_ONE) and mode != f"{_HEATMAP_OF_ONE}all":
        column = mode.removeprefix(_HEATMAP_OF_ONE)
        why = columns.why_not(column)
        if why:
            kept["backgroundMode"] = None
            dropped.append(f"the heat map of {column} (it {why})")


def _drop_html(kept: dict[str, Any], dropped: list[str]) -> None:
    """Remove from `kept` the formats that D-Tale would still render as HTML."""
    formats = kept.get("columnFormats") or {}
    html = [column for column, one in formats.items() if hardening.renders_html({column: one})]
    kept["columnFormats"] = {name: one for name, one in formats.items() if name not in html}
    dropped += [f"the format of {column} (it renders HTML)" for column in html]


def _sort(loaded: Any, sort: Any, columns: _Columns, utils: Any, dropped: list[str]) -> None:
    """Sort the data, too: the grid does so only when its sorting changes."""
    pairs = [pair for pair in sort if pair[0] in columns]
    dropped += [f"sorting by {pair[0]} (it is gone)" for pair in sort if pair[0] not in columns]
    if not pairs:
        return
    try:
        data = utils.sort_df_for_grid(loaded.data, {"sort": pairs})
    except Exception:  # noqa: BLE001 (whatever the values' own comparison raises)
        names = ", ".join(str(pair[0]) for pair in pairs)
        dropped.append(f"sorting by {names} (its values cannot be compared)")
    else:
        loaded.data = data
        loaded.settings = {**loaded.settings, "sortInfo": pairs}


def _still_locked(former: Any, before: Layout, layout: Layout) -> list[str]:
    """Return what the user has locked, and the index unless the user has unlocked it."""
    locked = list((former.settings or {}).get("locked") or ())
    unlocked = set(before.indexes) - set(locked)
    index = [name for name in layout.indexes if name not in unlocked]
    return [*index, *(name for name in locked if name not in before.indexes)]


def _note_moves(former: Any, before: Layout, layout: Layout) -> None:
    """Note whether the user has moved columns, other than by locking them."""
    locked = {*before.locked, *((former.settings or {}).get("locked") or ())}
    now = [name for name in former.data.columns if name in before.order and name not in locked]
    was = [name for name in before.order if name in now]
    layout.moved = before.moved or now != was


def _set_visibility(former: Laid, fresh: Laid) -> None:
    """Hide and show exactly the columns that the user has hidden and shown."""
    (instance, before), (loaded, layout) = former, fresh
    wanted = {}
    for column in instance.dtypes or []:
        name, visible = column["name"], column.get("visible", True)
        is_default = visible == (name not in before.hidden_by_default)
        if not is_default or before.visibility.get(name) == visible:
            wanted[name] = visible
    shown = [
        {**column, "visible": wanted.get(column["name"], column["visible"])}
        for column in loaded.dtypes
    ]
    if any(column["visible"] for column in shown) or not shown:
        loaded.dtypes = shown
        layout.visibility = wanted
