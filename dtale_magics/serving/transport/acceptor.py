"""Accept connections from any number of listeners in one daemon thread, with bounded resources.

The thread only accepts and, if told to, waits for the head of a request; then a handler thread
serves the connection.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import queue
import selectors
import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from dtale_magics.serving.transport.arrivals import Arrivals
from dtale_magics.serving.transport.connections import Connection, Connections
from dtale_magics.serving.transport.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.serving.transport.connections import Accepting

logger = logging.getLogger(__name__)

LINGER_SECONDS = 0.2
"""How long a listener that was replaced goes on accepting, for what has already reached its queue.

Closing at once reset 10 of 6,450 connections under load.
"""

STANDBY_SECONDS = 0.02
"""How long a busy process lets others accept first.

A process that computes waits for the GIL, and what it has accepted would have to wait with it.
"""

_OUT_OF_RESOURCES_PAUSE_SECONDS = 0.1
_FULL_PAUSE_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 0.01
_BATCH = 4

T = TypeVar("T")


class Router(Protocol):
    """Knows which connections are for another process; called in the accepting thread."""

    def route(self, connection: Connection, head: bytes) -> bool:
        """Take `connection` over if its head is for another process; False to serve it here."""

    @property
    def next_deadline(self) -> float | None:
        """``time.monotonic()`` at which `overdue` is to be called; None if there is no need."""

    def overdue(self) -> list[Connection]:
        """Return connections that were taken over but are to be served here after all."""

    def close(self) -> None:
        """Let go of everything."""


class _Leaving(NamedTuple):
    """When to close a leaving listener: if its queue is empty, and in any case."""

    due: float
    latest: float


class Acceptor:
    """Serve connections from listeners that may come and go.

    Everything that touches a listener happens in the accepting thread. The public methods may be
    called from any thread; they send their work there.

    Parameters
    ----------
    handle
        Serves one connection, in a thread of its own.
    name
        Name of the threads.
    limits
        How many connections it serves at once, and for how long.
    http
        Whether to serve a connection only when the head of a request has arrived; otherwise it is
        served at once.
    router
        Knows which connections are for another process.
    is_busy
        Whether others should accept first from shared listeners.
    """

    def __init__(  # noqa: PLR0913 (what differs between a server and a channel)
        self,
        handle: Callable[[Connection], None],
        name: str,
        limits: Limits = DEFAULT_LIMITS,
        *,
        http: bool = False,
        router: Router | None = None,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._handle = handle
        self._name = name
        self._pid = os.getpid()
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._connections = Connections(limits, self._resume_soon)
        self._accepting: set[Accepting] = set()
        self._leaving: dict[Accepting, _Leaving] = {}
        self._paused_until: float | None = None
        self._standing_by: dict[Accepting, float] = {}
        self._router = router
        self._is_busy = is_busy
        self._running = True
        self._stop_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        for end in (self._wake_receiver, self._wake_sender):
            end.setblocking(False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._arrivals = Arrivals(self._selector, limits) if http else None
        self._arrived: collections.deque[Connection] = collections.deque()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the accepting thread is running in this process (a forked child has none)."""
        return self._thread.is_alive() and self._pid == os.getpid()

    @property
    def active(self) -> int:
        """How many connections are being served."""
        return len(self._connections)

    @property
    def arriving(self) -> int:
        """How many connections wait for the rest of their request's head."""
        return 0 if self._arrivals is None else len(self._arrivals)

    def add(self, *listeners: Accepting, wait: bool = True) -> None:
        """Accept from `listeners`; cancels a removal that still lingers.

        Without `wait` it returns at once, and connections stay in the system's queue until the
        accepting thread gets to it.

        Raises
        ------
        ValueError
            When one of them is closed; those before it are then served.
        """

        def start() -> None:
            for listener in listeners:
                self._start_accepting(listener)

        if wait:
            self._call(start)
        else:
            self._send(start)

    def remove(self, *listeners: Accepting, linger: float = LINGER_SECONDS) -> None:
        """Accept for `linger` more seconds, then close `listeners`; returns at once.

        A listener whose queue is still not empty then, as on a slow machine, gets up to a second
        more.
        """
        due = time.monotonic() + linger
        self._call(lambda: self._leaving.update(dict.fromkeys(listeners, _Leaving(due, due + 1))))

    def drop(self, *listeners: Accepting, wait: bool = True) -> None:
        """Close `listeners` at once; with `wait`, return when they are closed."""

        def close() -> None:
            for listener in listeners:
                self._stop_accepting(listener)
                listener.close()

        (self._call if wait else self._send)(close)

    def drain(self, timeout: float) -> bool:
        """Wait until nothing is being served; False when something still is after `timeout`."""
        return self._connections.wait_until_empty(timeout)

    def stop(self, timeout: float = 2.0) -> None:
        """Close all listeners, give requests `timeout` seconds to finish, then cut them.

        Connections that we accepted from a shared queue may be meant for others, so we wait a
        moment for heads that are still arriving, to pass those connections on.
        """
        if self.alive:
            self._call(self._stop_running)
            self._thread.join(timeout)
        self.drain(timeout)
        self._connections.cut_all()

    def _call(self, command: Callable[[], T], timeout: float = 10.0) -> T:
        """Run `command` in the accepting thread and return its result.

        Raises
        ------
        RuntimeError
            When that thread is no longer running.
        """
        if threading.current_thread() is self._thread:
            return command()
        done = self._send(command)
        while True:
            try:
                return done.result(min(timeout, 0.5))
            except FutureTimeoutError:
                timeout -= 0.5
                if timeout <= 0 or not self.alive:
                    raise RuntimeError(f"The thread {self._name} does not answer.") from None

    def _send(self, command: Callable[[], T]) -> Future[T]:
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(command())
            except BaseException as error:  # noqa: BLE001 (raised again in the caller)
                done.set_exception(error)

        self._commands.put(run)
        self._wake()
        return done

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: nobody to wake
            self._wake_sender.send(b"\0")

    # From here on: the accepting thread only, except `_serve`.

    def _run(self) -> None:
        try:
            while self._running or (self._has_arrivals and time.monotonic() < self._stop_at):
                self._run_once()
        except Exception:
            logger.exception("%s stops accepting", self._name)
        finally:
            for listener in [*self._accepting, *self._leaving]:
                listener.close()
            if self._arrivals is not None:
                self._arrivals.close_all()
            for connection in self._arrived:
                connection.close()
            if self._router is not None:
                self._router.close()
            self._selector.close()
            self._wake_receiver.close()
            self._wake_sender.close()

    def _run_once(self) -> None:
        for key, _ in self._selector.select(self._seconds_to_next_deadline()):
            if key.fileobj is self._wake_receiver:
                self._obey()
            elif self._selector.get_map().get(key.fd) is not key:
                pass  # it was unregistered meanwhile
            elif isinstance(key.data, Connection):
                self._go_on_with(key.data)
            elif self._paused_until is None:
                self._let_others_or_accept(key.data)
        self._keep_deadlines()

    def _obey(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_receiver.recv(4096):
                pass
        with contextlib.suppress(queue.Empty):
            while True:
                self._commands.get_nowait()()

    def _start_accepting(self, listener: Accepting) -> None:
        self._leaving.pop(listener, None)
        if listener.fileno() < 0:
            raise ValueError(f"{listener!r} is closed")
        if listener not in self._accepting:
            self._accepting.add(listener)
            if self._paused_until is None:
                self._selector.register(listener, selectors.EVENT_READ, listener)

    def _stop_accepting(self, listener: Accepting) -> None:
        """Unregister a listener, *before* its close: epoll forgets closed descriptors silently."""
        self._leaving.pop(listener, None)
        if listener in self._accepting:
            self._accepting.discard(listener)
            if self._paused_until is None and self._standing_by.pop(listener, None) is None:
                self._selector.unregister(listener)

    def _stop_running(self) -> None:
        self._running = False
        self._stop_at = time.monotonic() + LINGER_SECONDS
        for listener in [*self._accepting, *self._leaving]:
            self._stop_accepting(listener)
            listener.close()

    @property
    def _has_arrivals(self) -> bool:
        return bool(self._arrived) or bool(self._arrivals)

    def _let_others_or_accept(self, listener: Accepting) -> None:
        if listener.shared and self._is_busy():
            self._selector.unregister(listener)
            self._standing_by[listener] = time.monotonic() + STANDBY_SECONDS
        else:
            self._accept_some(listener)

    def _accept_some(self, listener: Accepting) -> None:
        """Accept only a few: under load the queue never runs empty, and commands would starve."""
        for _ in range(_BATCH):
            if self._connections.full:
                self._pause(_FULL_PAUSE_SECONDS)
                return
            try:
                connection = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors or memory
                logger.warning("%s cannot accept: %s", self._name, error)
                self._pause(_OUT_OF_RESOURCES_PAUSE_SECONDS)
                return
            self._go_on_with(connection)

    def _go_on_with(self, connection: Connection) -> None:
        head = b"" if self._arrivals is None else self._arrivals.head(connection)
        if head is None:
            return
        if connection.passed or not self._is_routed(connection, head):
            self._begin_or_wait(connection)

    def _is_routed(self, connection: Connection, head: bytes) -> bool:
        """Whether the router has taken it over; the router's failure must not end this thread."""
        try:
            return self._router is not None and self._router.route(connection, head)
        except Exception:
            logger.exception("%s cannot tell whose a request is", self._name)
            return False

    def _begin_or_wait(self, connection: Connection) -> None:
        if self._connections.full:
            self._arrived.append(connection)
            self._pause(_FULL_PAUSE_SECONDS)
        else:
            self._begin(connection)

    def _begin(self, connection: Connection) -> None:
        self._connections.add(connection)
        thread = threading.Thread(
            target=self._serve, args=(connection,), name=f"{self._name} request", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the system refuses another thread
            logger.warning("%s cannot serve: %s", self._name, error)
            self._connections.end(connection)
            self._pause(_OUT_OF_RESOURCES_PAUSE_SECONDS)

    def _serve(self, connection: Connection) -> None:
        try:
            self._handle(connection)
        except Exception:
            logger.exception("%s failed on a request", self._name)
        finally:
            self._connections.end(connection)

    def _resume_soon(self) -> None:
        if self._paused_until is not None:
            self._commands.put(self._resume)
            self._wake()

    def _pause(self, seconds: float) -> None:
        """Leave new connections in the system's queue for at most `seconds`."""
        if self._paused_until is None:
            for listener in self._accepting - self._standing_by.keys():
                self._selector.unregister(listener)
            self._standing_by.clear()
        self._paused_until = time.monotonic() + seconds

    def _resume(self) -> None:
        while self._arrived and not self._connections.full:
            self._begin(self._arrived.popleft())
        if self._arrived:
            self._pause(_FULL_PAUSE_SECONDS)
        elif self._paused_until is not None:
            self._paused_until = None
            for listener in self._accepting:
                self._selector.register(listener, selectors.EVENT_READ, listener)

    def _seconds_to_next_deadline(self) -> float | None:
        possible = [
            self._connections.next_deadline,
            self._paused_until,
            None if self._running else self._stop_at,
            None if self._arrivals is None else self._arrivals.next_deadline,
            None if self._router is None else self._router.next_deadline,
            *self._standing_by.values(),
            *(one.due for one in self._leaving.values()),
        ]
        deadlines = [one for one in possible if one is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _keep_deadlines(self) -> None:
        now = time.monotonic()
        for listener, (due, latest) in list(self._leaving.items()):
            if due > now:
                continue
            if now < latest and _somebody_waits(listener):
                if self._paused_until is None:
                    self._accept_some(listener)
                self._leaving[listener] = _Leaving(now + _LOOK_AGAIN_SECONDS, latest)
            else:
                self._stop_accepting(listener)
                listener.close()
        for listener, due in list(self._standing_by.items()):
            if due <= now and self._standing_by.pop(listener, None) is not None:
                self._selector.register(listener, selectors.EVENT_READ, listener)
                self._accept_some(listener)
        for connection in () if self._router is None else self._router.overdue():
            self._begin_or_wait(connection)
        self._connections.cut_late()
        if self._arrivals is not None:
            self._arrivals.close_late()
        if self._paused_until is not None and self._paused_until <= now:
            self._resume()


def _somebody_waits(listener: Accepting) -> bool:
    """Whether there is a connection in the queue of `listener`."""
    if listener.fileno() < 0:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        return bool(selector.select(0))
