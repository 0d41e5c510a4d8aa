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
        Returns the local URL of this kernel's D-Tale, without a trailing slash.
    assets
        D-Tale's static files.
    settings
        Returns the settings that hold now.
    load
        Imports D-Tale, and raises what the import raises.
    prepare
        Called before a frame is shown: imports D-Tale and binds a port.
    happened
        Called with what has changed; with an empty text if that is not news.
    noted
        Called with what the user has just typed, which is not news to the user.
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
        """D-Tale itself; its first use imports pandas and Flask."""
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
        """Return D-Tale's app for a public root; None while D-Tale is not loaded."""
        return self.viewer.app(root, prefix) if self.loaded else None

    def forget_roots(self) -> None:
        """Drop the apps of all public roots, because the roots have changed."""
        if self.loaded:
            self.viewer.forget_roots()

    def moved(self, old: str, new: str) -> None:
        """Be told that D-Tale gave a frame another data id."""
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
            Anything that `dtale_magics.viewer.readers.sources` reads.
        name
            Variable or expression that it came from.
        options
            D-Tale's show options by keyword.
        cell
            The cell that shows it; without one, `name` alone identifies the frame.
        anonymous
            Whether the frame can only be reached by the expression `name`; only the last few of
            such frames are kept.
        reset
            Whether to start without what earlier shows of it left: filters, sorting, options.
        rows
            How many rows to show; by default all that are in memory, and from a lazy source as many
            as the setting `rows` says.
        typed
            The expression that `name` stands for, in full; errors use it in what to type next.
        progress
            Called before D-Tale analyses a column, with its number, how many there are, its name.

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
        now = self._settings()
        # Not under the lock: D-Tale may analyse for many seconds, and ports must move meanwhile.
        instance = self.viewer.show(
            frame,
            name,
            dict(options or {}),
            cell=cell,
            anonymous=anonymous,
            reset=reset,
            kept_expressions=now.kept_expressions,
            progress=progress,
            rows=rows,
            typed=typed,
            lazy_rows=now.rows,
        )
        shown = self._info(instance._data_id)  # noqa: SLF001 (D-Tale has no other name for it)
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

        This binds no port: if there is none, nobody is looking.
        """
        now = self._settings()
        self.viewer.show(
            value,
            frame.name,
            dict(options),
            kept_expressions=now.kept_expressions,
            rows=rows,
            lazy_rows=now.rows,
            data_id=frame.data_id,
        )
        shown = self._info(frame.data_id)
        self._happened(f"{shown.name} has changed and is shown anew.")
        return shown

    def options(self) -> ShowOptions:
        """Read the show options that the installed D-Tale has."""
        self._load()
        return self.viewer.show_options()

    def tidy(self, cell: Cell) -> None:
        """Forget the frames that a cell has shown before, but not in its last run."""
        if self.loaded and self.viewer.shown.tidy(cell):
            self._happened("")

    def find(self, *names: str) -> tuple[FrameInfo, ...]:
        """Find the frames that `names` mean; for each name, the one shown last is at the end.

        Raises
        ------
        UnknownFrameError
            Lists the frames that exist.
        """
        found = [frame for name in names for frame in self.viewer.shown.find_all(name)]
        return tuple({frame.data_id: frame for frame in found}.values())

    def drop(self, *names: str) -> tuple[FrameInfo, ...]:
        """Forget all frames of each name, or all frames of the kernel if the name is ``all``.

        Raises
        ------
        UnknownFrameError
            Lists the frames that exist; then none is forgotten.
        """
        dropped = self.all() if names == ("all",) else self.find(*names)
        for frame in dropped:
            self.viewer.shown.drop(frame.data_id)
            self._noted(f"Forgot {frame}.")
        return dropped

    def why_gone(self, data_id: str) -> str:
        """Say why there is no longer a frame with that id; empty if that is not known."""
        return self.viewer.shown.why_gone(data_id)

    def data(self, frame: FrameInfo) -> Any:
        """Return a frame as its grid has it: filtered, sorted and edited, with its own index."""
        return self.viewer.shown.data(frame.data_id)

    def head(self, frame: FrameInfo, rows: int) -> Any:
        """Return the first rows of a frame as the user had it; None if it is gone."""
        return self.viewer.shown.head(frame.data_id, rows)

    def edited(self, frame: FrameInfo) -> Any:
        """Return all rows of a frame with the edits made in its grid; None if there are none.

        Edits that a later run of its cell replaced are kept until something else is edited.
        """
        return self.viewer.shown.edited(frame.data_id)

    def edits(self, frame: FrameInfo) -> int:
        """Count the edits in a frame's grid since its cell was last run."""
        return self.viewer.shown.edits(frame.data_id)

    def _info(self, data_id: str) -> FrameInfo:
        return next(one for one in self.all() if one.data_id == data_id)
