"""HTTP without proxies, redirects or retries: what the test asks is what is sent."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.pods import Pod

SECONDS = 30.0


@dataclass(frozen=True)
class Response:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.body)


def connect(
    host: str, port: int, pod: Pod | None = None, timeout: float = SECONDS
) -> socket.socket:
    """Open a TCP connection, in `pod` if there is one."""
    if pod is not None:
        return pod.connect(host, port, timeout)
    return socket.create_connection((host, port), timeout)


def request(  # noqa: PLR0913 (what HTTP has)
    url: str,
    method: str = "GET",
    *,
    pod: Pod | None = None,
    host: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = SECONDS,
) -> Response:
    """Send one request; `host` is the address to connect to, if not the URL's.

    Raises
    ------
    OSError, http.client.HTTPException
        When there is no complete answer within `timeout` seconds for each step.
    """
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    connection.sock = connect(host or parts.hostname, parts.port, pod, timeout)
    try:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request(method, target, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def all_headers(url: str) -> list[tuple[str, str]]:
    """Headers of an answer, also those that occur more than once."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().getheaders()
    finally:
        connection.close()


def data_url(frame_url: str, rows: str = "0-5") -> str:
    """URL of the grid's data for the URL of a frame's page (``…/dtale/main/1``)."""
    base, _, data_id = frame_url.rpartition("/dtale/main/")
    assert base, frame_url
    return f"{base}/dtale/data/{data_id}?ids={quote(json.dumps([rows]))}"


def grid(frame_url: str, rows: str = "0-5", **options: Any) -> list[dict[str, Any]]:
    """Rows that the grid of `frame_url` shows, in order."""
    response = request(data_url(frame_url, rows), **options)
    assert response.status == 200, (response.status, response.text[:500])
    results = response.json()["results"]
    return [results[index] for index in sorted(results, key=int)]
