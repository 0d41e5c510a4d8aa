"""Drive kernels in miniature: the pod alone, without IPython and D-Tale."""

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
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from dtale_magics.pod.takeover import ALL, Rung
from dtale_magics.serving.acceptor import LINGER_SECONDS
from support import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

_SCRIPT = Path(__file__).with_name("miniature_process.py")
_ROOT = Path(__file__).parents[2]


class Took(TypedDict):
    """What a kernel answers about a takeover; times of ``time.monotonic()``.

    It is entered in the kernel's books while nobody else can take the port.
    """

    outcome: str
    text: str
    seconds: float
    started: float
    entered: float
    ended: float


class Kernel:
    """A process with a server and a place in the pod."""

    def __init__(self, name: str, first: int = 0, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(_SCRIPT), name, str(first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": str(_ROOT), **(env or {})},
        )
        self.pid = self.process.pid

    def wait_until_ready(self) -> Self:
        self.answer()
        return self

    def ask(self, do: str, **fields: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()

    def answer(self, timeout: float = 30.0) -> Any:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        assert ready, f"{self.name} does not answer"
        line = self.process.stdout.readline()
        assert line, f"{self.name} ended"
        return json.loads(line)

    def do(self, do: str, **fields: Any) -> Any:
        self.ask(do, **fields)
        return self.answer()

    def take(self, port: int, rungs: Rung = ALL, **fields: Any) -> Took:
        took: Took = self.do("take", port=port, rungs=rungs.value, **fields)
        return took

    def state(self) -> Any:
        return self.do("state")

    def wait_until_settled(self) -> None:
        """Wait for what follows a takeover in the background."""
        eventually(lambda: not self.state()["watching"], 30.0)

    def stop(self) -> None:
        processes.stop(self.pid)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @property
    def died(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        """Kill it if it lives, and forget it; may be called again."""
        self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # words that it never read
                pipe.close()


class LateError(OSError):
    """A client that came and said nothing for about as long as listeners linger was not heard."""


class _Connection(http.client.HTTPConnection):
    began = said = 0.0

    def connect(self) -> None:
        self.began = time.monotonic()
        super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.said = time.monotonic()
        super().send(data)


def fetch(port: int, path: str = "/", timeout: float = 10.0) -> str:
    connection = _Connection("127.0.0.1", port, timeout=timeout)
    try:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
        except ConnectionError as error:
            if connection.said > connection.began + LINGER_SECONDS / 2:
                raise LateError from error
            raise
        body = response.read().decode()
        if response.status != http.client.OK:
            raise http.client.HTTPException(f"{response.status}: {body[:80]}")
        return body
    finally:
        connection.close()


def eventually(check: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not _holds(check):
        assert time.monotonic() < end, "did not become true"
        time.sleep(0.02)


def _holds(check: Callable[[], bool]) -> bool:
    """Whether it is true; a request that fails is no answer yet."""
    try:
        return check()
    except (OSError, http.client.HTTPException):
        return False


class Request(NamedTuple):
    """A request that was answered, and by whom."""

    started: float
    ended: float
    owner: str


class Load:
    """Clients that ask without end, every eighth one slowly."""

    def __init__(self, port: int, clients: int) -> None:
        self.port = port
        self.requests: list[Request] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(clients)
        ]

    def _run(self, number: int) -> None:
        path = "/slow" if number % 8 == 7 else "/"
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                owner = fetch(self.port, path)
                self.requests.append(Request(started, time.monotonic(), owner))
            except LateError:
                pass  # a thread among many on a machine that is busy
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)


def owners_are_right(
    requests: Sequence[Request], takes: Sequence[tuple[float, float, str]]
) -> None:
    """Whoever was asked wholly between two takeovers must be the owner of that time."""
    for (_, ended, name), (next_started, _, _) in pairwise(takes):
        for request in requests:
            if ended <= request.started and request.ended <= next_started:
                assert request.owner == name
