"""Whether the page shows our panels; if it does not, a link takes their place.

A page that shows a panel says so. If none has spoken some seconds after the cell, the front end has
no widgets, or not this one, for example because anywidget is missing where the Jupyter server runs.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

PATIENCE_SECONDS = 8.0
"""How long the kernel waits while idle: a page's message is queued behind the cells."""

_LOOK_SECONDS = 0.5


class Answering:
    """Waits for a page's first message.

    Parameters
    ----------
    shell
        Runs the cells that keep a page's message waiting.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._heard = False
        self._waiting: list[Callable[[bool], None]] = []
        self._told: list[Callable[[bool], None]] = []
        """Callbacks that were told that no page has spoken."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def heard(self) -> None:
        """Note that a page shows a panel."""
        with self._lock:
            self._heard = True
            told, self._told, self._waiting = self._told, [], []
        for tell in told:
            tell(True)

    def wait(self, tell: Callable[[bool], None]) -> None:
        """Have `tell` called with False if no page speaks, and with True if one then does."""
        with self._lock:
            if self._heard:
                return
            self._waiting.append(tell)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._run, name="dtale_magics answering", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        idle_since = time.monotonic()

        def busy(*_: Any) -> None:
            nonlocal idle_since
            idle_since = float("inf")

        def idle(*_: Any) -> None:
            nonlocal idle_since
            idle_since = time.monotonic()

        busy()
        events = self._shell.events
        events.register("pre_execute", busy)
        events.register("post_execute", idle)
        try:
            while time.monotonic() - idle_since < PATIENCE_SECONDS:
                time.sleep(_LOOK_SECONDS)
                if self._heard:
                    return
            with self._lock:
                waiting, self._waiting = ([] if self._heard else self._waiting), []
                self._told += waiting
            for tell in waiting:
                tell(False)
        finally:
            events.unregister("pre_execute", busy)
            events.unregister("post_execute", idle)
