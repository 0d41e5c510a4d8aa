"""Who knows the path of the static files, and no link, holds nobody up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import plain_http
from tests.support.kernels import Kernel
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(180)

STALLED = 90
SCRIPT = "dtale/static/dist/dtale_bundle.js"
SECONDS = 10.0
"""For a request beside them; before, it waited for 30."""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with PortClaims() as claims, Kernel(claims.take()) as one:
        one.start()
        one.run("%load_ext dtale_magics\nimport dtale_magics.session, os")
        one.run("%dtale {'a': [1, 2, 3]}")
        yield one


@contextlib.contextmanager
def _stalled(
    port: int, path: str, coding: str, method: str = "GET"
) -> Iterator[list[socket.socket]]:
    """Open connections that ask for `path` and read nothing."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(STALLED):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(("127.0.0.1", port))
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: {coding}\r\n\r\n"
            )
            client.sendall(head.encode())
            clients.append(client)
        yield clients


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_those_who_do_not_read_keep_no_request_waiting(kernel: Kernel, coding: str) -> None:
    status = kernel.status()
    port, page = status["port"], f"{status['url']}dtale/main/1"
    token = kernel.value("dtale_magics.session.current().assets.token")
    script = f"http://127.0.0.1:{port}/{token}/{SCRIPT}"
    whole = plain_http.request(script, headers={"Accept-Encoding": coding})
    assert whole.status == 200
    assert len(plain_http.grid(page)) == 3
    process = psutil.Process(kernel.value("os.getpid()"))
    before = process.memory_info().rss
    for _ in range(3):
        with _stalled(port, f"/{token}/{SCRIPT}", coding) as clients:
            for client in clients[-5:]:
                assert client.recv(12).startswith(b"HTTP/1.")  # the server is at work on them
            started = time.monotonic()
            assert len(plain_http.grid(page, timeout=SECONDS)) == 3
            # Who does read gets the whole of it beside them.
            beside = plain_http.request(script, headers={"Accept-Encoding": coding}, timeout=30)
            assert beside.body == whole.body
            assert beside.headers["Content-Length"] == str(len(whole.body))
            assert time.monotonic() - started < 3 * SECONDS
    assert process.memory_info().rss - before < 120 * 2**20
    assert len(plain_http.grid(page, timeout=SECONDS)) == 3


def test_a_body_that_nobody_asked_for_takes_no_memory(kernel: Kernel) -> None:
    status = kernel.status()
    port, page = status["port"], f"{status['url']}dtale/main/1"
    process = psutil.Process(kernel.value("os.getpid()"))
    before, most = process.memory_info().rss, 0
    head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000000\r\n\r\n"
    piece = bytes(64 * 1024)

    def send() -> None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), 20) as client,
        ):
            client.sendall(head)
            for _ in range(400):
                client.sendall(piece)

    threads = [threading.Thread(target=send, daemon=True) for _ in range(40)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, process.memory_info().rss - before)
        time.sleep(0.02)
    assert most < 100 * 2**20
    assert len(plain_http.grid(page, timeout=SECONDS)) == 3
