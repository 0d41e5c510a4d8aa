"""The frames of this kernel: show them, find them, give them back, forget them."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIApplication

    from dtale_magics.serving.assets import Assets
    from dtale_magics.settings import Settings
    from dtale_magics.state import Cell, FrameInfo
    from dtale_magics.viewer.show_options import ShowOptions
    from dtale_magics.viewer.viewer import Viewer


class Frames:
    """What D-Tale shows in this kernel; safe to call from any thread.

    Parameters
    ----------
    base_url
        Gives the local URL of this kernel's D-Tale, without a trailing slash.
    assets
        D-Tale's static files.
    settings
        Gives the settings that hold now.
    load
        Imports D-Tale, and raises what the import raises.
    prepare
        Called before a frame is shown: imports D-Tale and binds a port.
    happened
        Called with what has changed; with an empty text if that is no news.
    noted
        Called with what the user has just typed, which is no news to the user.
    """

    def __init__(  # noqa: PLR0913 (by keyword)
        self,
        *,
        base_url: Callable[[], str | None],
        assets: Assets,
        settings: Callable[[], Settings],
        load: Callable[[], None],
        prepare: Callable[[], None],
        happened: Callable[[str], None],
        noted: Callable[[str], None],
    ) -> None:
        self._base_url = base_url
        self._assets = assets
        self._settings = settings
        self._load = load
        self._prepare = prepare
        self._happened = happened
        self._noted = noted
        self._lock = threading.Lock()
        self._made: Viewer | None = None

    @property
    def viewer(self) -> Viewer:
        """D-Tale itself: the border behind which pandas and Flask are imported."""
        with self._lock:
            if self._made is None:
                from dtale_magics.viewer.viewer import Viewer

                self._made = Viewer(self._base_url, self._assets)
            return self._made

    @property
    def loaded(self) -> bool:
        """Whether D-Tale is imported, so that a frame can be shown at once."""
        return "dtale.app" in sys.modules and self.viewer.loaded

    def mount(self, root: str, prefix: str = "") -> WSGIApplication | None:
        """Give D-Tale's app for a public root; None while D-Tale is not loaded."""
        return self.viewer.app(root, prefix) if self.loaded else None

    def forget_roots(self) -> None:
        """Drop the apps of every public root: the roots have changed."""
        if self.loaded:
            self.viewer.forget_roots()

    def moved(self, old: str, new: str) -> None:
        """Hear that D-Tale gave a frame another data id."""
        self.viewer.shown.places.moved(old, new)

    def all(self) -> tuple[FrameInfo, ...]:
        """Return what D-Tale shows, oldest first."""
        return self.viewer.shown.frames() if "dtale.global_state" in sys.modules else ()

    def show(  # noqa: PLR0913 (what can be asked for, by keyword)
        self,
        frame: Any,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        cell: Cell | None = None,
        anonymous: bool = False,
        reset: bool = False,
        rows: int | None = None,
        typed: str = "",
        progress: Callable[[int, int, str], None] | None = None,
    ) -> tuple[Any, FrameInfo]:
        """Show a frame, in place if an earlier run of the cell has shown it.

        Parameters
        ----------
        frame
            Whatever `dtale_magics.viewer.readers.sources` reads.
        name
            Variable or expression that it came from.
        options
            D-Tale's show options by keyword.
        cell
            The cell that shows it; without one, `name` alone tells which frame it is.
        anonymous
            Whether nothing but the expression `name` leads to the frame; of such ones, the last few
            are kept.
        reset
            Whether to leave out what earlier shows of it left: filters, sorting, options.
        rows
            How many rows to show; by default all that are in memory, and of a lazy source as many
            as the setting `rows` says.
        typed
            The expression that `name` stands for, in full, for what an error says to type.
        progress
            Called before D-Tale analyses a column: with its number, how many there are, its name.

        Returns
        -------
        tuple
            D-Tale's instance, and the frame as `status` lists it.

        Raises
        ------
        FrameRefusedError, PortUnavailableError, SettingError
            Nothing has changed then.
        """
        self._prepare()
        # Not under the lock: D-Tale may analyse for many seconds, while the port has to move.
        instance = self.viewer.show(
            frame,
            name,
            dict(options or {}),
            cell=cell,
            anonymous=anonymous,
            reset=reset,
            kept_expressions=self._settings().kept_expressions,
            progress=progress,
            rows=rows,
            typed=typed,
            lazy_rows=self._settings().rows,
        )
        shown = next(one for one in self.all() if one.data_id == instance._data_id)  # noqa: SLF001
        self._noted(f"Showing {shown}.")
        return instance, shown

    def follow(
        self,
        frame: FrameInfo,
        value: Any,
        options: Mapping[str, Any],
        *,
        rows: int | None = None,
    ) -> FrameInfo:
        """Show the value that a frame has now, in its place, as `show` does.

        No port is bound for that: where there is none, nobody looks.
        """
        self.viewer.show(
            value,
            frame.name,
            dict(options),
            kept_expressions=self._settings().kept_expressions,
            rows=rows,
            lazy_rows=self._settings().rows,
            data_id=frame.data_id,
        )
        shown = next(one for one in self.all() if one.data_id == frame.data_id)
        self._happened(f"{shown.name} has changed and is shown anew.")
        return shown

    def options(self) -> ShowOptions:
        """Read the show options of the installed D-Tale."""
        self._load()
        return self.viewer.show_options()

    def tidy(self, cell: Cell) -> None:
        """Forget the frames that a cell showed once and in its last run did not."""
        if self.loaded and self.viewer.shown.tidy(cell):
            self._happened("")

    def find(self, *names: str) -> tuple[FrameInfo, ...]:
        """Find the frames that names mean, of each the one that was shown last at the end.

        Raises
        ------
        UnknownFrameError
            Names the frames there are.
        """
        found = [frame for name in names for frame in self.viewer.shown.find_all(name)]
        return tuple({frame.data_id: frame for frame in found}.values())

    def drop(self, *names: str) -> tuple[FrameInfo, ...]:
        """Forget frames: every one of each name, and every one at all for the name ``all``.

        Raises
        ------
        UnknownFrameError
            Names the frames there are; none is forgotten then.
        """
        dropped = self.all() if names == ("all",) else self.find(*names)
        for frame in dropped:
            self.viewer.shown.drop(frame.data_id)
            self._noted(f"Forgot {frame}.")
        return dropped

    def why_gone(self, data_id: str) -> str:
        """Say why there is no frame of that id any more; empty if that is not known."""
        return self.viewer.shown.why_gone(data_id)

    def data(self, frame: FrameInfo) -> Any:
        """Return a frame as its grid has it: filtered, sorted and edited, with its own index."""
        return self.viewer.shown.data(frame.data_id)

    def head(self, frame: FrameInfo, rows: int) -> Any:
        """Return the first rows of a frame as the user had it; None if it is gone."""
        return self.viewer.shown.head(frame.data_id, rows)

    def edited(self, frame: FrameInfo) -> Any:
        """Return all rows of a frame with what was edited in its grid; None if nothing was.

        What a later run of its cell replaced is there until something else is edited.
        """
        return self.viewer.shown.edited(frame.data_id)

    def edits(self, frame: FrameInfo) -> int:
        """Count what was edited in a frame's grid since its cell has run."""
        return self.viewer.shown.edits(frame.data_id)
