"""The first rows of a frame as text and as HTML, for places where there is no grid.

They are the same in each run, so that a saved notebook changes only when its frame does.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_COLUMNS = 20
_MAX_CELL = 50

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
"""Python's text for objects that have none of their own; it differs from run to run."""


@dataclass(frozen=True)
class Preview:
    """The beginning of a frame.

    Attributes
    ----------
    names, dtypes
        Names and types of the columns, those of the index first.
    rows
        Cells as text, one for each name.
    rest
        How many columns are left out at the end.
    """

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rest: int = 0

    @classmethod
    def of(cls, frame: Any) -> Preview:
        """Read a pandas frame or series that has only the first rows."""
        import pandas as pd

        if isinstance(frame, pd.Series):
            frame = frame.to_frame("" if frame.name is None else frame.name)
        index = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
        columns = [
            (name, values)
            for name, values in zip(frame.index.names, index, strict=True)
            if name is not None
        ]
        count = len(frame.columns)
        kept = range(min(count, MAX_COLUMNS))
        columns += [(frame.columns[place], frame.iloc[:, place]) for place in kept]
        cells = [[_cell(value) for value in values] for _, values in columns]
        return cls(
            tuple(_cell(name) for name, _ in columns),
            tuple(str(values.dtype) for _, values in columns),
            tuple(zip(*cells, strict=True)) if cells else (),
            count - len(kept),
        )

    def text(self) -> str:
        """Return the lines of a table, with numbers to the right."""
        lines = [self._with_rest(row) for row in (self.names, self.dtypes, *self.rows)]
        columns = list(zip(*lines, strict=True))
        widths = [max(map(len, column), default=0) for column in columns]
        return "\n".join(
            "  ".join(map(str.rjust, line, widths)).rstrip() for line in lines if columns
        )

    def html(self) -> str:
        """Return a table."""
        head = "".join(
            f"<th>{html.escape(name)}<br><small>{html.escape(dtype)}</small></th>"
            for name, dtype in zip(
                self._with_rest(self.names), self._with_rest(self.dtypes, ""), strict=True
            )
        )
        rows = "".join(f"<tr>{_cells(self._with_rest(row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _with_rest(self, row: tuple[str, ...], sign: str = "…") -> tuple[str, ...]:
        return (*row, sign) if self.rest else row


def _cells(row: Iterable[str]) -> str:
    return "".join(f"<td>{html.escape(cell)}</td>" for cell in row)


def _cell(value: Any) -> str:
    """Write a value in one short line."""
    try:
        said = float.__repr__(value) if isinstance(value, float) else str(value)
    except Exception as error:  # noqa: BLE001 (a user's own __str__)
        said = f"<{type(error).__name__}>"
    said = " ".join(_ADDRESS.sub("", said).split())
    return said if len(said) <= _MAX_CELL else f"{said[: _MAX_CELL - 1]}…"
