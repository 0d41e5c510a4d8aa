"""The one HTTP client: for servers nearby, with a deadline for the whole request.

It uses neither the environment's proxies, which are for the outside world, nor redirects, which
could lead a token astray.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

FAILURES = (OSError, http.client.HTTPException, ValueError)
"""What `fetch` raises when there is no answer: errors of the system, of HTTP, or of the URL."""

_MAX_BYTES = 1_000_000

_PATH_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"
"""Characters allowed in a path and a query besides letters and digits."""


class Answer(NamedTuple):
    """What a server said: the status, the headers and the body."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class _Cut:
    """Ends a connection when its time is over.

    The time-out of a socket counts for each read: a stranger that drips single bytes would hold us
    up forever.
    """

    def __init__(self, connection: http.client.HTTPConnection, seconds: float) -> None:
        self._connection = connection
        self._sock: socket.socket | None = None
        self.done = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._connection.close()

    def connected(self) -> None:
        """Remember the socket, which the connection forgets as soon as it reads the answer."""
        self._sock = self._connection.sock

    def _end(self) -> None:
        self.done = True
        # There is no socket before it is connected; connecting has the same time-out.
        sock = self._sock or self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def fetch(  # noqa: PLR0913 (by keyword)
    url: str,
    seconds: float,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    max_bytes: int = _MAX_BYTES,
) -> Answer:
    """Ask a server.

    Parameters
    ----------
    url
        With ``http`` or ``https``; for the latter, the system's certificates are trusted.
    seconds
        Deadline for all of it, except that the system's resolver has no deadline.
    method, headers, body
        The request.
    max_bytes
        How much of the body is read; the rest of a longer one is dropped.

    Raises
    ------
    OSError, http.client.HTTPException, ValueError
        See `FAILURES`. `TimeoutError` if it took too long; `http.client.HTTPException` for an
        answer that is not HTTP.
    """
    parts = urlsplit(url)
    kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if seconds <= 0:
        raise TimeoutError
    if parts.scheme not in kind or not parts.hostname:
        raise ValueError("This is no URL of a server.")
    target = quote(f"{parts.path or '/'}{parts.query and f'?{parts.query}'}", _PATH_CHARACTERS)
    end = time.monotonic() + seconds
    connection = kind[parts.scheme](parts.hostname, parts.port, timeout=seconds)
    with _Cut(connection, seconds) as cut:
        try:
            connection.connect()
            cut.connected()
            connection.request(method, target, body, {"Connection": "close", **(headers or {})})
            response = connection.getresponse()
            found = b""
            while len(found) < max_bytes and (piece := response.read1(65536)):
                found += piece
        except FAILURES:
            if cut.done:
                raise TimeoutError from None
            raise
        if cut.done or time.monotonic() > end:
            raise TimeoutError  # what was read may be only half of it
        return Answer(response.status, response.headers, found[:max_bytes])
