"""The page behind a look-only link: one frame, to read, sort and filter.

None of D-Tale's own routes is here. The page, its files and ``rows``, which changes nothing, can be
requested; everything else gets the 404 that everybody gets.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from dtale_magics.errors import UsageError
from dtale_magics.page import files
from dtale_magics.serving.web import not_found
from dtale_magics.viewer.rows import MAX_ROWS, BusyError, Rows, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from dtale_magics.page.links import Link
    from dtale_magics.viewer.rows import Frame

_ROWS = f"/{files.FOLDER}rows"
_ARGUMENTS = {"first", "count", "view"}
_MAX_VIEW = 8192
_BUSY = "Others are sorting and filtering; it is tried again."


class Look:
    """A WSGI application; `PATH_INFO` is what follows the link.

    Parameters
    ----------
    link
        The link that leads here.
    frame
        Returns the frame; None if it is gone.
    """

    def __init__(self, link: Link, frame: Callable[[], Frame | None]) -> None:
        self._link = link
        self._frame = frame
        self._rows = Rows()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        return (self._answer(Request(environ)) or not_found())(environ, start_response)

    def _answer(self, request: Request) -> Response | None:
        if request.method not in {"GET", "HEAD"} or not self._link.is_alive:
            return None
        if request.path == "/":
            return None if request.args else files.page(request, "look")
        if request.path == _ROWS:
            return self._part(request)
        return files.file(request, request.path.removeprefix("/"))

    def _part(self, request: Request) -> Response | None:
        """Answer with some rows; None for any request that the page would not send."""
        frame = self._frame()
        if frame is None or set(request.args) - _ARGUMENTS:
            return None
        try:
            first, count = (int(request.args[name]) for name in ("first", "count"))
            view = View.read(json.loads(request.args.get("view", "{}")[:_MAX_VIEW]))
        except (HTTPException, ValueError, RecursionError, UsageError):
            return None
        if first < 0 or not 0 <= count <= MAX_ROWS:
            return None
        try:
            part = self._rows.part(frame, view, first, count)
        except UsageError as error:
            return _json({"error": error.what}, 400)
        except BusyError:
            return _json({"error": _BUSY}, 503)
        columns = [{"name": one["name"], "type": str(one["dtype"])} for one in frame.visible]
        state = {"name": self._link.name, "expires": self._link.expires, "shown": frame.shown}
        return _json({**state, "columns": columns, "total": part.total, "rows": part.rows})


def _json(value: dict[str, Any], status: int = 200) -> Response:
    response = Response(json.dumps(value), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
