"""Control channel: kernels of a pod talk over Unix sockets, whatever cell runs in them.

One connection carries one request and its answer (a hand-over, a few more): JSON, one line each.
The scope is the port's, the network namespace; only the same user is heard, on both sides.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics import exclusive
from dtale_magics.acceptor import Acceptor, Connection
from dtale_magics.errors import DtaleMagicsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

logger = logging.getLogger(__name__)

VERSION = 1
PREFIX = f"dtale-magics/{VERSION}"
MAX_BYTES = 65536
MAX_DESCRIPTORS = 64
SERVER_SECONDS = 5.0
"""How long a peer may take over its request."""

_RETRY_SECONDS = 0.005

Message = dict[str, Any]


class ChannelError(DtaleMagicsError):
    """A sibling that could not be talked to."""


class PeerSilentError(ChannelError):
    """A sibling that did not answer in time: it is stopped, or its process is starved."""


class PeerGoneError(ChannelError):
    """A sibling that ended or closed the connection before it answered."""


class PeerRefusedError(ChannelError):
    """A sibling that answered that it will not."""


class ProtocolError(ChannelError):
    """Something that is no message of this protocol, or from another user."""


class Addressed(Protocol):
    """Where a kernel listens."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def address(self) -> str:
        """Its socket's address, as ``connect`` takes it."""


class Exchange:
    """One connection of the channel, with a deadline for all that happens on it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline
        self._buffer = b""
        self._descriptors: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, and descriptors that nobody asked for."""
        self._socket.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()

    def extend(self, seconds: float) -> None:
        """Set the deadline to `seconds` from now."""
        self._deadline = time.monotonic() + seconds

    def send(self, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send one message, with copies of `descriptors`.

        Raises
        ------
        PeerSilentError, PeerGoneError
            When it cannot be delivered.
        ProtocolError
            When it is too long.
        """
        data = json.dumps({"version": VERSION, **message}).encode() + b"\n"
        if len(data) > MAX_BYTES:
            raise ProtocolError("A message between kernels is too long.")
        try:
            self._arm()
            if descriptors:
                # The descriptors travel with the first byte.
                sent = socket.send_fds(self._socket, [data], list(descriptors))
                data = data[sent:]
            self._socket.sendall(data)
        except TimeoutError:
            raise PeerSilentError("The other kernel does not read.") from None
        except OSError as error:
            raise PeerGoneError(f"The other kernel is gone ({error}).") from None

    def receive(self, *, descriptors: bool = False) -> Message:
        """Read one message; see `take_descriptors` for what came with it.

        Raises
        ------
        PeerSilentError, PeerGoneError, ProtocolError
            When none came in time, the connection ended, or it is none.
        """
        while b"\n" not in self._buffer:
            if len(self._buffer) >= MAX_BYTES:
                raise ProtocolError("A message between kernels is too long.")
            try:
                self._arm()
                if descriptors:
                    data, fds, _, _ = socket.recv_fds(self._socket, MAX_BYTES, MAX_DESCRIPTORS)
                    self._descriptors += fds
                else:
                    # Without room for them the kernel drops descriptors that nobody asked for.
                    data = self._socket.recv(MAX_BYTES)
            except TimeoutError:
                raise PeerSilentError("The other kernel does not answer.") from None
            except OSError as error:
                raise PeerGoneError(f"The other kernel is gone ({error}).") from None
            if not data:
                raise PeerGoneError("The other kernel closed the connection.")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return _parse(line)

    def take_descriptors(self) -> list[int]:
        """Return the descriptors that came; the caller closes them."""
        taken, self._descriptors = self._descriptors, []
        return taken

    def _arm(self) -> None:
        # 0 would mean non-blocking: a deadline that has passed still takes what is there.
        self._socket.settimeout(max(self._deadline - time.monotonic(), 0.001))


def _parse(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("A message between kernels is no JSON.") from None
    if not isinstance(message, dict):
        raise ProtocolError("A message between kernels is no object.")
    if message.get("version") != VERSION:
        raise ProtocolError(
            f"The other kernel speaks version {str(message.get('version'))[:20]} of the protocol.",
            "Restart it: it runs another version of dtale_magics.",
        )
    return message


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
    ChannelError
        `PeerSilentError`, `PeerGoneError`, `ProtocolError`, or `PeerRefusedError` with its reason.
    """
    with connect(peer, timeout) as exchange:
        exchange.send({"op": op, **fields})
        answer = exchange.receive()
    return checked(answer)


def checked(answer: Message) -> Message:
    """Return `answer`, or raise `PeerRefusedError` when it says no."""
    if answer.get("ok") is not True:
        raise PeerRefusedError(str(answer.get("why", "no reason given"))[:300])
    return answer
