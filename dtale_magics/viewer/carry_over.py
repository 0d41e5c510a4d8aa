"""What a frame keeps of the user's work in D-Tale when its cell is run again."""

from __future__ import annotations

import sys
from typing import Any

from dtale_magics.viewer import column_names, preparation

_SETTING_OF_OPTION = {
    "range_highlights": "rangeHighlight",
    "column_formats": "columnFormats",
    "background_mode": "backgroundMode",
    "vertical_headers": "verticalHeaders",
    "highlight_filter": "highlightFilter",
    "nan_display": "nanDisplay",
    "sort": "sortInfo",
}
_OF_THE_DATA = {"indexes", "locked"}
_BY_COLUMN = ("columnFilters", "outlierFilters", "columnFormats", "rangeHighlight")


def columns_to_lock(former: Any, frame: Any) -> list[str] | None:
    """Columns that were locked and that `frame` has as well, its named index first.

    None where that cannot be told before D-Tale has converted the frame.
    """
    locked = (former.settings or {}).get("locked")
    index, columns = getattr(frame, "index", None), getattr(frame, "columns", None)
    if not locked or index is None or columns is None:
        return None
    names = column_names.of(frame, with_index=preparation.is_shown(index))
    kept = [name for name in locked if name in names.columns]
    return names.index + kept or None


def carry_over(former: Any, loaded: Any, options: dict[str, Any]) -> None:
    """Give `loaded` the filters, formats, sorting and hidden columns of `former` that still apply.

    Parameters
    ----------
    former, loaded
        D-Tale's instances of the same frame before and after.
    options
        Show options that the user gave this time; they win.
    """
    given = {_SETTING_OF_OPTION.get(option, option) for option in options}
    kept = {
        key: value
        for key, value in (former.settings or {}).items()
        if key not in given and key not in _OF_THE_DATA
    }
    types = {column["name"]: column["dtype"] for column in loaded.dtypes}
    former_types = {column["name"]: column["dtype"] for column in former.dtypes or []}

    def applies(column: str) -> bool:
        return column in types and types[column] == former_types.get(column, types[column])

    for key in _BY_COLUMN:
        if isinstance(kept.get(key), dict):
            kept[key] = {
                column: value
                for column, value in kept[key].items()
                if applies(column) or column == "all"
            }
    sort = [pair for pair in kept.pop("sortInfo", None) or [] if pair[0] in types]
    if sort:
        # The grid sorts only when its sorting changes, so the data has to be sorted to match.
        kept["sortInfo"] = sort
        sort_frame = sys.modules["dtale.utils"].sort_df_for_grid
        loaded.data = sort_frame(loaded.data, {"sort": sort})
    loaded.settings = {**loaded.settings, **kept}
    if not given & {"show_columns", "hide_columns"}:
        visible = {column["name"]: column.get("visible", True) for column in former.dtypes or []}
        for column in loaded.dtypes:
            column["visible"] = visible.get(column["name"], column["visible"])
