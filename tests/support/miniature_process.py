"""A kernel in miniature: a server and a place in the pod, told what to do by lines on stdin."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from dtale_magics.errors import PortUnavailableError
from dtale_magics.pod import front, names, passing
from dtale_magics.pod.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def tell(answer: dict[str, Any]) -> None:
    """Write one line of answer."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class MiniatureKernel:
    """Does what the lines say; each command is a method."""

    def __init__(self, owner: str, slug: str, ports: range) -> None:
        self._owner = owner
        self._name = owner.partition(".")[0]
        self._slug = slug
        self._range = ports
        self._busy = False
        self._events: list[str] = []
        self._answered = 0
        self._ports = self._open()

    def _open(self) -> Ports:
        ports = Ports(
            owner=self._owner,
            app=self._app,
            is_own=lambda name: name in {self._slug, self._owner},
            label=lambda: self._name,
            reports={"status": self._status},
            search_order=lambda: self._range,
            happened=lambda text, _=False: self._events.append(text) if text else None,
            is_busy=lambda: self._busy,
        )
        ports.answer_to(self._slug)
        return ports

    def _status(self) -> dict[str, Any]:
        ports = list(self._ports.all)
        return {"owner": self._owner, "label": self._name, "pid": os.getpid(), "ports": ports}

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer by the name, as the guard would: the front for what is nobody's, else a 404."""
        self._answered += 1
        connection = environ["dtale_magics.connection"]
        connection.admit()
        path = environ["PATH_INFO"]
        status, body = "200 OK", self._name.encode()
        if connection.untaken:
            status, body = "503 Service Unavailable", b"untaken"
        elif (
            path.strip("/") not in {"", "slow"}
            and f"/{self._slug}/" not in path
            and f"/who/{self._owner}" not in path
        ):
            status, body = "404 Not Found", b"nobody"
        if "slow" in path:
            time.sleep(0.3)
        if environ.get("CONTENT_LENGTH"):
            sent = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            body += f" {len(sent)}".encode()
        start_response(status, [("Content-Length", str(len(body)))])
        return [body]

    def ensure(self) -> dict[str, Any]:
        try:
            if not self._ports.alive:
                self._ports = self._open()
            self._ports.ensure(self._range)
        except PortUnavailableError as error:
            return {"refused": error.what}
        return {"ports": list(self._ports.all)}

    def bind(self, port: int) -> dict[str, Any]:
        self._ports.bind(port)
        return {"ports": list(self._ports.all)}

    def take(self, port: int, deadline: float = 5.0) -> dict[str, Any]:
        outcome = self._ports.take(port, deadline)
        return {
            "outcome": type(outcome).__name__,
            "text": str(outcome),
            "seconds": outcome.seconds,
        }

    def release(self, port: int) -> dict[str, Any]:
        outcome = self._ports.release(port)
        return {"outcome": type(outcome).__name__, "text": str(outcome)}

    def give_up(self, port: int) -> dict[str, Any]:
        self._ports.give_up(port)
        return {"ports": list(self._ports.all)}

    def leave(self) -> dict[str, Any]:
        self._ports.stop()
        return {}

    def busy(self, on: bool) -> dict[str, Any]:  # noqa: FBT001 (a line of JSON)
        self._busy = on
        return {}

    def patience(self, seconds: float) -> dict[str, Any]:
        passing.WAIT_SECONDS = seconds
        return {}

    def state(self) -> dict[str, Any]:
        process = psutil.Process()
        shared = [self._ports._sharing.get(port) for port in self._ports.all]
        return {
            "ports": list(self._ports.all),
            "named": self._ports.named,
            "sockets": [sorted(one.inodes) for one in shared if one is not None],
            "events": self._events,
            "answered": self._answered,
            "fds": process.num_fds(),
            "threads": threading.active_count(),
            "memory": process.memory_full_info().uss,
        }

    def in_front(self, port: int) -> dict[str, Any]:
        place = front.in_front(port)
        return {"name": None if place is None else place.owner.partition(".")[0]}

    def hold_the_gil(self, milliseconds: int, times: int = 1) -> dict[str, Any]:
        """Sleep in C without giving the lock up, as a careless extension does."""
        self._busy = True
        tell({"holds": True})
        usleep = ctypes.PyDLL(None).usleep
        for _ in range(times):
            usleep(1000 * milliseconds)
        self._busy = False
        return {}

    def start_program(self) -> dict[str, Any]:
        """Leave a program behind, by a shell, which closes nothing."""
        os.system("sleep 60 >/dev/null & echo $! > /tmp/dtale-magics-test-$PPID")
        file = Path(f"/tmp/dtale-magics-test-{os.getpid()}")
        child = int(file.read_text())
        file.unlink()
        return {"child": child}

    def fork(self) -> dict[str, Any]:
        """Leave a forked child behind that does nothing."""
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        return {"child": child}


def main() -> None:
    directory = os.environ.get("DTALE_MAGICS_NAMES_IN")
    if directory:  # as on systems without abstract names
        names.ABSTRACT, names._DIRECTORY = False, Path(directory)
    owner, slug, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    kernel = MiniatureKernel(owner, slug, range(first, first + count))
    tell({"ready": os.getpid()})
    for line in sys.stdin:
        command = json.loads(line)
        started = time.monotonic()
        answer = getattr(kernel, command.pop("do"))(**command)
        tell({**answer, "started": started, "ended": time.monotonic()})


if __name__ == "__main__":
    main()
