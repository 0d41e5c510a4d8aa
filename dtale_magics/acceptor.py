"""Accept connections of any number of listeners in one daemon thread, with bounded resources.

The thread only accepts; a handler thread serves each connection. Their number is capped, and a
connection that has not sent its request in time is cut, so that half-open connections can neither
become threads without end nor keep others out.
"""

from __future__ import annotations

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
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

LINGER_SECONDS = 0.2
"""How long a listener that lost its port goes on accepting what had already reached its queue.

Closing at once reset 10 of 6,450 connections under load.
"""

_OUT_OF_RESOURCES_PAUSE_SECONDS = 0.1
_CROWDED_SECONDS = 1.0
_BATCH = 4

T = TypeVar("T")


class Accepting(Protocol):
    """What an acceptor needs of a listener."""

    def fileno(self) -> int:
        """File descriptor."""

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept one connection, without blocking."""

    def close(self) -> None:
        """Stop listening."""


class Connection:
    """One accepted connection.

    Attributes
    ----------
    socket
        Blocking, and closed by the acceptor when the handler returns.
    address
        The peer's.
    listener
        Where it came in.
    """

    def __init__(self, sock: socket.socket, address: tuple[str, int], listener: Accepting) -> None:
        self.socket = sock
        self.address = address
        self.listener = listener
        self.opened = time.monotonic()
        self.admitted = False

    def admit(self) -> None:
        """Say that the peer has shown what it must: from now on the connection is never cut."""
        self.admitted = True

    def cut(self) -> None:
        """End the connection under its handler, which then sees end of file."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket, saying so to the peer even if a forked child holds a copy."""
        self.cut()
        self.socket.close()


