"""The cell that is running, as the front end knows it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from dtale_magics.frontend.front_end import CELL_ID
from dtale_magics.state import Cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Busy:
    """Knows whether a cell is running.

    Parameters
    ----------
    shell
        Runs the cells.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._busy = False

    def __call__(self) -> bool:
        """Whether a cell is running; the cell that installs this does not count."""
        return self._busy

    def install(self) -> None:
        """Listen to the shell."""
        self._shell.events.register("pre_execute", self._begin)
        self._shell.events.register("post_execute", self._end)

    def uninstall(self) -> None:
        """Stop listening."""
        for event, listener in (("pre_execute", self._begin), ("post_execute", self._end)):
            with contextlib.suppress(ValueError):  # the shell's events were reset
                self._shell.events.unregister(event, listener)

    def _begin(self) -> None:
        self._busy = True

    def _end(self) -> None:
        self._busy = False


def running_cell(shell: InteractiveShell) -> Cell:
    """Return the cell that `shell` is running.

    Consoles, nbclient and callbacks of widgets have no cell that could be run again.
    """
    # Newer IPythons increase the shell's own number when a cell begins, older ones when it ends.
    number = shell.displayhook.prompt_count
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return Cell(run=str(number), number=number)
    request: dict[str, Any] = kernel.get_parent("shell") or {}
    header, metadata = request.get("header", {}), request.get("metadata", {})
    run = str(header.get("msg_id", ""))
    if header.get("msg_type") != "execute_request":
        return Cell(run=run)
    found = [metadata[name] for name in CELL_ID if isinstance(metadata.get(name), str)]
    return Cell(found[0] if found else "", run, number)
