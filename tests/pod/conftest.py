from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dtale_magics import listener
from dtale_magics.takeover import ALL

HERE = Path(__file__).parent


class Kernel:
    def __init__(self, name: str, first: int = 0, env: dict[str, str] | None = None) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "kernel.py"), name, str(first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), **(env or {})},
        )
        self.answer()
        self.pid = self.process.pid

    def ask(self, do: str, **fields):
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()

    def answer(self, timeout: float = 30.0):
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        assert ready, f"{self.name} does not answer"
        line = self.process.stdout.readline()
        assert line, f"{self.name} ended"
        return json.loads(line)

    def do(self, do: str, **fields):
        self.ask(do, **fields)
        return self.answer()

    def take(self, port: int, rungs=ALL, **fields):
        return self.do("take", port=port, rungs=rungs.value, **fields)

    def state(self):
        return self.do("state")

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def kernels():
    made = []

    def make(name: str, first: int = 0, env=None) -> Kernel:
        made.append(Kernel(name, first, env))
        return made[-1]

    yield make
    for one in made:
        if one.process.stdin.closed:
            continue
        one.kill()


@pytest.fixture
def port():
    sock = listener.bind(0)
    number = sock.port
    sock.close()
    return number


def fetch(port: int, path: str = "/", timeout: float = 10.0) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def eventually(check, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "did not become true"
        time.sleep(0.02)


class Load:
    """Clients that record (start, end, owner or error) of every request."""

    def __init__(self, port: int, clients: int) -> None:
        self.port = port
        self.records: list[tuple[float, float, str]] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(clients)
        ]

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            path = "/slow" if number % 8 == 7 else "/"
            started = time.monotonic()
            try:
                owner = fetch(self.port, path)
                self.records.append((started, time.monotonic(), owner))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(15)
