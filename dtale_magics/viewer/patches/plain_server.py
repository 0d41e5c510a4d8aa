"""Servers of plain D-Tale in this very process, which serve its frames without a guard.

``dtale.show()`` before ``%load_ext`` starts one. It shares D-Tale's state with us, so anybody who
reaches its port also sees what is shown later.
"""

from __future__ import annotations

import gc
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from dtale_magics.system import holders

if TYPE_CHECKING:
    from collections.abc import Collection

_STOP_SECONDS = 5.0
"""Time for a server to stop: Werkzeug's checks twice a second whether it should."""


class PlainServer(NamedTuple):
    """A server that was stopped: its port, and the beginning of the links to it."""

    port: int
    base_url: str


class PlainServers:
    """Looks for such servers and stops them.

    Attributes
    ----------
    urls
        The beginnings of the links to those that were stopped.
    """

    def __init__(self) -> None:
        self.urls: set[str] = set()
        self._listening: frozenset[int] = frozenset()
        """Ports that this process listened on at the last look for servers."""

    def stop(self, ours: Collection[int] = ()) -> list[PlainServer]:
        """Stop the Werkzeug servers of this process whose application is D-Tale's.

        D-Tale's own ``/shutdown`` would stop the first Werkzeug server that the garbage collector
        lists, even one of the user's, and would forget all frames.

        Parameters
        ----------
        ours
            Ports of our own server, where no plain one can be.

        Returns
        -------
        list of PlainServer
            Those that were stopped; their ports are free.
        """
        listening = holders.own_ports().difference(ours)
        if listening <= self._listening:  # no new port; looking for servers takes 50 ms
            return []
        self._listening = listening
        stopped = _stop_servers()
        self.urls.update(server.base_url for server in stopped)
        return stopped


def _stop_servers() -> list[PlainServer]:
    app, serving = sys.modules.get("dtale.app"), sys.modules.get("werkzeug.serving")
    if app is None or serving is None:
        return []
    stopped = []
    for server in _instances(serving.BaseWSGIServer):
        flask = server.app
        if not isinstance(flask, app.DtaleFlask) or server.socket.fileno() < 0:
            continue
        flask.reaper_on = False  # later, it would ask the port's next holder to shut down
        flask.clear_reaper()
        thread = threading.Thread(target=server.shutdown, daemon=True)
        thread.start()
        thread.join(_STOP_SECONDS)
        server.server_close()
        stopped.append(PlainServer(server.port, str(flask.base_url or "")))
    return stopped


def _instances(kind: type) -> list[Any]:
    """Find the living instances of a class and its subclasses."""
    return [found for found in gc.get_objects() if issubclass(type(found), kind)]
