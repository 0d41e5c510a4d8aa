"""Drive kernels in miniature: the pod alone, without IPython and D-Tale."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypedDict

from tests.support import ROOT, processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from tests.support.pods import Pod

_SCRIPT = Path(__file__).with_name("miniature_process.py")


class Took(TypedDict):
    """What a kernel answers about a takeover; times of ``time.monotonic()``."""

    outcome: str
    text: str
    seconds: float
    started: float
    ended: float


class MiniatureKernel:
    """A process with a server and a place in the pod.

    It answers below its slug by its name, and below ``/`` if it is in front. Slug and owner id
    are those of no other test.
    """

    def __init__(self, name: str, first: int, count: int = 20, pod: Pod | None = None) -> None:
        self.name = name
        self.owner = f"{name}.{first}"
        self.slug = f"{name}-{hashlib.sha256(self.owner.encode()).hexdigest()[:32]}"
        command = [sys.executable, str(_SCRIPT), self.owner, self.slug, str(first), str(count)]
        self.process = subprocess.Popen(
            pod.command(command) if pod else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
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

    def take(self, port: int, **fields: Any) -> Took:
        took: Took = self.do("take", port=port, **fields)
        return took

    def state(self) -> Any:
        return self.do("state")

    def path(self, rest: str = "") -> str:
        return f"/{self.slug}/{rest}"

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


class StartMiniature(Protocol):
    def __call__(self, name: str, *, ready: bool = True, count: int = 20) -> MiniatureKernel: ...


def fetch(port: int, path: str = "/", timeout: float = 10.0) -> str:
    """Ask, and return the body of a 200."""
    status, body = ask(port, path, timeout)
    if status != http.client.OK:
        raise http.client.HTTPException(f"{status}: {body[:80]}")
    return body


def ask(
    port: int, path: str = "/", timeout: float = 10.0, body: bytes | None = None
) -> tuple[int, str]:
    """Ask, and return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET" if body is None else "POST", path, body=body)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Request(NamedTuple):
    """An answered request: when, who should have answered it, and who did."""

    started: float
    ended: float
    meant: str
    status: int
    answer: str


class Load:
    """Clients that ask without end, each time another one of `paths`, every eighth time slowly.

    Parameters
    ----------
    port
        Where they ask.
    clients
        How many there are.
    paths
        By the name of the kernel that shall answer; the empty name for whoever is in front.
    """

    def __init__(
        self, port: int, clients: int, paths: Mapping[str, str], timeout: float = 30.0
    ) -> None:
        self.port = port
        self.requests: list[Request] = []
        self.failures: list[tuple[float, str, str]] = []
        self._paths = dict(paths)
        self._timeout = timeout
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(clients)
        ]

    def _run(self, number: int) -> None:
        chance = random.Random(number)
        while not self._stop.is_set():
            meant, path = chance.choice(list(self._paths.items()))
            if number % 8 == 7:
                path += "slow"
            started = time.monotonic()
            try:
                status, answer = ask(self.port, path, self._timeout)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append((started, meant, repr(error)))
            else:
                ended = time.monotonic()
                if status == http.client.BAD_GATEWAY:  # what a proxy says of a lost connection
                    self.failures.append((started, meant, answer))
                    continue
                self.requests.append(Request(started, ended, meant, status, answer))

    @property
    def wrong(self) -> list[Request]:
        """Requests that somebody else answered."""
        return [
            one
            for one in self.requests
            if one.meant and (one.status, one.answer) != (200, one.meant)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(self._timeout + 5)


def owners_are_right(
    requests: Sequence[Request], takes: Sequence[tuple[float, float, str]]
) -> None:
    """Whoever was asked wholly between two takeovers must be the one in front of that time."""
    for (_, ended, name), (next_started, _, _) in pairwise(takes):
        for request in requests:
            if not request.meant and ended <= request.started and request.ended <= next_started:
                assert request.answer == name
