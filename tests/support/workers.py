"""Real processes that reserve ports, told what to do one line at a time.

This file is both: `Worker` is what a test holds, and the script is what runs in the process.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

if __name__ == "__main__":
    from dtale_magics import errors
    from dtale_magics.serving.transport import listener
    from dtale_magics.system import holders
else:
    from tests.support import processes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from tests.support.pods import Pod

ANSWER_SECONDS = 30.0


class Worker:
    """A process that obeys; `close` ends it whatever state it is in.

    Parameters
    ----------
    pod
        Where it runs.
    prefix
        Command that runs the worker, such as one that takes privileges away.
    """

    def __init__(self, pod: Pod | None = None, prefix: Sequence[str] = ()) -> None:
        command = [*prefix, sys.executable, __file__]
        self._process = subprocess.Popen(
            pod.command(command) if pod else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, do: str, **arguments: Any) -> None:
        """Give an order without waiting for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Answer to the oldest order that has none yet.

        Raises
        ------
        WorkerError
            When the order failed in the worker.
        """
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + ANSWER_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                assert selector.select(deadline - time.monotonic()), "the worker does not answer"
                chunk = os.read(descriptor, 65536)
                assert chunk, "the worker ended"
                self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(**answer["error"])
        return answer["value"]

    def do(self, do: str, **arguments: Any) -> Any:
        """Give an order and wait for its answer."""
        self.send(do, **arguments)
        return self.answer()

    def kill(self) -> None:
        """Kill the process, and not its children."""
        processes.kill(self._process)

    def close(self) -> None:
        processes.end(self._process, polite=0.5)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class StartWorker(Protocol):
    def __call__(self, pod: Pod | None = None, prefix: tuple[str, ...] = ()) -> Worker: ...


class WorkerError(Exception):
    """An error that was raised in the worker."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class Orders:
    """What a worker can do; runs in the worker's process."""

    def __init__(self) -> None:
        self.listeners: list[Any] = []
        self.sockets: list[socket.socket] = []

    def reserve(self, ports: Sequence[int], at: float = 0.0) -> int:
        """Reserve the first free port from ``ports[0]`` to ``ports[1]``, at the time `at`."""
        time.sleep(max(0.0, at - time.time()))
        found = listener.reserve(range(ports[0], ports[1] + 1))
        self.listeners.append(found)
        return found.port

    def release(self) -> None:
        """Give up everything."""
        for one in [*self.listeners, *self.sockets]:
            one.close()
        self.listeners.clear()
        self.sockets.clear()

    def occupy(self, ports: Sequence[int]) -> int:
        """Listen, as a strange program does, on every port; returns how many were free."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        taken = 0
        for port in range(ports[0], ports[1] + 1):
            sock = socket.socket()
            self.sockets.append(sock)
            try:
                sock.bind(("127.0.0.1", port))
                sock.listen()
                taken += 1
            except OSError:
                pass
        return taken

    def strange_bind(self, address: str, port: int, *, reuse: bool) -> str | None:
        """Try to listen as a strange program does; the error's name, or None when it succeeded."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as sock:
            if reuse:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((address, port))
                sock.listen()
            except OSError as error:
                return os.strerror(error.errno or 0)
        return None

    def answer_once(self) -> None:
        """Accept a connection on the newest listener and close it first (so it has TIME_WAIT)."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.listeners[-1], selectors.EVENT_READ)
            selector.select(ANSWER_SECONDS)
        connection = self.listeners[-1].accept()
        with connection.socket:
            connection.socket.recv(1024)
            connection.socket.sendall(b"bye")

    def connect_from(self, port: int) -> None:
        """Own `port` by an outgoing connection."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            outgoing = socket.create_connection(server.getsockname(), 5, ("127.0.0.1", port))
            incoming, _ = server.accept()
        self.sockets += [outgoing, incoming]

    def fork(self) -> int:
        """Leave a child behind that does nothing for a minute."""
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        return child

    def holders(self, port: int) -> str:
        """Who has `port`, in one line."""
        return holders.describe(port)


def main() -> None:
    orders = Orders()
    for line in sys.stdin:
        arguments = json.loads(line)
        try:
            answer = {"value": getattr(orders, arguments.pop("do"))(**arguments)}
        except (OSError, errors.DtaleMagicsError) as error:
            answer = {"error": {"kind": type(error).__name__, "text": str(error)}}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
