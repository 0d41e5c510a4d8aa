"""What the running cell has shown, so that IPython does not show it again as the cell's value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import display

from dtale_magics import session as sessions
from dtale_magics.frontend.commands import Listing
from dtale_magics.outcome import Outcome
from dtale_magics.state import Status

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_WITH_WORDS = (Status, Listing, Outcome)
"""What is shown in its own words when a later cell shows it."""

_INSTANCE = ("dtale.views", "DtaleData")


class Shown:
    """Keeps a value that a magic has shown from being shown twice by the same cell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._values: list[Any] = []
        assert shell.display_formatter is not None
        self._formatter = shell.display_formatter.ipython_display_formatter

    def install(self) -> None:
        """Be asked before IPython displays such a value."""
        for kind in _WITH_WORDS:
            self._formatter.for_type(kind, self._show_in_words)
        self._formatter.for_type_by_name(*_INSTANCE, self._show_instance)
        self._shell.events.register("pre_execute", self._forget)

    def uninstall(self) -> None:
        """Be asked no more."""
        for kind in _WITH_WORDS:
            self._formatter.pop(kind, None)
        self._formatter.pop(".".join(_INSTANCE), None)
        self._shell.events.unregister("pre_execute", self._forget)

    def note(self, value: Any) -> None:
        """Remember that the running cell has shown `value`."""
        self._values.append(value)

    def _is_shown(self, value: Any) -> bool:
        return any(one is value for one in self._values)

    def _forget(self) -> None:
        self._values.clear()

    def _show_in_words(self, value: Any) -> None:
        if self._is_shown(value):
            return
        from dtale_magics.frontend.display import Text, status_text  # noqa: PLC0415 (as the magics)

        is_status = isinstance(value, Status)
        display(Text(status_text(value, links=False) if is_status else str(value)))

    def _show_instance(self, instance: Any) -> None:
        """Show the panel and the grid of an instance of D-Tale's, wherever it is displayed."""
        if self._is_shown(instance):
            return
        session = sessions.current()
        data_id = str(instance._data_id)  # noqa: SLF001 (D-Tale has no other name for it)
        frames = {frame.data_id: frame for frame in session.frames()}
        if data_id not in frames or not hasattr(self._shell, "kernel"):
            raise NotImplementedError  # IPython goes on to the next way to show it
        from dtale_magics.frontend import panel  # noqa: PLC0415 (ipywidgets, not at %load_ext)

        session.load()
        session.ensure()
        shown = panel.of(session, frames[data_id])
        shown.follow(instance)
        display(shown.live)
        display(shown.static)