class Acceptor:
    """Serve connections from listeners that may come and go.

    Everything that touches a listener happens in the accepting thread; the public methods send it
    there and may be called from any thread.

    Parameters
    ----------
    handle
        Serves one connection, in a thread of its own.
    name
        Of the threads.
    max_connections
        At most so many are served at once; further ones wait in the system's queue.
    admission_seconds
        A connection that was not admitted (`Connection.admit`) within so many seconds is cut;
        within one second when others wait for its place.
    """

    def __init__(
        self,
        handle: Callable[[Connection], None],
        name: str,
        max_connections: int = 64,
        admission_seconds: float = 15.0,
    ) -> None:
        self._handle = handle
        self._name = name
        self._max_connections = max_connections
        self._admission_seconds = admission_seconds
        self._pid = os.getpid()
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._connections: set[Connection] = set()
        self._accepting: set[Accepting] = set()
        self._leaving: dict[Accepting, float] = {}
        self._paused_until: float | None = None
        self._running = True
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        for end in (self._wake_receiver, self._wake_sender):
            end.setblocking(False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the accepting thread runs in this process (a forked child has none)."""
        return self._thread.is_alive() and self._pid == os.getpid()

    @property
    def active(self) -> int:
        """How many connections are being served."""
        return len(self._connections)

    def add(self, *listeners: Accepting) -> None:
        """Accept from `listeners`; takes back a removal that still lingers.

        Raises
        ------
        ValueError
            When one of them is closed; those before it are served then.
        """

        def start() -> None:
            for listener in listeners:
                self._start_accepting(listener)

        self._call(start)

    def remove(self, listener: Accepting, linger: float = LINGER_SECONDS) -> None:
        """Close `listener` in `linger` seconds, and accept until then; returns at once."""
        self._call(lambda: self._leaving.update({listener: time.monotonic() + linger}))

    def detach(self, listener: Accepting) -> None:
        """Stop accepting from `listener` but leave it open, so that it can be handed out."""
        self._call(lambda: self._stop_accepting(listener))

    def drain(self, timeout: float) -> bool:
        """Wait until nothing is being served; False when something is after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._connections, timeout)

    def stop(self, timeout: float = 2.0) -> None:
        """Close all listeners, let requests finish for `timeout` seconds, then cut them."""
        if self.alive:
            self._call(self._stop_running)
            self._thread.join(timeout)
        self.drain(timeout)
        with self._changed:
            for connection in self._connections:
                connection.cut()

    def _call(self, command: Callable[[], T], timeout: float = 10.0) -> T:
        """Run `command` in the accepting thread and return its result.

        Raises
        ------
        RuntimeError
            When that thread does not run any more.
        """
        if threading.current_thread() is self._thread:
            return command()
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(command())
            except BaseException as error:  # noqa: BLE001 (raised again in the caller)
                done.set_exception(error)

        self._commands.put(run)
        self._wake()
        while True:
            try:
                return done.result(min(timeout, 0.5))
            except FutureTimeoutError:
                timeout -= 0.5
                if timeout <= 0 or not self.alive:
                    raise RuntimeError(f"The thread {self._name} does not answer.") from None

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: nobody to wake
            self._wake_sender.send(b"\0")

    # From here on: the accepting thread only, except `_serve`.

    def _run(self) -> None:
        try:
            while self._running:
                self._run_once()
        except Exception:
            logger.exception("%s stops accepting", self._name)
        finally:
            for listener in [*self._accepting, *self._leaving]:
                listener.close()
            self._selector.close()
            self._wake_receiver.close()
            self._wake_sender.close()

    def _run_once(self) -> None:
        for key, _ in self._selector.select(self._seconds_to_next_deadline()):
            if key.fileobj is self._wake_receiver:
                self._obey()
            elif self._paused_until is None and self._selector.get_map().get(key.fd) is key:
                self._accept_some(key.data)
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
        """Unregister *before* the close: epoll forgets a closed descriptor silently."""
        self._leaving.pop(listener, None)
        if listener in self._accepting:
            self._accepting.discard(listener)
            if self._paused_until is None:
                self._selector.unregister(listener)

    def _stop_running(self) -> None:
        self._running = False

    def _accept_some(self, listener: Accepting) -> None:
        """Accept a few: under load the queue never runs empty, and commands would starve."""
        for _ in range(_BATCH):
            if len(self._connections) >= self._max_connections:
                self._pause(_CROWDED_SECONDS)
                return
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors or memory
                logger.warning("%s cannot accept: %s", self._name, error)
                self._pause(_OUT_OF_RESOURCES_PAUSE_SECONDS)
                return
            self._begin(Connection(sock, address, listener))

    def _begin(self, connection: Connection) -> None:
        with self._changed:
            self._connections.add(connection)
        thread = threading.Thread(
            target=self._serve, args=(connection,), name=f"{self._name} request", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # no more threads to be had
            logger.warning("%s cannot serve: %s", self._name, error)
            self._end(connection)
            self._pause(_OUT_OF_RESOURCES_PAUSE_SECONDS)

    def _serve(self, connection: Connection) -> None:
        try:
            self._handle(connection)
        except Exception:
            logger.exception("%s failed on a request", self._name)
        finally:
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        connection.close()
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()
        if self._paused_until is not None:
            self._commands.put(self._resume)
            self._wake()

    def _pause(self, seconds: float) -> None:
        """Leave new connections in the system's queue for at most `seconds`."""
        if self._paused_until is None:
            for listener in self._accepting:
                self._selector.unregister(listener)
        self._paused_until = time.monotonic() + seconds

    def _resume(self) -> None:
        if self._paused_until is not None:
            self._paused_until = None
            for listener in self._accepting:
                self._selector.register(listener, selectors.EVENT_READ, listener)

    def _deadlines(self) -> dict[Connection, float]:
        """When each connection that was not admitted yet is cut."""
        crowded = len(self._connections) >= self._max_connections
        seconds = min(self._admission_seconds, _CROWDED_SECONDS) if crowded else None
        with self._changed:
            return {
                connection: connection.opened + (seconds or self._admission_seconds)
                for connection in self._connections
                if not connection.admitted
            }

    def _seconds_to_next_deadline(self) -> float | None:
        deadlines = [*self._deadlines().values(), *self._leaving.values()]
        if self._paused_until is not None:
            deadlines.append(self._paused_until)
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _keep_deadlines(self) -> None:
        now = time.monotonic()
        for listener in [one for one, deadline in self._leaving.items() if deadline <= now]:
            self._stop_accepting(listener)
            listener.close()
        for connection, deadline in self._deadlines().items():
            if deadline <= now:
                connection.cut()
        if self._paused_until is not None and self._paused_until <= now:
            self._resume()
