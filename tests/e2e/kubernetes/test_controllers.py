"""nginx, HAProxy and Caddy with the documented lines, in front of a real D-Tale."""

from __future__ import annotations

import http.client
import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support import ROOT, proxies
from tests.support.cluster import DTALE_IP, HOST, PREFIX, SLUG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.ports import PortClaims

DOCS = ROOT / "docs" / "kubernetes.md"
BOUNDARY = "x-y-z"


def documented(program: str) -> str:
    """The lines for a program, with this test's pod."""
    text = DOCS.read_text().partition("## Other controllers\n")[2]
    lines = text.partition(f"\n{program}")[2].splitlines()[2:]
    block = itertools.takewhile(lambda line: line.startswith("    ") or not line, lines)
    return "\n".join(block).replace("jupyter-ada:40000", f"{DTALE_IP}:40000")


@contextmanager
def running(program: str, port: int) -> Iterator[None]:
    lines = documented(program)
    if program == "nginx":
        with proxies.nginx(port, lines):
            yield
    elif program == "HAProxy":
        config = (
            "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 600s\n"
            f"frontend web\n bind 127.0.0.1:{port}\n{lines}\n default_backend pod\n"
            f"backend pod\n server pod {DTALE_IP}:40000\n"
        )
        with proxies.haproxy(port, config):
            yield
    else:
        with proxies.caddy(port, f"http://{HOST}:{port} {{\n bind 127.0.0.1\n{lines}\n}}\n"):
            yield


def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": f"{HOST}:{port}"}
    if body is not None:
        headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def upload() -> bytes:
    """Three MiB of a form with a file in it."""
    rows = "\n".join(["text", *(["x" * 2**10] * 3 * 2**10)])
    kind = 'Content-Disposition: form-data; name="big.csv"; filename="big.csv"'
    return f"--{BOUNDARY}\r\n{kind}\r\n\r\n{rows}\r\n--{BOUNDARY}--\r\n".encode()


@pytest.mark.parametrize("program", ["nginx", "HAProxy", "Caddy"])
def test_the_documented_lines_lead_to_dtale(
    program: str, dtale_pod: str, port_claims: PortClaims
) -> None:
    assert dtale_pod == DTALE_IP
    (port,) = port_claims.take(1)
    with running(program, port):
        status, page = ask(port, f"{PREFIX}/{SLUG}/dtale/main/1")
        assert status == 200
        asset = page.split('src="')[1].split('"')[0]
        assert asset.startswith(f"{PREFIX}/")
        assert ask(port, asset)[0] == 200
        assert ask(port, f"{PREFIX}/dtale/main/1")[0] == 404
        status, answer = ask(port, f"{PREFIX}/{SLUG}/dtale/upload", upload())
        assert (status, '"success":true' in answer.replace(" ", "")) == (200, True), answer[:200]


def test_without_them_nginx_takes_no_large_upload(dtale_pod: str, port_claims: PortClaims) -> None:
    (port,) = port_claims.take(1)
    with proxies.nginx(port, f"location / {{ proxy_pass http://{dtale_pod}:40000; }}"):
        assert ask(port, f"/{SLUG}/dtale/main/1")[0] == 200
        assert ask(port, f"/{SLUG}/dtale/upload", upload())[0] == 413
