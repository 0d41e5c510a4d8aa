"""A frame's rows for somebody who only looks: sorted and filtered for one request.

D-Tale keeps a frame's sorting and filters in one state that everybody who sees it shares, and its
own menus offer far more than looking. So none of its routes is used here: each request says what
it wants, and nothing in D-Tale changes. Filters are applied as comparisons, never evaluated.
"""

from __future__ import annotations

import re
import sys
import threading
import time
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dtale_magics.errors import UsageError
from dtale_magics.viewer.frames.exact import GridFormatter
from dtale_magics.viewer.frames.substitutes import INSTANTS
from dtale_magics.viewer.places import PLACES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import pandas as pd

MAX_CELLS = 20_000
"""Maximum in one answer: rows are read as somebody scrolls, not by the million."""

MAX_ROWS = 200

_KEPT_VIEWS = 4
_KEPT_SECONDS = 5.0
"""How long an order stays valid: a cell may be edited in place meanwhile."""

_WAIT_SECONDS = 10.0
_MAX_FILTER = 200
_MAX_PARTS = 20

_COMPARISON = re.compile(r"(<=|>=|!=|<|>|=)?\s*(.+)")
_BETWEEN = re.compile(r"(.+?)\s*\.\.\s*(.+)")
_MISSING = {"is missing": True, "not missing": False}


class Frame(NamedTuple):
    """A frame as D-Tale has it.

    Attributes
    ----------
    data
        Its rows, in whatever order D-Tale left them.
    columns
        D-Tale's descriptions of its columns.
    classify
        ``dtale.utils.classify_type``.
    instants
        Columns with their time zone; see `GridFormatter`.
    shown
        Greater after each show.
    """

    data: pd.DataFrame
    columns: list[Mapping[str, Any]]
    classify: Callable[[str], str]
    instants: Mapping[str, Any]
    shown: int

    @classmethod
    def of(cls, data_id: str) -> Frame | None:
        """Return a frame as it is now; None if it is gone."""
        state = sys.modules.get("dtale.global_state")
        if state is None or not state.contains(data_id):  # D-Tale would make an empty frame
            return None
        instance = state.get_data_inst(data_id)
        if instance.data is None or instance.dtypes is None:
            return None
        place = PLACES.get(data_id)
        return cls(
            instance.data,
            [*instance.dtypes],
            sys.modules["dtale.utils"].classify_type,
            getattr(instance, INSTANTS, {}),
            0 if place is None else place.shown,
        )

    @property
    def visible(self) -> list[Mapping[str, Any]]:
        """The columns that its owner has not hidden; others can be neither read nor filtered."""
        return [one for one in self.columns if one.get("visible", True)]


@dataclass(frozen=True)
class View:
    """What a reader wants to see.

    Attributes
    ----------
    sort
        Names of columns, and whether to sort them in ascending order.
    filters
        Names of columns, and what was typed to filter them.
    """

    sort: tuple[tuple[str, bool], ...] = ()
    filters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, value: Any) -> View:
        """Read ``{"sort": [["a", true]], "filters": [["a", "> 5"]]}``.

        Raises
        ------
        dtale_magics.errors.UsageError
            When it is something else.
        """
        if not isinstance(value, dict) or not value.keys() <= {"sort", "filters"}:
            raise UsageError("This is not a view.")
        return cls(_pairs(value.get("sort", []), bool), _pairs(value.get("filters", []), str))


def _pairs(value: Any, kind: type) -> tuple[tuple[str, Any], ...]:
    if not isinstance(value, list) or len(value) > _MAX_PARTS:
        raise UsageError("This is not a view.")
    for pair in value:
        if not isinstance(pair, list) or [*map(type, pair)] != [str, kind]:
            raise UsageError("This is not a view.")
        if kind is str and len(pair[1]) > _MAX_FILTER:
            raise UsageError(f"A filter has at most {_MAX_FILTER} characters.")
    if len({name for name, _ in value}) < len(value):
        raise UsageError("A column is named twice.")
    return tuple((name, what) for name, what in value)


class Part(NamedTuple):
    """Some rows of a view.

    Attributes
    ----------
    total
        How many rows pass the filters.
    rows
        The cells of each row, as values for JSON; None for a missing value.
    """

    total: int
    rows: list[list[Any]]


class BusyError(Exception):
    """Others are still sorting and filtering, so it is not this reader's turn yet."""


class _Order(NamedTuple):
    """The positions of a view's rows, in order; the data they belong to, and how long they hold."""

    of: weakref.ref[Any]
    until: float
    places: np.ndarray[Any, Any]


