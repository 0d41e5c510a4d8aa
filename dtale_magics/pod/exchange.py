"""One conversation between two kernels: messages of one line of JSON each, and descriptors.

Everything in it has a deadline and a size limit, because the other end may be suspended, dying, or
not a kernel at all.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import DtaleMagicsError
from dtale_magics.pod.names import VERSION, receive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

MAX_BYTES = 65536
MAX_DESCRIPTORS = 64
"""Maximum in all messages of one conversation; Linux passes at most 253 at once (unix(7))."""

Message = dict[str, Any]


class ChannelError(DtaleMagicsError):
    """A sibling that could not be talked to."""


class PeerSilentError(ChannelError):
    """A sibling that did not answer in time: it is stopped, or its process is starved."""


class PeerGoneError(ChannelError):
    """A sibling that ended or closed the connection before it answered."""


class PeerRefusedError(ChannelError):
    """A sibling that answered, and refused."""


class ProtocolError(ChannelError):
    """Something that is not a message of this protocol, or comes from another user."""


class Exchange:
    """One connection of the channel, with one deadline for everything that happens on it."""

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

    def send(self, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send one message, with copies of `descriptors`.

        Raises
        ------
        PeerSilentError, PeerGoneError
            When it cannot be delivered.
        ProtocolError
            When it is too long, or has too many descriptors.
        """
        if len(descriptors) > MAX_DESCRIPTORS:
            raise ProtocolError(f"{len(descriptors)} descriptors are too many for one message.")
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
            When none came in time, the connection ended, or what came is not a message.
        """
        read = False
        while b"\n" not in self._buffer:
            if len(self._buffer) >= MAX_BYTES:
                raise ProtocolError("A message between kernels is too long.")
            if read and time.monotonic() >= self._deadline:
                # What has arrived is read even after the deadline, but once only: a peer that
                # drips bytes could go on forever.
                raise PeerSilentError("The other kernel does not finish its message.")
            data = self._read(descriptors=descriptors)
            if not data:
                raise PeerGoneError("The other kernel closed the connection.")
            self._buffer += data
            read = True
        line, _, self._buffer = self._buffer.partition(b"\n")
        return parse(line)

    def take_descriptors(self) -> list[int]:
        """Return the descriptors that came; the caller closes them."""
        taken, self._descriptors = self._descriptors, []
        return taken

    def _read(self, *, descriptors: bool) -> bytes:
        try:
            self._arm()
            if not descriptors:
                # This gives no room for descriptors, so Linux drops those that nobody asked for.
                return self._socket.recv(MAX_BYTES)
            data, fds, flags = receive(self._socket, MAX_BYTES, MAX_DESCRIPTORS)
        except TimeoutError:
            raise PeerSilentError("The other kernel does not answer.") from None
        except OSError as error:
            raise PeerGoneError(f"The other kernel is gone ({error}).") from None
        self._descriptors += fds
        if flags & socket.MSG_CTRUNC or len(self._descriptors) > MAX_DESCRIPTORS:
            raise ProtocolError("The other kernel sent more descriptors than there is room for.")
        return data

    def _arm(self) -> None:
        # 0 would mean non-blocking, and miss what arrives at the last moment.
        self._socket.settimeout(max(self._deadline - time.monotonic(), 0.001))


def parse(line: bytes) -> Message:
    """Read one message.

    Raises
    ------
    ProtocolError
        When it is not a message of this version of the protocol.
    """
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
