"""What runs in a pod, inside a network namespace.

``dtale``: a kernel's real D-Tale on port 40000, as `dtale_magics` serves it. ``echo``: servers on
ports 40000-40002 that answer with what reached them, so that a test can tell whose pod and which
port it was.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from dtale_magics.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable


def serve_dtale(slug: str) -> None:
    """Show one frame; range, port and public URL come from the environment, as in a cluster."""
    session = Session()
    session.slug = slug  # known to the test
    session.open()  # as the extension does
    session.frames.show({"planet": ["Mars", "Venus"], "moons": [2, 0]}, "planets")
    assert session.port == 40000, session.port


def echo_app(address: str, port: int) -> Callable[..., Any]:
    @Request.application
    def app(request: Request) -> Response:
        told = {
            "address": address,
            "port": port,
            "path": request.path,
            "prefix": request.headers.get("X-Forwarded-Prefix"),
            "cookie": request.headers.get("Cookie"),
            "user": request.headers.get("X-Auth-Request-User"),
        }
        return Response(json.dumps(told), content_type="application/json")

    return app


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


def serve_echo(*addresses: str) -> None:
    for address in addresses:
        for port in (40000, 40001, 40002):
            app = echo_app(address, port)
            server = make_server(address, port, app, threaded=True, request_handler=Quiet)
            threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "dtale":
        serve_dtale(*sys.argv[2:])
    else:
        serve_echo(*sys.argv[2:])
    print("ready", flush=True)  # noqa: T201
    sys.stdin.read()  # until the test closes it, or has died
