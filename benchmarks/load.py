"""Clients in a process of their own, so that they do not share the measurer's GIL.

This file is both: `Load` is what a benchmark holds, and the script is what runs in the process.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from typing_extensions import Self

SECONDS = 30.0


class Load:
    """Clients that ask for `url` without end.

    Parameters
    ----------
    url
        What they ask for; any complete answer counts unless its status is 500 or more.
    clients
        How many ask at once.
    rate
        Requests per second of all clients; as many as possible by default.
    """

    def __init__(self, url: str, clients: int, rate: float = 0.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, url, str(clients), str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.times: list[float] = []
        """Seconds of each answered request."""
        self.failures = 0
        self.seconds = 0.0

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        self._process.stdout.readline()  # the clients run
        return self

    def __exit__(self, *_: object) -> None:
        try:
            answer = json.loads(self._process.communicate(b"\n", timeout=2 * SECONDS)[0])
        finally:
            self._process.kill()
            self._process.wait()
        self.times, self.failures, self.seconds = (
            answer["times"],
            answer["failures"],
            answer["seconds"],
        )


def run(url: str, clients: int, rate: float) -> None:
    parts = urlsplit(url)
    assert parts.hostname
    host, port = parts.hostname, parts.port
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    times: list[float] = []
    failures: list[str] = []
    ended = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", target, headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()  # as much as was announced, as browsers do, not to the connection's end
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise OSError(answer.status)

    def work() -> None:
        while not ended.is_set():
            began = time.perf_counter()
            try:
                ask()
                times.append(time.perf_counter() - began)
            except (OSError, http.client.HTTPException) as error:
                failures.append(repr(error))
                ended.wait(0.005)
            if rate:
                ended.wait(max(0.0, clients / rate - (time.perf_counter() - began)))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    print("running", flush=True)
    sys.stdin.readline()
    ended.set()
    seconds = time.perf_counter() - began
    for thread in threads:
        thread.join(SECONDS)
    print(json.dumps({"times": times, "failures": len(failures), "seconds": seconds}))


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
