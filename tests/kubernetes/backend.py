"""A pod's processes, run inside a network namespace: a real D-Tale, and servers that tell.

The first address has D-Tale on port 40000, below its slug only. On every other address, ports
40000-40002 answer with what reached them, so that a test can tell whose pod and which port it was.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable


def not_found(environ: Any, start_response: Any) -> Any:
    return Response("no such slug", 404)(environ, start_response)


def dtale_app(slug: str, prefix: str) -> Callable[..., Any]:
    """Build what a kernel serves: D-Tale with one frame, below the slug, with and without prefix.

    The one place to put `dtale_magics`'s own server.
    """
    import pandas as pd  # noqa: PLC0415
    from dtale.app import build_app  # noqa: PLC0415
    from dtale.views import startup  # noqa: PLC0415

    mounts = {
        root: build_app(reaper_on=False, app_root=root) for root in (f"/{slug}", f"{prefix}/{slug}")
    }
    startup("", data=pd.DataFrame({"planet": ["Mars", "Venus"], "moons": [2, 0]}))
    stripped = DispatcherMiddleware(not_found, mounts)
    prefixed = mounts[f"{prefix}/{slug}"]

    def app(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        forwarded = environ.get("HTTP_X_FORWARDED_PREFIX")
        if forwarded == prefix and (path + "/").startswith(f"/{slug}/"):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = f"{prefix}/{slug}", path[len(slug) + 1 :]
            return prefixed(environ, start_response)
        return stripped(environ, start_response)

    return app


def echo_app(address: str, port: int) -> Callable[..., Any]:
    @Request.application
    def app(request: Request) -> Response:
        told = {
            "address": address,
            "port": port,
            "path": request.path,
            "prefix": request.headers.get("X-Forwarded-Prefix"),
        }
        return Response(json.dumps(told), content_type="application/json")

    return app


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


def main(slug: str, prefix: str, first: str, *others: str) -> None:
    apps = {(first, 40000): dtale_app(slug, prefix)}
    for address in others:
        apps |= {(address, port): echo_app(address, port) for port in (40000, 40001, 40002)}
    for (address, port), app in apps.items():
        server = make_server(address, port, app, threaded=True, request_handler=Quiet)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    sys.stdin.read()  # until the test closes it, or has died


if __name__ == "__main__":
    main(*sys.argv[1:])
