"""Whether an object still holds what it held, as far as that is cheap to find out.

The snapshot of a pandas frame shares its memory. What is written into one of them goes into a copy
(copy-on-write), so columns in the same memory are unchanged. Objects in the cells of a frame, such
as lists, are not looked into. Lazy sources hold no rows; they are unchanged as long as they are the
same object.
"""

from __future__ import annotations

import collections
import operator
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xxhash

Same = Callable[[Any], bool]

_MANY_PARTS = 10_000
"""The inner lists of a list are looked into only if there are at most this many."""

_GONE = object()

_COPIED_BYTES = 2**27
"""Maximum to copy where memory cannot be shared."""


class Snapshot:
    """What an object held at one time.

    Parameters
    ----------
    value
        The object; it is not kept alive if it can be referenced weakly.
    """

    def __init__(self, value: Any) -> None:
        self._reference = _reference(value)
        self._same = _content(value)

    def holds_of(self, value: Any) -> bool:
        """Tell whether `value` is the same object and still holds the same."""
        if self._reference() is not value:
            return False
        try:
            return self._same(value)
        except Exception:  # noqa: BLE001 (whatever the values' own comparison raises)
            return True


def _reference(value: Any) -> Callable[[], Any]:
    try:
        weak = weakref.ref(value)
    except TypeError:  # lists, dictionaries, tuples
        return lambda: value

    def strong() -> Any:
        found = weak()
        return _GONE if found is None else found

    return strong


def _content(value: Any) -> Same:
    """Take a snapshot, and return a function that compares an object with it."""
    way = _WAYS.get(_root(value))
    try:
        return (way(value) if way else None) or _always
    except (RecursionError, TypeError, ValueError):  # a list that contains itself
        return _always


def _always(_: Any) -> bool:
    return True


# -------------------------------------------------------------------- pandas


def _pandas(value: Any) -> Same | None:
    if not isinstance(value, pd.DataFrame | pd.Series):
        return None  # an index never changes
    shares = _copies_on_write(pd)
    deep = not shares and value.memory_usage().sum() <= _COPIED_BYTES  # type: ignore[union-attr]
    held = value.copy(deep=bool(deep))

    def same(now: Any) -> bool:
        if isinstance(now, pd.Series):
            return (
                type(now.name) is type(held.name)
                and now.name == held.name
                and now.index.identical(held.index)
                and _same_column(now, held, shares=shares)
            )
        return (
            now.index.identical(held.index)
            and now.columns.identical(held.columns)
            and all(
                _same_column(one, other, shares=shares)
                for (_, one), (_, other) in zip(now.items(), held.items(), strict=True)
            )
        )

    return same


def _copies_on_write(pd: Any) -> bool:
    if int(pd.__version__.partition(".")[0]) > 2:  # noqa: PLR2004 (pandas 3 always does)
        return True
    return pd.options.mode.copy_on_write is True


def _same_column(now: Any, held: Any, *, shares: bool) -> bool:
    if now.dtype != held.dtype:
        return False
    if shares and isinstance(now.dtype, np.dtype):
        ours, theirs = (one.to_numpy().__array_interface__ for one in (now, held))
        place = ("data", "strides", "shape")
        if [ours[key] for key in place] == [theirs[key] for key in place]:
            return True
    return bool(now.equals(held))


# ------------------------------------------------------------ other libraries


def _numpy(value: Any) -> Same | None:
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.hasobject:
        return _objects(value)

    def digest(array: Any) -> Any:
        values = np.ascontiguousarray(np.ma.getdata(array)).view("u1")
        mask = np.ma.getmask(array)
        known = (array.shape, str(array.dtype), b"" if mask is np.ma.nomask else mask.tobytes())
        return (*known, xxhash.xxh3_128_digest(values.data))

    before = digest(np.atleast_1d(value))
    return lambda now: digest(np.atleast_1d(now)) == before


def _objects(value: Any) -> Same | None:
    if value.dtype.kind != "O":
        return None  # fields of objects
    held = value.copy()
    return lambda now: now.shape == held.shape and all(map(operator.is_, now.flat, held.flat))


def _polars(value: Any) -> Same | None:
    if not hasattr(value, "clone") or not hasattr(value, "equals"):
        return None
    held = value.clone()
    if hasattr(value, "schema"):
        return lambda now: now.schema == held.schema and now.equals(held)
    return lambda now: (
        now.name == held.name and now.dtype == held.dtype and now.equals(held, null_equal=True)
    )


def _xarray(value: Any) -> Same | None:
    if not hasattr(value, "identical") or value.chunks or value.nbytes > _COPIED_BYTES:
        return None
    held = value.copy(deep=True)
    return lambda now: bool(now.identical(held))


# ------------------------------------------------------------- Python's own


def _parts(value: Any) -> Same | None:
    """Compare lists, dictionaries and the like by their elements, and those recursively."""
    held = _parts_of(value)
    if held is None:
        return None
    inner = [
        (place, Snapshot(part))
        for place, part in enumerate(held if len(held) <= _MANY_PARTS else ())
        if _root(part) in _WAYS and not isinstance(part, str | bytes | int | float)
    ]

    def same(now: Any) -> bool:
        parts = _parts_of(now) or []
        return (
            len(parts) == len(held)
            and all(map(operator.is_, parts, held))
            and all(snapshot.holds_of(parts[place]) for place, snapshot in inner)
        )

    return same


def _parts_of(value: Any) -> list[Any] | None:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset | collections.deque):
        return list(value)
    return None


def _root(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


_WAYS: dict[str, Callable[[Any], Same | None]] = {
    "pandas": _pandas,
    "geopandas": _pandas,
    "numpy": _numpy,
    "polars": _polars,
    "xarray": _xarray,
    "builtins": _parts,
    "collections": _parts,
}
"""Functions that take a snapshot, by the library that the object comes from."""
