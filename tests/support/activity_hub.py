"""A Hub that hears of activity alone."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

TOKEN = "token-of-ada"
SECONDS = 30.0


class ActivityHub:
    """Answers every report with `status`, or not at all."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.reports: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self._end = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hub.authorizations.append(self.headers["Authorization"])
                hub.reports.append(json.loads(body))
                if hub.status is None:
                    hub._end.wait(SECONDS)
                    return
                self.send_response(hub.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                hub.reports.append({})
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def environ(self) -> dict[str, str]:
        """What JupyterHub sets for a named server."""
        return {
            "JUPYTERHUB_ACTIVITY_URL": f"http://127.0.0.1:{self._server.server_port}/activity",
            "JUPYTERHUB_API_TOKEN": TOKEN,
            "JUPYTERHUB_SERVER_NAME": "second",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._server.shutdown()
        self._thread.join(SECONDS)
        self._server.server_close()
