"""The pod's page: every notebook and frame of the pod, and the grid of the chosen one.

Any kernel that accepts a request answers it. The page is the same file for everybody, and reads
what it shows from ``_pod/state``. A grid is an HTML frame with that notebook's own address.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from dtale_magics.page import files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from dtale_magics.page.notebooks import Notebooks

_STATE = f"/{files.FOLDER}state"


class Page:
    """A WSGI application; `PATH_INFO` is what follows the page's address.

    Parameters
    ----------
    notebooks
        The notebooks that it shows.
    is_open
        Whether it is the page for people without a link, which shows only what is open to them.
    """

    def __init__(self, notebooks: Notebooks, *, is_open: bool = False) -> None:
        self._notebooks = notebooks
        self._is_open = is_open

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return Response(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == "/":
            return files.page(request, "page")
        if request.path == _STATE:
            return self._state(request)
        return files.file(request, request.path.removeprefix("/")) or Response(status=404)

    def _state(self, request: Request) -> Response:
        port = int(request.environ["SERVER_PORT"])
        notebooks = self._notebooks.listing(port, open_only=self._is_open)
        # Root of the notebooks' links, relative to this page's address.
        state = {"root": "./" if self._is_open else "../", "notebooks": notebooks}
        response = Response(json.dumps(state), mimetype="application/json")
        response.headers["Cache-Control"] = "private, no-cache"
        response.add_etag()
        return response.make_conditional(request)
