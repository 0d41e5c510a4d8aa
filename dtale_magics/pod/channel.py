"""Control channel: kernels of a pod talk over Unix sockets, even while they run a cell.

One connection carries one request and its answer, each one line of JSON. A channel has the scope of
a port, the network namespace; both sides listen only to processes of the same user.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dtale_magics import deadlines
from dtale_magics.pod import names
from dtale_magics.pod.exchange import (
    Exchange,
    Message,
    PeerGoneError,
    PeerRefusedError,
    PeerSilentError,
    ProtocolError,
)
from dtale_magics.serving.transport.acceptor import Acceptor
from dtale_magics.serving.transport.connections import Connection
from dtale_magics.serving.transport.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.pod.peers import Peer

logger = logging.getLogger(__name__)

DIRECTORY = "kernel/"
"""Prefix of the names of channels; process id and owner id follow."""

_RETRY_SECONDS = 0.005
_TELL_SECONDS = 0.2


Handler = Callable[[Message, Exchange], "Message | None"]
"""Answers an operation; returns None when it has sent its answer on the exchange itself."""


class _ChannelListener:
    """The name of this kernel's channel, as a listener for the acceptor."""

    shared = False

    def __init__(self, owner: str) -> None:
        self._named = names.Named(f"{DIRECTORY}{os.getpid()}/{owner}")

    def fileno(self) -> int:
        return self._named.fileno()

    def accept(self) -> Connection:
        sock = self._named.accept()
        if sock is None:
            raise BlockingIOError
        return Connection(sock, ("", 0), 0)

    def close(self) -> None:
        self._named.close()


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
        limits = Limits(served=32, admission_seconds=deadlines.CHANNEL)
        self._acceptor = Acceptor(self._handle, "dtale_magics channel", limits)
        self._acceptor.add(_ChannelListener(owner))

    def close(self) -> None:
        """Stop answering; the name is free at once."""
        self._acceptor.stop(timeout=1.0)

    def _handle(self, connection: Connection) -> None:
        exchange = Exchange(connection.socket, time.monotonic() + deadlines.CHANNEL)
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


def connect(peer: Peer, timeout: float) -> Exchange:
    """Open a connection to `peer`, for `timeout` seconds in all.

    Raises
    ------
    PeerSilentError, PeerGoneError
        When it does not take connections, or has ended.
    ProtocolError
        When another user or process listens under that address.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            sock = names.connect(peer.name)
            break
        except BlockingIOError:  # its queue is full
            if time.monotonic() >= deadline:
                raise PeerSilentError(f"Process {peer.pid} takes no connections.") from None
            time.sleep(_RETRY_SECONDS)
        except OSError as error:
            raise PeerGoneError(f"Process {peer.pid} is gone ({error}).") from None
    pid = names.peer_credentials(sock).pid
    if pid not in {0, peer.pid}:
        sock.close()
        raise ProtocolError(f"Process {pid} poses as process {peer.pid}.")
    return Exchange(sock, deadline)


def call(peer: Peer, op: str, *, timeout: float = 1.0, **fields: Any) -> Message:
    """Ask `peer` and return its answer.

    Raises
    ------
    dtale_magics.pod.exchange.ChannelError
        `PeerSilentError`, `PeerGoneError`, `ProtocolError`; `PeerRefusedError` with its reason.
    """
    with connect(peer, timeout) as exchange:
        exchange.send({"op": op, **fields})
        answer = exchange.receive()
    return checked(answer)


def tell(peer: Peer, op: str, **fields: Any) -> None:
    """Tell `peer` something without awaiting an answer; `ChannelError` if it cannot be sent."""
    with connect(peer, _TELL_SECONDS) as exchange:
        exchange.send({"op": op, **fields})


def checked(answer: Message) -> Message:
    """Return `answer`, or raise `PeerRefusedError` when it says no."""
    if answer.get("ok") is not True:
        raise PeerRefusedError(str(answer.get("why", "no reason given"))[:300])
    return answer
