"""D-Tale's analysis of a frame's columns, kept for the next time the frame is shown.

At each show D-Tale computes quantiles, skew and the like for every column: 70 ms for a million
numbers, five seconds for as many dates. A column whose values have not changed since the last show
gets the same result again.
"""

from __future__ import annotations

import copy
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import xxhash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

_MANY_VALUES = 100_000
"""In a frame with fewer values, all columns are analysed in some 10 ms."""

_BYTES_ARE_VALUES = frozenset("biufmM")
"""Kinds of NumPy types whose arrays hold the values themselves, not references to them."""


class _Fingerprint(NamedTuple):
    """What columns with the same values have in common: their type, and 128 bits."""

    dtype: str
    digest: bytes


@dataclass
class ColumnAnalysis:
    """What D-Tale found out about one frame.

    Attributes
    ----------
    columns
        D-Tale's description of a column, by its fingerprint and whatever else it depends on.
    ranges
        D-Tale's smallest and greatest values of the columns, by name.
    fingerprints
        Fingerprints of the columns, by name; None for those that are not cheap to compare.
    """

    columns: dict[tuple[_Fingerprint, str], dict[str, Any]] = field(default_factory=dict)
    ranges: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[str, _Fingerprint | None] = field(default_factory=dict)


@contextmanager
def spared(views: ModuleType, former: ColumnAnalysis | None) -> Iterator[ColumnAnalysis]:
    """Have D-Tale analyse, in this thread, only the columns that are not in `former`.

    Parameters
    ----------
    views
        ``dtale.views``.
    former
        The analysis of the same frame when it was last shown.

    Yields
    ------
    ColumnAnalysis
        Filled as soon as D-Tale has analysed a frame.
    """
    known, result = former or ColumnAnalysis(), ColumnAnalysis()
    here, analyse = threading.get_ident(), views.build_dtypes_state

    def build(data: Any, prev_state: Any = None, ranges: Any = None) -> Any:
        # Meanwhile, requests from other frames' pages run in threads of their own.
        elsewhere = threading.get_ident() != here
        if elsewhere or prev_state or ranges or data.size < _MANY_VALUES:
            return analyse(data, prev_state, ranges)
        return _build(views, analyse, data, known, result)

    views.build_dtypes_state = build  # type: ignore[attr-defined]
    try:
        yield result
    finally:
        views.build_dtypes_state = analyse  # type: ignore[attr-defined]


@contextmanager
def followed(views: ModuleType, progress: Callable[[int, int, str], None] | None) -> Iterator[None]:
    """Have `progress` called, in this thread, before D-Tale analyses a column.

    Parameters
    ----------
    views
        ``dtale.views``.
    progress
        Gets the column's number, the number of columns, and the column's name; an exception that
        it raises ends the analysis.
    """
    here, make_formatter = threading.get_ident(), views.dtype_formatter

    def make_followed(data: Any, *args: Any, **keywords: Any) -> Any:
        describe = make_formatter(data, *args, **keywords)
        if progress is None or threading.get_ident() != here:
            return describe

        def described(index: int, column: str) -> Any:
            progress(index + 1, len(data.columns), column)
            return describe(index, column)

        return described

    views.dtype_formatter = make_followed  # type: ignore[attr-defined]
    try:
        yield
    finally:
        views.dtype_formatter = make_formatter  # type: ignore[attr-defined]


def _build(
    views: Any,
    analyse: Callable[..., Any],
    data: Any,
    known: ColumnAnalysis,
    result: ColumnAnalysis,
) -> list[dict[str, Any]]:
    """Describe the columns of `data` as D-Tale does, reusing `known` for unchanged ones."""
    fingerprints = {name: _fingerprint(column) for name, column in data.items()}
    if None not in fingerprints.values() and fingerprints == known.fingerprints:
        ranges = known.ranges
    else:
        ranges = views.calc_data_ranges(data, views.get_dtypes(data))
    if not ranges:  # then D-Tale looks for them once more, and has to see all columns for that
        return list(analyse(data))
    # D-Tale takes some columns for coordinates because of their name, and dates for local time.
    keys = {
        name: (fingerprint, repr((name, ranges.get(name), time.tzname, time.timezone)))
        for name, fingerprint in fingerprints.items()
        if fingerprint is not None
    }
    described = {
        name: copy.deepcopy(known.columns[key])
        for name, key in keys.items()
        if key in known.columns
    }
    fresh = [name for name in data.columns if name not in described]
    if fresh:
        # Selecting columns copies them, so the frame itself is used if all of them are fresh.
        found = analyse(data[fresh] if described else data, ranges=ranges)
        described.update((column["name"], column) for column in found)
    for index, name in enumerate(data.columns):
        described[name].update(name=name, index=index)
    # Copies are kept because D-Tale goes on to change what it gets.
    result.columns = {key: copy.deepcopy(described[name]) for name, key in keys.items()}
    result.ranges, result.fingerprints = ranges, fingerprints
    return [described[name] for name in data.columns]


def _fingerprint(column: Any) -> _Fingerprint | None:
    """Digest the values of a column; None if that is not much cheaper than D-Tale's analysis.

    A column of text holds references, and D-Tale's analysis of it is quick.
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        values = column.array.view("i8")
    elif isinstance(column.dtype, np.dtype) and column.dtype.kind in _BYTES_ARE_VALUES:
        values = column.to_numpy()
    else:
        return None
    digest = xxhash.xxh3_128_digest(np.ascontiguousarray(values).view(np.uint8).data)
    return _Fingerprint(str(column.dtype), digest)
