"""D-Tale in notebooks that share one pod and one ingress port.

``%load_ext dtale_magics`` adds ``%dtale`` and ``%dtale_port``; `status` tells code the same.
Importing this package is cheap: D-Tale, pandas and Flask are imported when they are needed.

The public API is what `__all__` names, the types that it returns (`dtale_magics.state`,
`dtale_magics.outcome`) and raises (`dtale_magics.errors`), and `dtale_magics.kubernetes` for hubs.
Every other module is internal, and may change without notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dtale_magics.deadlines import TAKEOVER
from dtale_magics.version import VERSION

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.outcome import Outcome
    from dtale_magics.state import Status

__all__ = ["load_ipython_extension", "status", "take_over", "unload_ipython_extension"]

__version__ = VERSION


def status() -> Status:
    """Return the state of this kernel's D-Tale.

    Raises
    ------
    dtale_magics.errors.SettingError
        When a setting cannot be used; it says which and why.
    """
    from dtale_magics import session

    return session.current().status()


def take_over(port: int | None = None, *, deadline_seconds: float = TAKEOVER) -> Outcome:
    """Get a port for this kernel's D-Tale, by default the ingress port, from whoever has it.

    Parameters
    ----------
    port
        The port.
    deadline_seconds
        Time-out, after which the outcome is `dtale_magics.outcome.Refused`.

    Returns
    -------
    dtale_magics.outcome.Outcome
        What happened; ``.ours`` says whether the port is now this kernel's.

    Raises
    ------
    dtale_magics.errors.SettingError
        When a setting cannot be used, or `port` is not a port.
    """
    from dtale_magics import session, settings

    wanted = None if port is None else settings.parse_port(port, "port")
    return session.current().take_over(wanted, deadline_seconds=deadline_seconds)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; called by ``%load_ext dtale_magics``."""
    from dtale_magics.frontend import extension

    extension.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove the magics and free the ports; called by ``%unload_ext dtale_magics``."""
    from dtale_magics.frontend import extension

    extension.unload(shell)
