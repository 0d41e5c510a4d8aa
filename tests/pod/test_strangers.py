"""Whoever is no D-Tale of ours is named, and left alone."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from dtale_magics.takeover import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartKernel


class StartStranger(Protocol):
    def __call__(self, host: str, answer: bytes | None) -> tuple[int, list[bytes]]: ...


@pytest.fixture
def stranger() -> Iterator[StartStranger]:
    with contextlib.ExitStack() as stack:

        def listen(host: str, answer: bytes | None) -> tuple[int, list[bytes]]:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sock = stack.enter_context(socket.socket(family))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, 0))
            sock.listen()
            requests: list[bytes] = []

            def serve() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = sock.accept()
                        with connection:
                            if answer is None:
                                time.sleep(3)
                            requests.append(connection.recv(4096))
                            connection.sendall(answer or b"")

            if answer != b"never":
                threading.Thread(target=serve, daemon=True).start()
            return sock.getsockname()[1], requests

        yield listen


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
@pytest.mark.parametrize("answer", [OK, b"garbage", b"never", b"", b"HTTP/1.1 401 No\r\n\r\n"])
def test_strangers_are_refused_by_name_and_left_alone(
    kernels: StartKernel, stranger: StartStranger, host: str, answer: bytes
) -> None:
    number, requests = stranger(host, answer)
    done = kernels("a").take(number, ALL, deadline=1.5)
    assert done["outcome"] == "Refused"
    assert "pytest" in done["text"] or "python" in done["text"]
    assert not any(b"/shutdown" in request for request in requests)


def test_outgoing_connection_is_named(kernels: StartKernel) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        done = kernels("a").take(client.getsockname()[1], deadline=1.0)
    assert done["outcome"] == "Refused"
    assert "outgoing connection" in done["text"]
