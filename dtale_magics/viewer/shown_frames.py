"""The frames that D-Tale shows: list them, find them, drop them, give them back."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import UnknownFrameError
from dtale_magics.state import FrameInfo
from dtale_magics.viewer import layout
from dtale_magics.viewer.origin import memory_of
from dtale_magics.viewer.patches.store import CHART_ID
from dtale_magics.viewer.places import PLACES
from dtale_magics.wording import count

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from dtale_magics.state import Cell
    from dtale_magics.viewer.places import Place

logger = logging.getLogger(__name__)

STAGING = "loading"
"""Id under which D-Tale analyses a frame before it gets its own; not a number, so that D-Tale
ignores it when it looks for the next id."""


class ShownFrames:
    """The frames of this kernel's D-Tale.

    Parameters
    ----------
    base_url
        Returns the local URL of this kernel's D-Tale, without a trailing slash.
    lock
        To be held while changing the frames.
    """

    def __init__(self, base_url: Callable[[], str | None], lock: threading.RLock) -> None:
        self._base_url = base_url
        self._lock = lock
        self.places = PLACES

    def tidy(self, cell: Cell) -> bool:
        """Drop the frames that an earlier run of a cell showed and its last run did not.

        Returns
        -------
        bool
            Whether there were any.
        """
        state = _module("global_state")
        if state is None:
            return False
        with self._lock:
            self.places.keep_only(state.keys())
            dropped = [one for one in self.places.left_over(cell) if not self.edits(one)]
            for data_id in dropped:
                self._forget(data_id, "was dropped: its cell was run again without it.")
        return bool(dropped)

    def frames(self) -> tuple[FrameInfo, ...]:
        """List D-Tale's frames, including those of plain ``dtale.show``, oldest first."""
        state = _module("global_state")
        if state is None:
            return ()
        return tuple(
            self._info(data_id, instance)
            for data_id, instance in items(state)
            if data_id not in {STAGING, CHART_ID}
            and instance.data is not None
            and instance.dtypes is not None
        )

    def find_all(self, name: str) -> tuple[FrameInfo, ...]:
        """Find the frames that `name` means: a variable's name, a name from the list, or an id.

        Returns
        -------
        tuple
            The frames; the one that was shown last is at the end.

        Raises
        ------
        UnknownFrameError
            Lists the frames that exist.
        """
        frames = self.frames()
        ids = self.places.named(name)
        by_id = {frame.data_id: frame for frame in frames}
        found = [by_id[data_id] for data_id in ids if data_id in by_id]
        if not found:
            found = [frame for frame in frames if name in {frame.name, frame.data_id}]
        if found:
            return tuple(found)
        known = ", ".join(frame.name for frame in frames)
        hint = f"There are: {known}." if known else "There is none yet; show one with: %dtale df"
        raise UnknownFrameError(name, f"D-Tale has no frame {name!r}.", hint)

    def drop(self, data_id: str) -> None:
        """Forget a frame, by its id."""
        with self._lock:
            self._forget(data_id, "was dropped.")

    def why_gone(self, data_id: str) -> str:
        """Say why there is no longer a frame with that id; empty if that is not known."""
        return self.places.why_gone(data_id)

    def data(self, data_id: str) -> Any:
        """Return a frame as its grid has it, filtered, sorted and edited, with its own index."""
        instance = _module("global_state").get_data_inst(data_id)
        rows = _module("views").DtaleData(data_id, self._base_url()).view_data
        return self._as_the_users(rows, instance, self.places.get(data_id))

    def head(self, data_id: str, rows: int) -> Any:
        """Return the first rows of a frame, as the user had it, without its hidden columns.

        None if there is no frame with that id.
        """
        instance = _module("global_state").get_data_inst(data_id)
        if instance is None or instance.data is None:
            return None
        hidden = {one["name"] for one in instance.dtypes if not one.get("visible", True)}
        data = instance.data[[name for name in instance.data.columns if name not in hidden]]
        return self._as_the_users(data.head(rows), instance, self.places.get(data_id))

    def edited(self, data_id: str) -> Any:
        """Return all rows of a frame with the edits made in its grid, even if that was replaced.

        None if nothing was edited.
        """
        state, place = _module("global_state"), self.places.get(data_id)
        instance = state.get_data_inst(data_id)
        if place is not None and not self.edits(data_id):
            instance = place.edited
        return None if instance is None else self._as_the_users(instance.data, instance, place)

    def edits(self, data_id: str) -> int:
        """Count what was edited in a frame's grid since it was shown."""
        place = self.places.get(data_id)
        if place is None or place.layout is None:
            return 0
        return layout.edits(_module("global_state").get_data_inst(data_id), place.layout)

    def _as_the_users(self, rows: Any, instance: Any, place: Place | None) -> Any:
        if place is None or place.layout is None:
            return rows
        indexes = (instance.settings or {}).get("indexes", ())
        return place.origin.restore(rows, place.layout.natural, indexes)

    def _forget(self, data_id: str, why: str) -> None:
        place = self.places.get(data_id)
        if place is not None:
            self.places.forget(data_id, f"{place.label} {why}")
        _module("global_state").cleanup(data_id)

    def drop_surplus(self, limit: int, cell: Cell, place: Place) -> None:
        """Drop all but the last `limit` expressions, and say so in the notes of `place`."""
        dropped = []
        for data_id in self.places.surplus(limit, cell):
            if not self.edits(data_id):
                dropped.append(self.places[data_id].label)
                self._forget(
                    data_id,
                    f"was dropped, as the last {count(limit, 'expression')} are kept. Run the cell "
                    "again to see it. What a variable holds, or --name names, is kept.",
                )
        if dropped:
            said = f"Dropped: {', '.join(dropped)}. The last {count(limit, 'expression')} are kept"
            place.notes += (f"{said} (c.DtaleMagics.kept_expressions).",)

    def _info(self, data_id: str, instance: Any) -> FrameInfo:
        base, place = self._base_url(), self.places.get(data_id)
        indexes = (instance.settings or {}).get("indexes", ())
        columns = [column for column in instance.dtypes if column["name"] not in indexes]
        rows, url = len(instance.data), base and f"{base}/dtale/main/{data_id}"
        if place is None:
            name = instance.name or f"data {data_id}"
            memory = memory_of(instance.data)
            return FrameInfo(name, data_id, rows, len(columns), url, memory=memory)
        newer = self.places.newer(data_id)
        return FrameInfo(
            place.label,
            data_id,
            rows,
            len(columns),
            url,
            place.cell.number,
            place.memory,
            place.shown,
            newer,
            place.notes,
        )


def items(state: Any) -> list[tuple[str, Any]]:
    """List D-Tale's frames; none if the user's own store cannot be read."""
    try:
        return [(str(key), instance) for key, instance in state.items()]
    except Exception:
        logger.exception("D-Tale's store cannot be read")
        return []


def _module(name: str) -> Any:
    """Return one of D-Tale's modules; None before there is a frame."""
    return sys.modules.get(f"dtale.{name}")
