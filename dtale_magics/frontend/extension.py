"""Put the magics into a shell, and take them out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dtale_magics.frontend.magics import DtaleMagics
from dtale_magics.frontend.shown import Shown
from dtale_magics.frontend.typed import completion
from dtale_magics.frontend.typed.rewriting import Rewriting
from dtale_magics.frontend.typed.running import Busy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from IPython.core.interactiveshell import InteractiveShell

    from dtale_magics.session import Session


def load(shell: InteractiveShell) -> None:
    """Register magics, settings and completion in `shell`."""
    unload(shell)
    magics = DtaleMagics(shell, Shown(shell), Rewriting(shell), Busy(shell))
    magics.shown.install()
    magics.rewriting.install()
    magics.busy.install()
    magics.watching.install()
    shell.register_magics(magics)
    shell.configurables.append(magics)  # type: ignore[arg-type] # so that %config knows it
    completion.install(shell, magics.session)
    magics.session.panel_api = _panel_api(magics.session)
    magics.session.is_busy = magics.busy
    magics.session.open()


def unload(shell: InteractiveShell) -> None:
    """Remove what `load` set and free the ports."""
    magics = shell.magics_manager.registry.pop(DtaleMagics.__name__, None)
    if magics is None:
        return
    for kind, names in DtaleMagics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.configurables.remove(magics)
    completion.uninstall(shell)
    magics.shown.uninstall()
    magics.rewriting.uninstall()
    magics.busy.uninstall()
    magics.watching.uninstall()
    magics.auto_show.uninstall()
    if magics.session.controller is not None:
        from dtale_magics.frontend.panel import controller

        controller.retire(magics.session)
    magics.session.close()


def _panel_api(session: Session) -> WSGIApplication:
    """Make the application that answers the panel's clicks; the first click imports the rest."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        from dtale_magics.frontend.panel.actions import Actions

        return Actions(session)(environ, start_response)

    return answer
