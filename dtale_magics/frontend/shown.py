"""What the running cell has shown, so that IPython does not show it again as the cell's value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import display

from dtale_magics import session as sessions
from dtale_magics.frontend import front_end
from dtale_magics.frontend.display import Text, frame_link, status_text
from dtale_magics.frontend.typed.commands import Listing
from dtale_magics.outcome import Outcome
from dtale_magics.state import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_WITH_WORDS = (Status, Listing, Outcome)
"""Types that are displayed as their own text when a later cell displays them."""

_INSTANCE = ("dtale.views", "DtaleData")


class Shown:
    """Keeps a value that a magic has shown from being shown twice by the same cell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._values: list[Any] = []
        assert shell.display_formatter is not None
        self._restore: Callable[[], None] = lambda: None
        self._formatter = shell.display_formatter.ipython_display_formatter

    def install(self) -> None:
        """Install the hook, to be asked before IPython displays such a value."""
        for kind in _WITH_WORDS:
            self._formatter.for_type(kind, self._show_in_words)
        self._formatter.for_type_by_name(*_INSTANCE, self._show_instance)
        self._shell.events.register("pre_execute", self._forget)
        if not hasattr(self._shell, "kernel"):
            hook = self._shell.display_trap.hook
            self._shell.display_trap.hook = _Hook(self._shell.displayhook, self._is_shown)
            self._restore = lambda: setattr(self._shell.display_trap, "hook", hook)

    def uninstall(self) -> None:
        """Remove the hook."""
        for kind in _WITH_WORDS:
            self._formatter.pop(kind, None)
        self._formatter.pop(".".join(_INSTANCE), None)
        self._shell.events.unregister("pre_execute", self._forget)
        self._restore()

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
        is_console = front_end.is_console(self._shell)  # it saves nothing
        words = status_text(value, links=is_console) if isinstance(value, Status) else str(value)
        if is_console:
            print(words)  # noqa: T201
        else:
            display(Text(words))

    def _show_instance(self, instance: Any) -> None:
        """Show the panel and the grid of an instance of D-Tale's, wherever it is displayed."""
        if self._is_shown(instance):
            return
        session = sessions.current()
        data_id = str(instance._data_id)  # noqa: SLF001 (D-Tale has no other name for it)
        frames = {frame.data_id: frame for frame in session.frames.all()}
        if data_id not in frames or not session.serves:
            raise NotImplementedError  # IPython then tries the next way to show it
        session.load()
        session.ensure()
        if front_end.is_console(self._shell):
            print(frame_link(frames[data_id], session.public_url))  # noqa: T201 (a console)
            return
        from dtale_magics.frontend.panel import widget as panel

        shown = panel.of(session, frames[data_id])
        shown.follow(instance)
        shown.show()


class _Hook:
    """Shows the values of a terminal's cells, except those that a magic has shown already.

    IPython alone would print "Out[1]:" with nothing after it.
    """

    def __init__(self, hook: Any, is_shown: Callable[[Any], bool]) -> None:
        self._hook = hook
        self._is_shown = is_shown

    def __call__(self, result: Any = None) -> None:
        if result is None or not self._is_shown(result):
            self._hook(result)
        else:
            self._hook.check_for_underscore()
            self._hook.update_user_ns(result)
            self._hook.fill_exec_result(result)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hook, name)
