"""Check that D-Tale's show options fit each other and the frame, before anything changes.

D-Tale itself silently accepts a column that does not exist, and shows a grid without columns.
"""

from __future__ import annotations

import difflib
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UsageError
from dtale_magics.viewer.show_options import WAYS
from dtale_magics.wording import as_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

LISTED = 20
"""How many columns an error lists."""

_ALL_COLUMNS = "all"
"""The word for "every column" in ``--range-highlights``."""

_WITH_WAY = re.compile(r"(.+?)(?:\s*:\s*|\s+)(asc|desc)", re.IGNORECASE)
_HEATMAP_OF_ONE = "heatmap-col-"


def check(options: Mapping[str, Any], columns: Sequence[str], frame: str) -> None:
    """Refuse options that name a column which the frame does not have.

    Parameters
    ----------
    options
        Those that the user gave, by D-Tale's keyword.
    columns
        D-Tale's names of the columns: as text, those of the index first.
    frame
        What the user calls it.

    Raises
    ------
    UsageError
        Says which columns there are.
    """
    for option, value in options.items():
        named = _COLUMNS_OF.get(option)
        for column in named(value) if named and value else ():
            if column not in columns:
                raise _no_column(option, column, columns, frame)
    shown = set(options.get("show_columns") or columns)
    hidden = set(options.get("hide_columns") or ())
    if columns and hidden and not shown - hidden:
        raise UsageError(
            f"Every column of {frame} would be hidden.", "Leave out one in --hide-columns."
        )


@contextmanager
def before_analysis(views: ModuleType, options: Mapping[str, Any], frame: str) -> Iterator[None]:
    """Have D-Tale, in this thread, `check` a frame as soon as it knows the columns.

    Parameters
    ----------
    views
        ``dtale.views``.
    options, frame
        See `check`.
    """
    here, format_data, sort = threading.get_ident(), views.format_data, views.sort_df_for_grid

    def checked(data: Any, *args: Any, **keywords: Any) -> Any:
        formatted, index = format_data(data, *args, **keywords)
        if threading.get_ident() == here:  # other frames' pages are served meanwhile
            check(options, list(formatted.columns), frame)
        return formatted, index

    def sorted_as_asked(data: Any, how: Any) -> Any:
        try:
            return sort(data, how)
        except TypeError as error:
            if threading.get_ident() != here or "sort" not in options:
                raise
            columns = " or ".join(repr(column) for column, _ in how["sort"])
            raise UsageError(
                f"{frame} cannot be sorted by {columns}: {error}.", "Leave out --sort."
            ) from None

    views.format_data = checked  # type: ignore[attr-defined]
    views.sort_df_for_grid = sorted_as_asked  # type: ignore[attr-defined]
    try:
        yield
    finally:
        views.format_data = format_data  # type: ignore[attr-defined]
        views.sort_df_for_grid = sort  # type: ignore[attr-defined]


def flag(option: str) -> str:
    """Return what is typed for one of D-Tale's keywords."""
    return "--" + option.replace("_", "-")


def column_list(columns: Iterable[str]) -> str:
    """List columns, not too many of them."""
    names = [str(column) for column in columns]
    more = f" … and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _no_column(option: str, column: str, columns: Sequence[str], frame: str) -> UsageError:
    without_quotes = _without_quotes(option, column, columns)
    if without_quotes:
        return UsageError(
            f"{frame} has no column {column!r}, which {flag(option)} names.",
            f"In quotes it is one name; type: {flag(option)} {without_quotes}",
        )
    if option == "sort" and (base := column.rpartition(":")[0]) in columns and base:
        way = column.rpartition(":")[2]
        return UsageError(
            f"--sort {column}: {way!r} is no direction; there are ASC and DESC.",
            f"Type for example: --sort {base}:DESC",
        )
    near = difflib.get_close_matches(column, columns, n=1, cutoff=0.5)
    if not near:
        near = [one for one in columns if one.casefold() == column.casefold()]
    guess = f"Did you mean {near[0]}? " if near else ""
    if option == "sort" and (column.startswith("-") or column.upper() in WAYS):
        first = near[0] if near else columns[0] if columns else "a"
        guess = f"Type for example: --sort {as_word(first)}:DESC   "
    listed = f"Columns: {column_list(columns)}" if columns else "It has no columns."
    what = f"{frame} has no column {column!r}, which {flag(option)} names."
    return UsageError(what, guess + listed)


def _without_quotes(option: str, text: str, columns: Sequence[str]) -> str:
    """Return how to type names that were put into one pair of quotes; nothing if they are none."""
    parts = []
    for part in re.split(r"\s*,\s*", text):
        column, way = part, ""
        if option == "sort" and (match := _WITH_WAY.fullmatch(part)):
            column, way = match[1], f":{match[2].upper()}"
        if column not in columns:
            return ""
        parts.append(f"{as_word(column)}{way}")
    return ",".join(parts)


def _keys(value: Mapping[str, Any]) -> list[str]:
    return [str(key) for key in value if key != _ALL_COLUMNS]


def _of_sort(value: Iterable[Sequence[str]]) -> list[str]:
    return [str(pair[0]) for pair in value]


def _of_edits(value: Any) -> list[str]:
    return [] if isinstance(value, bool) else list(value)


def _of_background(value: str) -> list[str]:
    one = value.startswith(_HEATMAP_OF_ONE) and value != f"{_HEATMAP_OF_ONE}all"
    return [value.removeprefix(_HEATMAP_OF_ONE)] if one else []


_COLUMNS_OF: dict[str, Callable[[Any], list[str]]] = {
    "show_columns": list,
    "hide_columns": list,
    "locked": list,
    "sort": _of_sort,
    "column_formats": _keys,
    "range_highlights": _keys,
    "column_edit_options": _keys,
    "allow_cell_edits": _of_edits,
    "background_mode": _of_background,
}
"""Functions that return the columns that an option's value names."""
