"""Which frame is which: the place of each frame that was shown.

A frame's place is its name in its cell: when the cell is run again, it finds the frame there. If
the same name is shown again within one run (in a loop, say, or a function that is called twice),
that is a place of its own. So is the same name in another cell: what an earlier output shows does
not change. Consoles and nbclient know no cells; there the name alone is the place, from one input
to the next.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dtale_magics.state import Cell, Newer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dtale_magics.viewer.patches.column_analysis import ColumnAnalysis

_REMEMBERED = 500
"""Maximum number of frames that are gone for which we remember why."""


@dataclass
class Place:
    """A frame that was shown, and what is remembered about it for the next time.

    Attributes
    ----------
    name
        Variable or expression that it came from.
    cell
        The cell that showed it last.
    number
        Ordinal of this show among those of `name` in one run of the cell.
    label
        What the user sees: the name, with a number if there are several frames of that name.
    anonymous
        Whether the name is an expression, and no variable holds the frame.
    shown
        Ordinal of its last show among all shows.
    analysis
        What D-Tale found out about its columns.
    layout
        How it was laid out before the user changed anything.
    origin
        What its columns and its index were to the user.
    notes
        What to tell the user about the last show.
    edited
        D-Tale's instance with the user's edits in the grid before its cell was run again.
    """

    name: str
    cell: Cell
    number: int = 1
    label: str = ""
    anonymous: bool = False
    shown: int = 0
    memory: int = 0
    analysis: ColumnAnalysis | None = None
    layout: Any = None
    origin: Any = None
    notes: tuple[str, ...] = ()
    edited: Any = None


@dataclass
class Places:
    """The places of all frames, by D-Tale's id; not thread-safe by itself."""

    _places: dict[str, Place] = field(default_factory=dict)
    _gone: dict[str, str] = field(default_factory=dict)
    _shows: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __getitem__(self, data_id: str) -> Place:
        return self._places[data_id]

    def get(self, data_id: str) -> Place | None:
        """Return the place of a frame; None for one that plain ``dtale.show`` brought."""
        return self._places.get(data_id)

    def find(self, name: str, cell: Cell) -> tuple[str | None, Place]:
        """Find where a show of `name` in `cell` belongs.

        Returns
        -------
        tuple
            The id of the frame to replace (None for a new one), and its new place, which takes
            effect with `put`.
        """
        same = [(key, one) for key, one in self._places.items() if one.name == name]
        number = 1 + sum(one.cell.run == cell.run for _, one in same)
        for data_id, one in same:
            if (one.cell.cell_id, one.number) == (cell.cell_id, number):
                return data_id, Place(name, cell, number, one.label, edited=one.edited)
        return None, Place(name, cell, number, self._label(name))

    def again(self, data_id: str) -> Place:
        """Renew the place of a frame, for a show that no cell asks for."""
        return dataclasses.replace(self._places[data_id], notes=())

    def put(self, data_id: str, place: Place) -> None:
        """Record what was shown."""
        place.shown = next(self._shows)
        self._places[data_id] = place

    def moved(self, old: str, new: str) -> None:
        """Keep what is known about a frame that was given another id."""
        if old in self._places:
            self._places[new] = self._places.pop(old)

    def forget(self, data_id: str, why: str) -> None:
        """Remove a frame, and remember why, for panels that still show it."""
        self._places.pop(data_id, None)
        self._gone[data_id] = why
        while len(self._gone) > _REMEMBERED:
            self._gone.pop(next(iter(self._gone)))

    def why_gone(self, data_id: str) -> str:
        """Say why a frame is gone; empty if that is not known."""
        return self._gone.get(data_id, "")

    def keep_only(self, data_ids: Collection[str]) -> None:
        """Forget the places of frames that D-Tale no longer has, whoever dropped them."""
        for data_id in [one for one in self._places if one not in data_ids]:
            self.forget(data_id, f"{self._places[data_id].label} was dropped.")

    def named(self, name: str) -> list[str]:
        """Return the ids of the frames that a name means, the one shown last at the end.

        `name` is a label, an id, or the name of a variable, which may mean several frames.
        """
        plain = name.removesuffix(" (1)")
        found = [
            (one.shown, key)
            for key, one in self._places.items()
            if name in {one.name, one.label, key} or plain == one.label != name
        ]
        return [key for _, key in sorted(found)]

    def newer(self, data_id: str) -> Newer | None:
        """Return what another cell has shown under the same name after this frame."""
        own = self._places[data_id]
        later = [
            (one.shown, key, one)
            for key, one in self._places.items()
            if one.name == own.name and one.shown > own.shown and _apart(one.cell, own.cell)
        ]
        if not later:
            return None
        _, key, one = max(later, key=lambda found: found[0])
        return Newer(one.label, key, one.cell.number, one.shown)

    def left_over(self, cell: Cell) -> list[str]:
        """Return the frames that an earlier run of their cell showed, but its last run did not.

        They count only if the last run did show their name: other frames of the cell have variables
        of their own, and may be asked for again. Frames of the running `cell` do not count, as it
        may still show them.
        """
        last: dict[tuple[str, str], Place] = {}
        for one in self._places.values():
            group = (one.cell.cell_id, one.name)
            if group not in last or one.shown > last[group].shown:
                last[group] = one
        return [
            key
            for key, one in self._places.items()
            if one.cell.cell_id
            and one.cell.run != last[one.cell.cell_id, one.name].cell.run != cell.run
        ]

    def surplus(self, limit: int, cell: Cell) -> list[str]:
        """Return the frames of all but the last `limit` expressions, oldest first.

        All frames that one expression showed in its cell, in a loop for example, count as one.
        Frames that the running `cell` has shown are never among the surplus.
        """
        groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
        running = set()
        for key, one in self._places.items():
            if one.anonymous:
                group = (one.cell.cell_id, one.name)
                groups.setdefault(group, []).append((one.shown, key))
                running |= {group} if one.cell.run == cell.run else set()
        oldest = sorted(groups, key=lambda group: max(groups[group]))
        beyond = oldest[: max(0, len(oldest) - limit)]
        return [key for group in beyond if group not in running for _, key in sorted(groups[group])]

    def _label(self, name: str) -> str:
        taken = {one.label for one in self._places.values()}
        numbered = (f"{name} ({number})" for number in itertools.count(2))
        return next(one for one in itertools.chain([name], numbered) if one not in taken)


PLACES = Places()
"""Places of the whole process: like D-Tale's store, they outlive a reload of the extension."""


def _apart(one: Cell, other: Cell) -> bool:
    return one.run != other.run and (one.cell_id != other.cell_id or not one.cell_id)
