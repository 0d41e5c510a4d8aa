"""``%dtale df --watch``: frames that are shown anew after each cell that has changed them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import DtaleMagicsError, UsageError
from dtale_magics.frontend.typed.commands import Answer
from dtale_magics.frontend.typed.expression import is_reference
from dtale_magics.frontend.typed.options import OFF

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType

    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.frontend.typed.expression import Expression, Scope
    from dtale_magics.session import Session
    from dtale_magics.state import FrameInfo
    from dtale_magics.viewer.frames.changes import Snapshot

logger = logging.getLogger(__name__)

_OF_ONE_SHOW = frozenset({"drop_index", "inplace", "optimize_dataframe"})
"""D-Tale's options that hold for one show; the grid keeps what the others set."""


@dataclass
class _Watched:
    """A frame that is watched.

    Attributes
    ----------
    frame
        The frame, as last shown.
    typed
        The expression that leads to it.
    code
        The same, compiled.
    part
        Takes the part of a value that is shown: a sample, for example.
    rows
        How many rows to show; None shows all.
    options
        D-Tale's options that have to be given each time.
    snapshot
        What it held when we last looked; None while its name leads to nothing.
    """

    frame: FrameInfo
    typed: str
    code: CodeType
    part: Callable[[Any], Any]
    rows: int | None
    options: Mapping[str, Any]
    snapshot: Snapshot | None


class Watching:
    """The frames of a notebook that are watched.

    Parameters
    ----------
    shell
        Tells when a cell has ended.
    session
        This kernel's session.
    say
        Shows words below the cell that has just ended.
    """

    def __init__(
        self, shell: InteractiveShell, session: Session, say: Callable[[str], None]
    ) -> None:
        self._shell = shell
        self._session = session
        self._say = say
        self._watched: dict[str, _Watched] = {}

    def install(self) -> None:
        """Install the hook, to be told of the end of each cell."""
        self._shell.events.register("post_run_cell", self._after_cell)

    def uninstall(self) -> None:
        """Remove the hook."""
        self._shell.events.unregister("post_run_cell", self._after_cell)
        self._watched.clear()

    def check(self, typed: Expression, scope: Scope) -> None:
        """Refuse what cannot be watched; the `UsageError` says what to type."""
        form = typed.normal_form
        if not is_reference(form):
            raise UsageError(
                f"--watch follows a variable, and {form} is an expression.",
                f"Give it a name first: frame = {form}   and then: %dtale frame --watch",
            )
        if scope.global_names is not self._shell.user_ns or scope.in_function:
            raise UsageError(
                f"--watch follows the notebook's variables, and this {form} is another one.",
                "Type it in a cell of its own, outside of functions.",
            )

    def watch(  # noqa: PLR0913 (what a show was given, by keyword)
        self,
        frame: FrameInfo,
        typed: Expression,
        value: Any,
        *,
        part: Callable[[Any], Any],
        rows: int | None,
        options: Mapping[str, Any],
    ) -> None:
        """Follow a frame that has just been shown, and say so the first time."""
        from dtale_magics.viewer.frames.changes import Snapshot

        if frame.data_id not in self._watched:
            self._say(
                f"{frame.name} is shown anew after each cell that changes it; "
                f"to end that: %dtale {typed.normal_form} --watch {OFF}"
            )
        kept = {name: one for name, one in options.items() if name in _OF_ONE_SHOW}
        self._watched[frame.data_id] = _Watched(
            frame, typed.normal_form, typed.code, part, rows, kept, Snapshot(value)
        )

    def forget(self, frame: FrameInfo) -> None:
        """Stop watching a frame: its cell was run again without ``--watch``."""
        self._watched.pop(frame.data_id, None)

    def off(self, typed: str = "") -> Answer:
        """Stop watching the frame with this expression or name; without one, stop watching all."""
        ended = {
            key: one
            for key, one in self._watched.items()
            if not typed or typed in {one.typed, one.frame.name}
        }
        if typed and not ended:
            names = ", ".join(one.typed for one in self._watched.values())
            raise UsageError(
                f"{typed} is not watched.",
                f"Watched: {names}."
                if names
                else f"Nothing is; to watch it: %dtale {typed} --watch",
            )
        for key in ended:
            del self._watched[key]
        names = ", ".join(dict.fromkeys(one.frame.name for one in ended.values()))
        return Answer(f"No longer watched: {names}." if names else "Nothing was watched.")

    def _after_cell(self, *_: Any) -> None:
        if not self._watched or self._session.port is None:  # after --stop, nobody is looking
            return
        shown = {frame.data_id for frame in self._session.frames.all()}
        for key, one in list(self._watched.items()):
            if key not in shown:
                self._watched.pop(key, None)
                continue
            try:
                self._follow(one)
            except KeyboardInterrupt:
                self._say(f"Interrupted: {one.frame.name} still shows the values of before.")
                return
            except DtaleMagicsError as error:
                self._say(f"{one.frame.name} still shows the values of before: {error.what}")
            except Exception as error:
                logger.exception("%s cannot be shown anew", one.typed)
                self._say(
                    f"{one.frame.name} still shows the values of before: "
                    f"{type(error).__name__}: {error}"
                )

    def _follow(self, one: _Watched) -> None:
        """Show a frame anew if it has changed."""
        from dtale_magics.viewer.frames.changes import Snapshot

        try:
            value = eval(one.code, self._shell.user_ns)  # noqa: S307 (the user's own)
        except Exception:  # noqa: BLE001 (after `del df`; and `a.b` can raise anything)
            one.snapshot = None
            return
        if one.snapshot is not None and one.snapshot.holds_of(value):
            return
        one.snapshot = Snapshot(value)
        before = one.frame.notes
        one.frame = self._session.frames.follow(
            one.frame, one.part(value), one.options, rows=one.rows
        )
        for said in one.frame.notes:
            if said not in before:
                self._say(said)
