"""A kernel in miniature: a server and a place in the pod, told what to do by lines on stdin."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil

from dtale_magics.pod import exchange
from dtale_magics.pod.peers import Identity
from dtale_magics.pod.takeover import Pod, Rung
from dtale_magics.serving import listener
from dtale_magics.serving.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from dtale_magics.outcome import Party
    from dtale_magics.pod.holding import Held


def tell(answer: dict[str, Any]) -> None:
    """Write one line of answer."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class Session:
    """What the pod needs of a session."""

    def __init__(self, owner: str, spare_ports: range) -> None:
        self.owner = self.label = owner
        self.spare_ports = spare_ports
        self.lost_ports: list[int] = []
        self.pod: Pod

    def identity(self) -> Identity:
        since = self.pod.since
        started = psutil.Process().create_time()
        return Identity(self.owner, self.owner, os.getpid(), started, tuple(since), since=since)

    def lost(self, port: int, to: Party | None) -> None:
        del to
        self.lost_ports.append(port)
        if self.spare_ports and not self.pod.since:
            self.pod.hold(listener.reserve(self.spare_ports))

    def regained(self, port: int, by: Party | None) -> None:
        pass

    def changed(self) -> None:
        pass


class Kernel:
    """Does what the lines say; each command is a method."""

    def __init__(self, owner: str, spare_ports: range) -> None:
        self._owner = owner
        self._session = Session(owner, spare_ports)
        self._pod = self._session.pod = Pod(self._session, Server(self._app), owner)
        self._entered = 0.0
        holdings = self._pod.holdings

        def enter(held: Held) -> None:
            self._entered = time.monotonic()
            type(holdings).enter(holdings, held)  # as `fail_at` may have changed it

        holdings.enter = enter  # type: ignore[method-assign]

    def _app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            time.sleep(0.3)
        body = self._owner.encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def take(self, port: int, rungs: int, deadline: float = 5.0) -> dict[str, Any]:
        outcome = self._pod.take(port, rungs=Rung(rungs), deadline_seconds=deadline)
        return {
            "outcome": type(outcome).__name__,
            "text": str(outcome),
            "seconds": outcome.seconds,
            "entered": self._entered,
        }

    def state(self) -> dict[str, Any]:
        process = psutil.Process()
        return {
            "ports": list(self._pod.since),
            "lost": self._session.lost_ports,
            "fds": process.num_fds(),
            "threads": threading.active_count(),
            "watching": any("watch of a port" in one.name for one in threading.enumerate()),
            "memory": process.memory_full_info().uss,
        }

    def release(self, port: int) -> dict[str, Any]:
        return {"released": self._pod.release(port, tell=False)}

    def give_back(self, port: int) -> dict[str, Any]:
        return {"to": str(self._pod.give_back(port))}

    def hold_the_gil(self, seconds: int) -> dict[str, Any]:
        """Sleep in C without giving the lock up, as a careless extension does."""
        tell({"holds": True})
        ctypes.PyDLL(None).sleep(seconds)
        return {}

    def fork(self, port: int) -> dict[str, Any]:
        """Leave a forked child behind that does nothing, in the middle of a takeover of `port`."""
        from dtale_magics.pod import exclusive  # noqa: PLC0415

        with exclusive.lock(port, time.monotonic() + 1):
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
        return {"child": child}


def failing(original: Any, what: str, when: str, fits: Any) -> Any:
    """Wrap `original` so that `what` happens before or after the calls that `fits` picks."""

    def happen() -> None:
        if what == "pause":
            time.sleep(0.5)
        else:
            # To this thread, which another one would let go on for a while.
            number = {"die": signal.SIGKILL, "stop": signal.SIGSTOP}[what]
            signal.pthread_kill(threading.get_ident(), number)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        hit = fits(*args)
        if hit and when == "before":
            happen()
        result = original(*args, **kwargs)
        if hit and when == "after":
            happen()
        return result

    return wrapped


def fail_at(step: str) -> None:
    """Have something happen to this process just before or after a step of the protocol.

    `step` is ``WHAT:WHEN:WHERE``. What happens is ``die``, ``stop`` (SIGSTOP) or ``pause`` (half a
    second); when is ``before`` or ``after``. Where is an operation that is sent, ``offer`` for the
    answer that carries descriptors, ``released`` for the one without; or a function of this package
    as ``module.function``.
    """
    what, when, where = step.split(":")
    module, _, function = where.partition(".")

    if function:
        owner: Any = sys.modules[f"dtale_magics.pod.{module}"]
        *path, last = function.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, failing(getattr(owner, last), what, when, lambda *_: True))
        return

    def sent(_exchange: Any, message: Any, descriptors: Any = ()) -> bool:
        if descriptors:
            return where == "offer"
        released = message.get("ok") is True and set(message) == {"ok", "label"}
        return bool(message.get("op") == where or (where == "released" and released))

    send = failing(exchange.Exchange.send, what, when, sent)
    exchange.Exchange.send = send  # type: ignore[method-assign]


def main() -> None:
    owner, first = sys.argv[1], int(sys.argv[2])
    kernel = Kernel(owner, range(first, first + 20) if first else range(0))
    step = os.environ.get("FAIL_AT")
    if step:
        fail_at(step)
    tell({"ready": os.getpid()})
    for line in sys.stdin:
        command = json.loads(line)
        started = time.monotonic()
        answer = getattr(kernel, command.pop("do"))(**command)
        tell({**answer, "started": started, "ended": time.monotonic()})


if __name__ == "__main__":
    main()
