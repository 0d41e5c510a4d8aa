"""Whoever is no D-Tale of ours is named, and left alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support import processes
from tests.support.miniature import fetch
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.miniature import StartMiniature


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


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("127.0.0.1", OK),
        ("0.0.0.0", OK),
        ("::1", OK),
        ("127.0.0.1", b"garbage"),
        ("0.0.0.0", b"never"),
        ("127.0.0.1", b""),
        ("127.0.0.1", b"HTTP/1.1 401 No\r\n\r\n"),
    ],
)
def test_strangers_are_refused_by_name_and_left_alone(
    start_miniature: StartMiniature, stranger: StartStranger, host: str, answer: bytes
) -> None:
    number, requests = stranger(host, answer)
    done = start_miniature("a").take(number, deadline=1.5)
    assert done["outcome"] == "Refused"
    assert f"process {os.getpid()}" in done["text"]
    assert "left alone" in done["text"]
    assert done["seconds"] < 20, "it does not wait without end"
    assert not any(b"/shutdown" in request for request in requests)
    with socket.create_connection((host.replace("0.0.0.0", "127.0.0.1"), number), 10) as client:
        if answer != b"never":  # it lives, and answers as before
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(1000) == answer


SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/shutdown":
            os._exit(0)
        body = b"ok"
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.mark.parametrize("user", ["same", "other"])
def test_a_program_with_a_shutdown_of_its_own_is_not_shut_down(
    start_miniature: StartMiniature, port: int, user: str
) -> None:
    prefix: list[str] = []
    if user == "other":
        if os.getuid() != 0 or shutil.which("setpriv") is None:
            pytest.skip("only root can become somebody else")
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [*prefix, "/usr/bin/env", "python3", "-c", SERVER, str(port)]
    process = subprocess.Popen(command, cwd="/", start_new_session=True)
    try:

        def answers() -> bool:
            try:
                return fetch(port) == "ok"
            except OSError:
                return False

        wait_until(answers)
        done = start_miniature("a").take(port, deadline=2.0)
        assert done["outcome"] == "Refused"
        assert f"process {process.pid}" in done["text"]
        if user == "other":
            assert "user nobody" in done["text"] or "user 65534" in done["text"]
        assert process.poll() is None
        assert answers()
    finally:
        processes.end(process)


def test_outgoing_connection_is_named(start_miniature: StartMiniature) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        done = start_miniature("a").take(client.getsockname()[1], deadline=1.0)
    assert done["outcome"] == "Refused"
    assert "outgoing connection" in done["text"]
