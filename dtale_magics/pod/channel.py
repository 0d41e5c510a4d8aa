"""Control channel: kernels of a pod talk over Unix sockets, whatever cell runs in them.

One connection carries one request and its answer (a hand-over, a few more): JSON, one line each.
The scope is the port's, the network namespace; only the same user is heard, on both sides.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics.pod import exclusive
from dtale_magics.pod.exchange import (
    VERSION,
    Exchange,
    Message,
    PeerGoneError,
    PeerRefusedError,
    PeerSilentError,
    ProtocolError,
)
from dtale_magics.serving.acceptor import Acceptor

if TYPE_CHECKING:
    from dtale_magics.serving.connections import Connection

logger = logging.getLogger(__name__)

PREFIX = f"dtale-magics/{VERSION}"
SERVER_SECONDS = 5.0
"""How long a peer may take over its request."""

_RETRY_SECONDS = 0.005
_TELL_SECONDS = 0.2


class Addressed(Protocol):
    """Where a kernel listens."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def address(self) -> str:
        """Its socket's address, as ``connect`` takes it."""


Handler = Callable[[Message, Exchange], "Message | None"]
"""Answers an operation; None when it has said everything on the exchange itself."""


class _ChannelListener:
    """The kernel's own Unix socket, as the acceptor wants it."""

    def __init__(self, owner: str) -> None:
        name = f"{os.getuid()}/{os.getpid()}/{owner}"
        self._path = None
        if exclusive.ABSTRACT:
            self._socket = exclusive.bind_abstract(f"{PREFIX}/{name}")
            self.address = f"\0{PREFIX}/{name}"
        else:
            self._path = exclusive.private_directory() / (name.replace("/", "-") + ".sock")
            self._path.unlink(missing_ok=True)
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.bind(str(self._path))
            self._socket.listen(128)
            exclusive.close_in_forked_child(self._socket)
            self.address = str(self._path)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, _ = self._socket.accept()
        return connection, ("", 0)

    def close(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._socket.close()


class ChannelServer:
    """Answers the siblings of this kernel from a daemon thread.

    Parameters
    ----------
    owner
        Random id of this kernel.
    handlers
        By name of the operation.
    """

    def __init__(self, owner: str, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._acceptor = Acceptor(
            self._handle, "dtale_magics channel", 32, admission_seconds=SERVER_SECONDS
        )
        self._listener = _ChannelListener(owner)
        self._acceptor.add(self._listener)

    @property
    def address(self) -> str:
        """Where siblings connect."""
        return self._listener.address

    @property
    def alive(self) -> bool:
        """Whether siblings are being answered."""
        return self._acceptor.alive

    def close(self) -> None:
        """Stop answering; the name is free at once."""
        self._acceptor.stop(timeout=1.0)

    def _handle(self, connection: Connection) -> None:
        if exclusive.peer_credentials(connection.socket)[1] != os.getuid():
            return
        exchange = Exchange(connection.socket, time.monotonic() + SERVER_SECONDS)
        with contextlib.suppress(PeerSilentError, PeerGoneError):
            try:
                request = exchange.receive()
                connection.admit()
                answer = self._answer(request, exchange)
            except ProtocolError as error:
                answer = {"ok": False, "why": error.what}
            if answer is not None:
                exchange.send(answer)

    def _answer(self, request: Message, exchange: Exchange) -> Message | None:
        operation = request.get("op")
        handler = self._handlers.get(operation) if isinstance(operation, str) else None
        if handler is None:
            return {"ok": False, "why": f"no such operation: {str(operation)[:40]}"}
        try:
            answer = handler(request, exchange)
        except (PeerSilentError, PeerGoneError):
            raise
        except Exception as error:  # a peer's strange request must not end in silence
            logger.exception("operation %s failed", operation)
            return {"ok": False, "why": f"{type(error).__name__}: {error}"[:200]}
        return None if answer is None else {"ok": True, **answer}


def connect(peer: Addressed, timeout: float) -> Exchange:
    """Open a connection to `peer`, for `timeout` seconds in all.

    Raises
    ------
    PeerSilentError, PeerGoneError
        When it does not take connections, or ended.
    ProtocolError
        When another user or process listens under that address.
    """
    deadline = time.monotonic() + timeout
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(peer.address)
                break
            except BlockingIOError:  # its queue is full
                if time.monotonic() >= deadline:
                    raise PeerSilentError(f"Process {peer.pid} takes no connections.") from None
                time.sleep(_RETRY_SECONDS)
            except OSError as error:
                raise PeerGoneError(f"Process {peer.pid} is gone ({error}).") from None
        pid, uid = exclusive.peer_credentials(sock)
        if uid != os.getuid() or pid not in (0, peer.pid):
            raise ProtocolError(f"Process {pid} of user {uid} poses as process {peer.pid}.")
    except BaseException:
        sock.close()
        raise
    return Exchange(sock, deadline)


def call(peer: Addressed, op: str, *, timeout: float = 1.0, **fields: Any) -> Message:
    """Ask `peer` and return its answer.

    Raises
    ------
    dtale_magics.pod.exchange.ChannelError
        `PeerSilentError`, `PeerGoneError`, `ProtocolError`, or `PeerRefusedError` with its reason.
    """
    with connect(peer, timeout) as exchange:
        exchange.send({"op": op, **fields})
        answer = exchange.receive()
    return checked(answer)


def tell(peer: Addressed, op: str, **fields: Any) -> None:
    """Tell `peer` something, without waiting for an answer: one that is stopped reads it later.

    Raises
    ------
    dtale_magics.pod.exchange.ChannelError
        When it could not be sent.
    """
    with connect(peer, _TELL_SECONDS) as exchange:
        exchange.send({"op": op, **fields})


def checked(answer: Message) -> Message:
    """Return `answer`, or raise `PeerRefusedError` when it says no."""
    if answer.get("ok") is not True:
        raise PeerRefusedError(str(answer.get("why", "no reason given"))[:300])
    return answer