@dataclass
class Rows:
    """Reads the rows of one frame; computes one view at a time."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _orders: OrderedDict[View, _Order] = field(default_factory=OrderedDict)

    def part(self, frame: Frame, view: View, first: int, count: int) -> Part:
        """Return `count` rows of a view, beginning with row `first`.

        Raises
        ------
        dtale_magics.errors.UsageError
            When a filter cannot be understood, or there is no such column.
        BusyError
            When others compute for too long.
        """
        visible = frame.visible
        names = [one["name"] for one in visible]
        for name, _ in (*view.sort, *view.filters):
            if name not in names:
                raise UsageError(f"There is no column {name!r}.")
        order = self._order(frame, view)
        count = min(count, MAX_ROWS, max(1, MAX_CELLS // max(1, len(names))))
        chosen = frame.data[names].iloc[order[first : first + count]]
        formatter = GridFormatter(visible, None, frame.classify, frame.instants)
        rows = [[row[name] for name in names] for row in formatter.format_dicts(_tuples(chosen))]
        return Part(len(order), rows)

    def _order(self, frame: Frame, view: View) -> np.ndarray[Any, Any]:
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise BusyError
        try:
            known = self._orders.get(view)
            if known is None or known.of() is not frame.data or time.monotonic() > known.until:
                until = time.monotonic() + _KEPT_SECONDS
                known = _Order(weakref.ref(frame.data), until, _ordered(frame.data, view))
                self._orders[view] = known
            self._orders.move_to_end(view)
            while len(self._orders) > _KEPT_VIEWS:
                self._orders.popitem(last=False)
            return known.places
        finally:
            self._lock.release()


def _tuples(frame: pd.DataFrame) -> Any:
    return frame.itertuples(name=None)


def _ordered(data: pd.DataFrame, view: View) -> np.ndarray[Any, Any]:
    """Return the positions of the rows that pass, in order."""
    import numpy as np

    places = np.arange(len(data))
    if not data.index.is_monotonic_increasing:  # its owner has sorted it
        places = np.argsort(np.asarray(data.index), kind="stable")
    for name, typed in view.filters:
        if typed.strip():
            passes = _passes(data[name], typed.strip()).to_numpy(dtype=bool)
            places = places[passes[places]]
    if not view.sort:
        return places
    chosen = data[[name for name, _ in view.sort]].iloc[places].reset_index(drop=True)
    ascending = [up for _, up in view.sort]
    try:
        ordered = chosen.sort_values([*chosen.columns], ascending=ascending, kind="stable")
    except TypeError:  # values that cannot be compared are sorted as text
        texts = chosen.astype(str)
        ordered = texts.sort_values([*texts.columns], ascending=ascending, kind="stable")
    sorted_places: np.ndarray[Any, Any] = places[np.asarray(ordered.index)]
    return sorted_places


def _passes(values: pd.Series[Any], typed: str) -> Any:
    """Compare a column with what was typed."""
    import pandas as pd

    if typed.lower() in _MISSING:
        return values.isna() if _MISSING[typed.lower()] else values.notna()
    if pd.api.types.is_bool_dtype(values.dtype):
        return _of_text(values, typed)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _of_order(values, typed, _number)
    if pd.api.types.is_datetime64_any_dtype(values.dtype) and not _BEGINNING.fullmatch(typed):
        zone = values.dt.tz
        return _of_order(values, typed, lambda text: _moment(text, zone))
    return _of_text(values, typed)


_BEGINNING = re.compile(r"\d{4}(-\d\d(-\d\d( \d\d(:\d\d)?)?)?)?")
"""Beginning of a date, for example ``2024-03``: it means all dates that begin like this."""


def _of_order(values: pd.Series[Any], typed: str, read: Callable[[str], Any]) -> Any:
    between = _BETWEEN.fullmatch(typed)
    if between is not None:
        found = (values >= read(between[1])) & (values <= read(between[2]))
        return found.fillna(value=False)
    compared = _COMPARISON.fullmatch(typed)
    assert compared is not None  # it matches anything that is not empty
    operator, value = compared[1] or "=", read(compared[2])
    found = {
        "<": values.lt,
        "<=": values.le,
        ">": values.gt,
        ">=": values.ge,
        "=": values.eq,
        "!=": values.ne,
    }[operator](value)
    return found.fillna(value=False)


def _number(text: str) -> int | float:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    raise UsageError(f"{text[:40]!r} is no number. Type for example: > 5, or 1..5, or is missing")


def _moment(text: str, zone: Any) -> Any:
    import pandas as pd

    try:
        moment = pd.Timestamp(text)
        if pd.isna(moment):
            raise ValueError(text)
        if zone is None:
            return moment.tz_localize(None)
        return moment.tz_convert(zone) if moment.tzinfo else moment.tz_localize(zone)
    except (ValueError, TypeError, OverflowError):
        raise UsageError(
            f"{text[:40]!r} is no date. Type for example: 2024-03, or > 2024-03-01, "
            "or 2024-03-01..2024-04-01"
        ) from None


def _of_text(values: pd.Series[Any], typed: str) -> Any:
    """Look for a text, ignoring case; after ``=``, compare the whole value exactly."""
    texts = values.astype(str)
    if typed.startswith("="):
        found = texts == typed[1:].strip()
    elif _BEGINNING.fullmatch(typed) and values.dtype.kind == "M":
        found = texts.str.startswith(typed)
    else:
        found = texts.str.contains(typed, case=False, regex=False)
    return found.fillna(value=False) & values.notna()
