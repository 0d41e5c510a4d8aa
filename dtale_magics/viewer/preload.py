"""D-Tale's import, one piece at a time, in the kernel's main thread while no cell is running.

Importing D-Tale takes two seconds. A thread that did it during a cell would share Python's import
locks and process-wide state with that cell. For example, ``import dtale.global_state`` in the cell
and ``import dtale`` in the thread would wait for each other, until Python resolves the deadlock by
giving one of them a half-initialised module; and ``warnings.catch_warnings`` in the thread would
undo what the cell sets meanwhile.

So the kernel's event loop does it between cells. Code that needs D-Tale earlier imports the rest at
once, in its own thread, as ``import dtale`` would.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

PIECES = (
    "flask",
    "numpy",
    "pandas",
    "requests",
    "dash",
    "dash_bootstrap_components",
    "plotly.express",
    "scipy.special",
    "scipy.linalg",
    "scipy.sparse",
    "scipy.spatial",
    "scipy.optimize",
    "scipy.integrate",
    "scipy.interpolate",
    "scipy.stats",
    "matplotlib.pyplot",
    "seaborn",
    "missingno",
    "networkx",
    "xarray",
    "statsmodels.tsa.filters.bk_filter",
)
"""The slow imports among D-Tale's; a cell that is run meanwhile waits for at most one of them."""

_PAUSE_SECONDS = 0.1
"""How long the kernel must have been idle before the next piece."""

_LATE_SECONDS = 0.05
"""A callback that is at least this late shows that the loop was busy with a cell."""


class Preload:
    """The import of D-Tale.

    Parameters
    ----------
    load
        Imports D-Tale and prepares it, in the calling thread; quick once `PIECES` are imported.
    """

    def __init__(self, load: Callable[[], object]) -> None:
        self._load = load
        self._done = False
        self._lock = threading.RLock()
        self._pieces = list(PIECES)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Import while the kernel is idle; without an event loop, as in a terminal, on demand."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._wait(loop)

    def stop(self) -> None:
        """Import nothing more until it is needed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def complete(self) -> None:
        """Import what is left, in this thread, and raise what the import raises.

        A failed import is retried the next time: a package may have been installed meanwhile.
        """
        self.stop()
        with self._lock:
            if not self._done:
                with _without_traces():
                    self._load()
                self._done = True

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + _PAUSE_SECONDS
        self._timer = loop.call_at(due, self._go_on, loop, due)

    def _go_on(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._timer = None
        if loop.time() - due < _LATE_SECONDS:
            try:
                self._import_piece()
            except BaseException as error:  # noqa: BLE001 (it would end the kernel's event loop)
                logger.debug("D-Tale is not imported ahead: %r", error)
                return
        if not self._done:
            self._wait(loop)

    def _import_piece(self) -> None:
        while self._pieces and self._pieces[0] in sys.modules:
            del self._pieces[0]
        if not self._pieces:
            self.complete()
            return
        with self._lock, _without_traces():
            importlib.import_module(self._pieces.pop(0))


@contextmanager
def _without_traces() -> Iterator[None]:
    """Undo changes of warning filters and environment variables that an import makes."""
    with warnings.catch_warnings(), _same_environment():
        yield


@contextmanager
def _same_environment() -> Iterator[None]:
    """Undo what this thread writes into the environment, as statsmodels does by way of polars.

    Restoring a copy afterwards would also undo what other threads, the user's, write meanwhile.
    """
    environ = os.environ
    importer = threading.get_ident()
    before: dict[str, str | None] = {}
    kind = type(environ)

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __setitem__(self, name: str, value: str) -> None:
            self._remember(name)
            super().__setitem__(name, value)

        def __delitem__(self, name: str) -> None:
            self._remember(name)
            super().__delitem__(name)

        def _remember(self, name: str) -> None:
            if threading.get_ident() == importer:
                before.setdefault(name, self.get(name))

    environ.__class__ = Watched
    try:
        yield
    finally:
        environ.__class__ = kind
        for name, value in before.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
