"""What was found in an object, and how much of it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dtale_magics.viewer.readers.refusals import Refusals


class Source(NamedTuple):
    """What was found in an object.

    Attributes
    ----------
    frame
        A ``pandas.DataFrame``, the user's own where the object is one.
    note
        What the reader has to know, such as that these are the first rows; else empty.
    """

    frame: Any
    note: str = ""


class Wanted(NamedTuple):
    """What is wanted of an object.

    Attributes
    ----------
    refuse
        Makes the errors.
    rows
        How many rows of what is not in memory.
    """

    refuse: Refusals
    rows: int

    @property
    def one_more(self) -> int:
        """Number of rows to read: one more than wanted tells whether there are more."""
        return self.rows + 1

    def first(self, frame: Any) -> Source:
        """Keep the first rows of a frame that has one more where there are more."""
        if len(frame) <= self.rows:
            return Source(frame)
        note = f"the first {self.rows:,} rows; there are more (--rows N)"
        return Source(frame.iloc[: self.rows], note)

    def part_of(self, frame: Any, total: int) -> Source:
        """Say that there are more rows where there are."""
        if total <= len(frame):
            return Source(frame)
        return Source(frame, f"the first {len(frame):,} of {total:,} rows (--rows N)")
