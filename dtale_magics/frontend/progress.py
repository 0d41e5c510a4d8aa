"""What a cell shows while it waits: one line, which the result then replaces."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from IPython.display import display

from dtale_magics.frontend.display import Text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from typing_extensions import Self

    from dtale_magics.session import Session
    from dtale_magics.viewer.show_options import ShowOptions

_QUIET_SECONDS = 1.0
"""A show that takes no longer than this says nothing."""

_SECONDS_BETWEEN = 0.3
"""How often the line may change: a column may take only microseconds."""


class Line:
    """One line below the cell, or on the last line of a terminal; it is removed at the end.

    Parameters
    ----------
    in_browser
        Whether a notebook shows it.
    session
        The session whose D-Tale may still be loading.
    """

    def __init__(self, session: Session, *, in_browser: bool) -> None:
        self._session = session
        self.in_browser = in_browser
        self._handle: Any = None
        self._width = 0

    def load(self) -> None:
        """Wait until D-Tale is loaded, and say so if that takes time."""
        if not self._session.loaded and self._handle is None:
            self.say("Loading D-Tale, some seconds, once for each kernel …")
        self._session.load()

    def options(self) -> ShowOptions:
        """Read D-Tale's show options, waiting until D-Tale is loaded."""
        self.load()
        return self._session.frames.options()

    def say(self, text: str) -> None:
        """Show `text` instead of the line's former text."""
        if not self.in_browser:
            if sys.stderr.isatty():
                print(f"\r{text:{self._width}}", end="", file=sys.stderr, flush=True)  # noqa: T201
                self._width = len(text)
            return
        self._show(Text(text))

    def replace(self, result: object) -> None:
        """Show `result` instead of the line."""
        if isinstance(result, str):
            self.clear()
            print(result)  # noqa: T201 (a terminal)
        else:
            self._show(result)

    def clear(self) -> None:
        """Leave nothing."""
        if self._width:
            print(f"\r{'':{self._width}}\r", end="", file=sys.stderr, flush=True)  # noqa: T201
            self._width = 0
        if self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)

    def _show(self, shown: object) -> None:
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


class Analysis:
    """Says which column D-Tale is analysing, and ends the analysis at once on an interrupt.

    In places, D-Tale itself would take an interrupt for an error in a column, and go on.

    Parameters
    ----------
    line
        The line to use.
    name
        The frame.
    hint
        What else to say, and at once; if it is empty, nothing is said unless it takes time.
    """

    def __init__(self, line: Line, name: str, hint: str) -> None:
        self._line = line
        self._name = name
        self._hint = hint
        self._text = f"Reading {name} …"
        self._interrupted = False
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._tell, name="dtale_magics progress", daemon=True
        )
        self._former: Any = None

    def column(self, number: int, count: int, column: str) -> None:
        """Note that D-Tale is about to analyse a column; `KeyboardInterrupt` if it is to stop."""
        if self._interrupted:
            raise KeyboardInterrupt
        self._text = f"Analysing {self._name}: column {number} of {count}, {column} …"

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            former = signal.getsignal(signal.SIGINT)
            if callable(former):
                self._former = former
                signal.signal(signal.SIGINT, self._interrupt)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)
        self._thread.join()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        former: Callable[[int, FrameType | None], Any] = self._former
        former(number, frame)
        raise KeyboardInterrupt

    def _tell(self) -> None:
        said, wait = "", 0.0 if self._hint else _QUIET_SECONDS
        while not self._ended.wait(wait):
            if self._text != said:
                said = self._text
                how = (
                    "interrupt the kernel (■) to stop" if self._line.in_browser else "Ctrl-C stops"
                )
                self._line.say("  ".join(filter(None, [said, f"({how})", self._hint])))
            wait = _SECONDS_BETWEEN


def interrupted(name: str, *, shown_before: bool) -> KeyboardInterrupt:
    """Make an interrupt that says in one line what became of a frame."""
    text = f"Interrupted: {name} is not shown."
    if shown_before:
        text = f"Interrupted: D-Tale still shows the last {name}."
    error = KeyboardInterrupt(text)
    error._render_traceback_ = lambda: [text]  # type: ignore[attr-defined]
    return error
