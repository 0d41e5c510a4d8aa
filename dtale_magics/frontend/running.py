"""The cell that runs, as the front end knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dtale_magics.frontend.front_end import CELL_ID
from dtale_magics.state import Cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def running_cell(shell: InteractiveShell) -> Cell:
    """Return the cell that `shell` runs.

    Consoles, nbclient and callbacks of widgets have no cell that could be run again.
    """
    # Newer IPythons count the shell's own number up when a cell begins, older ones when it ends.
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
