"""Clicks over HTTP, which work while a cell runs: ``/<slug>/_magics/…`` of our own server.

``GET state`` returns what the panel says. ``POST take``, ``release``, ``range`` and ``refresh`` do
what its buttons do, and answer with the same; so does ``POST told``, with which a page reports what
it found at the kernel's URLs. The slug in front is the capability: a page that does not know it
cannot get here. Because of `HEADER`, browsers have to ask for permission before they send anything
(the CORS preflight of the Fetch standard).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from dtale_magics.frontend.panel import controller
from dtale_magics.serving.guard import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from dtale_magics.frontend.panel.knowledge import PanelSession

ACTIONS = ("take", "release", "range", "refresh")

_TOLD = "told"
_MAX_BODY = 4096
_MAX_TOLD = 32 * 1024


class Actions:
    """A WSGI application; `PATH_INFO` is what follows ``/<slug>/_magics``.

    Parameters
    ----------
    session
        This kernel's session.
    """

    def __init__(self, session: PanelSession) -> None:
        self._session = session

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request = Request(environ)
        response = self._answer(request)
        response.headers["Cache-Control"] = "no-store"
        origin = request.headers.get("Origin")
        if origin:
            # No cookies are involved; anybody who knows the slug can do this with any client.
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        name = request.path.strip("/")
        if name not in {"state", _TOLD, *ACTIONS}:
            return _json({"error": "There is nothing here."}, 404)
        if request.method == "OPTIONS":
            return Response(status=204, headers=_preflight(request))
        if HEADER not in request.headers:
            return _json({"error": f"The header {HEADER} is missing."}, 403)
        if request.method != ("GET" if name == "state" else "POST"):
            return _json({"error": "Not this method."}, 405)
        one = controller.of(self._session)
        try:
            if name == _TOLD:
                one.told(_read(request, _MAX_TOLD).decode("utf-8", "replace"))
            elif name != "state":
                body = _body(request)
                one.act(name, body["value"], body["click"])
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        return _json(one.state())


def _body(request: Request) -> dict[str, str]:
    """Read ``{"value": …, "click": …}``, both optional; `ValueError` says what is wrong."""
    data = _read(request, _MAX_BODY)
    try:
        read = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    if not isinstance(read, dict):
        raise ValueError("The body is not a JSON object.")  # noqa: TRY004 (the client's, not a type)
    body = {"value": read.get("value", ""), "click": read.get("click", "")}
    if not all(isinstance(part, str) for part in body.values()):
        raise ValueError("value and click are strings.")
    return body


def _read(request: Request, most: int) -> bytes:
    if (request.content_length or 0) > most:
        raise ValueError("The body is too long.")
    return request.stream.read(most)


def _preflight(request: Request) -> dict[str, str]:
    headers = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": f"{HEADER}, Content-Type",
        "Access-Control-Max-Age": "600",
    }
    if "Access-Control-Request-Private-Network" in request.headers:
        headers["Access-Control-Allow-Private-Network"] = "true"
    return headers


def _json(data: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(data), status=status, mimetype="application/json")
