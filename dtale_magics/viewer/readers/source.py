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
        A ``pandas.DataFrame``; the user's own if the object is one.
    note
        What the reader has to know, for example that these are only the first rows; else empty.
    """

    frame: Any
    note: str = ""


class Wanted(NamedTuple):
    """How much of an object is wanted.

    Attributes
    ----------
    refuse
        Makes the errors.
    rows
        How many rows to take of an object that is not in memory.
    """

    refuse: Refusals
    rows: int

    @property
    def one_more(self) -> int:
        """Number of rows to read: one more than wanted, to see whether there are more."""
        return self.rows + 1

    def first(self, frame: Any) -> Source:
        """Keep the first rows of a frame that was read with `one_more`."""
        if len(frame) <= self.rows:
            return Source(frame)
        note = f"the first {self.rows:,} rows; there are more (--rows N)"
        return Source(frame.iloc[: self.rows], note)

    def part_of(self, frame: Any, total: int) -> Source:
        """Make a source that says so if there are more rows."""
        if total <= len(frame):
            return Source(frame)
        return Source(frame, f"the first {len(frame):,} of {total:,} rows (--rows N)")
