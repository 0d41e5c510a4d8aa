"""How a magic shows what it has to say: words, and the panel with its grid.

The border behind which ipywidgets is imported, at the first ``%dtale`` of a notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import display

from dtale_magics.frontend import front_end
from dtale_magics.frontend.display import Text, frame_link, status_text
from dtale_magics.frontend.progress import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.frontend.shown import Shown
    from dtale_magics.frontend.typed.commands import Answer
    from dtale_magics.session import Session
    from dtale_magics.state import FrameInfo


class Output:
    """Shows below the running cell; in a terminal or console, as text.

    Parameters
    ----------
    shell
        Whose cell runs.
    session
        Whose panel it is.
    shown
        Told of what has been shown, so that IPython does not show it once more.
    """

    def __init__(self, shell: InteractiveShell, session: Session, shown: Shown) -> None:
        self._shell = shell
        self._session = session
        self._shown = shown

    @property
    def in_browser(self) -> bool:
        """Whether a notebook shows it, and not a terminal or a console."""
        return not front_end.is_console(self._shell)

    def line(self) -> Line:
        """Make the line that says what is waited for."""
        return Line(self._session, in_browser=self.in_browser)

    def say(
        self,
        text: str,
        in_terminal: str = "",
        follow: Callable[[Callable[[str], None]], None] | None = None,
    ) -> None:
        """Show words; see `dtale_magics.frontend.typed.commands.Answer`."""
        if not self.in_browser:
            if follow is not None:
                said = [text]
                follow(said.append)
                text = said[-1]
            print("\n".join(filter(None, [text, in_terminal])))  # noqa: T201 (a terminal)
            return
        handle = display(Text(text), display_id=True)
        if follow is not None:
            follow(lambda text: handle.update(Text(text)))

    def answer(self, answer: Answer, *, silent: bool) -> Any:
        """Show the words of an answer, and return its value for the user's code."""
        if answer.text:
            self.say(answer.text, answer.in_terminal, answer.follow)
            self._shown.note(answer.value)
        if answer.panel and self.in_browser:
            self.panel(self.line())
        return None if silent else answer.value

    def panel(self, waiting: Line) -> None:
        """Show the panel in place of the line that waited; in a terminal, the status."""
        if self.in_browser:
            self._panel().show(waiting.replace)
        else:
            waiting.replace(status_text(self._session.status(), audience=self._session.audience()))

    def frame(
        self, waiting: Line, frame: FrameInfo, instance: Any, height: int | None = None
    ) -> None:
        """Show the panel above the grid of a frame; in a terminal, its link."""
        if self.in_browser:
            panel = self._panel(frame)
            panel.follow(instance)
            if height is not None:
                panel.resize(height=height)
            panel.show(waiting.replace)
        else:
            waiting.replace(frame_link(frame, self._session.public_url))
        self._shown.note(instance)

    def _panel(self, frame: FrameInfo | None = None) -> Any:
        from dtale_magics.frontend.panel import widget as panel

        return panel.of(self._session, frame)
