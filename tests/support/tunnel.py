"""A way into a pod-like network namespace, as the cluster's network has one into a pod."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.pods import Pod


@contextmanager
def tunnel(
    pod: Pod, port: int, host: str, target: int, listen: str = "127.0.0.1"
) -> Iterator[None]:
    """Pass connections to `listen`:`port` on to `host`:`target` as seen from inside the pod."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                inner = pod.connect(host, target, 10)
            except OSError:
                return
            with inner:
                inner.settimeout(None)
                back = threading.Thread(target=_pump, args=(inner, self.request), daemon=True)
                back.start()
                _pump(self.request, inner)
                back.join(10)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server((listen, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
