"""The victim's side of a takeover: what a kernel does when a sibling asks for its port.

Until the taker has proved that it has the port, everything here can be undone: a taker that dies at
any step leaves the port where it was.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from dtale_magics.outcome import Party
from dtale_magics.pod import exchange, steering
from dtale_magics.serving import listener
from dtale_magics.system import procfs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.pod.channel import Handler
    from dtale_magics.pod.exchange import Exchange, Message
    from dtale_magics.pod.holding import Held, Holdings
    from dtale_magics.serving.listener import Listener

ANSWER_SECONDS = 2.0
"""How long the taker may think before the port goes back to its owner."""

_POLL_SECONDS = 0.002

_NOT_MINE = {"ok": False, "why": "that port is not mine"}


class Surrender:
    """Handlers of the operations by which siblings take ports.

    Parameters
    ----------
    holdings
        This kernel's ports.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        # A taker that gave up waiting for us may ask again while its first request still runs.
        self._one_at_a_time = threading.Lock()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """By name of the operation."""
        return {
            "identity": self._identity,
            "changed": self._changed,
            "taken": self._taken,
            "hand_over": self._alone(self._hand_over),
            "release": self._alone(self._release),
        }

    def _alone(self, handler: Handler) -> Handler:
        def handle(message: Message, conversation: Exchange) -> Message | None:
            with self._one_at_a_time:
                return handler(message, conversation)

        return handle

    def _identity(self, _message: Message, _conversation: Exchange) -> Message:
        return {"identity": self._holdings.session.identity().to_json()}

    def _changed(self, _message: Message, _conversation: Exchange) -> Message:
        self._holdings.session.changed()
        return {}

    def _taken(self, message: Message, _conversation: Exchange) -> Message:
        """Hear that a port is steered to the sender.

        The system's state decides, not the message: a stopped owner reads it when it wakes up, and
        by then the taker may have died or lost the port again.
        """
        held = self._holdings.get(_port(message))
        if held is None:
            return {}
        if self._holdings.owns(held):
            # The taker has left, or gives way: whatever program it attached makes no sense any
            # more, while others who are stopped may still be in the group.
            self._holdings.watch(held)
        else:
            self._holdings.surrender(held, _party(message))
        return {}

    def _hand_over(self, message: Message, conversation: Exchange) -> Message | None:
        """Hand over the listening sockets: offer them, wait for the word, confirm, close them."""
        holdings = self._holdings
        held = self._owned(message)
        if held is None:
            return _NOT_MINE
        listeners = held.membership.open
        if len(listeners) > exchange.MAX_DESCRIPTORS:
            return {"ok": False, "why": f"{len(listeners)} sockets are too many to hand over"}
        for one in listeners:
            holdings.server.detach(one)
        heard = self._offer(conversation, listeners, held.membership.index)
        if not heard and holdings.owns(held):
            if holdings.get(held.port) is held:
                holdings.server.add(*listeners)
            return None
        # From the word on it is the taker's: a takeover by this kernel itself, a moment later, must
        # not find that it has the port already.
        if not holdings.set_aside(held):
            return None
        if heard and not _confirm(conversation) and holdings.owns(held):
            holdings.put_back(held)
            return None
        held.withdraw_claim()
        for one in listeners:
            one.close()
        holdings.tell_lost(held.port, _party(message))
        return None

    def _offer(self, conversation: Exchange, listeners: list[Listener], index: int | None) -> bool:
        """Send `listeners`, and the place of the first; whether the taker says that it has them.

        Nobody accepts from them between its word and ours: their queues keep every connection.
        """
        label = self._holdings.session.label[:200]
        with contextlib.suppress(exchange.ChannelError):
            conversation.extend(ANSWER_SECONDS)
            offer = {"ok": True, "label": label, "index": index}
            conversation.send(offer, [one.fileno() for one in listeners])
            return conversation.receive().get("op") == "have"
        return False

    def _release(self, message: Message, conversation: Exchange) -> Message | None:
        """Close the port, and bind it again unless the taker says that it has it."""
        holdings = self._holdings
        held = self._owned(message)
        if held is None:
            return _NOT_MINE
        port = held.port
        if steering.members(port) - procfs.socket_inodes(os.getpid()):
            return {"ok": False, "why": "others listen on that port as well"}
        if not holdings.forget(held):
            return _NOT_MINE
        holdings.linger(held.membership.listeners, 0.0)
        _wait_until_closed(port)
        bound = False
        with contextlib.suppress(exchange.ChannelError):
            conversation.extend(ANSWER_SECONDS)
            conversation.send({"ok": True, "label": holdings.session.label[:200]})
            bound = conversation.receive().get("op") == "bound"
        if not bound:
            with contextlib.suppress(OSError):  # somebody has it now, if not the taker
                holdings.serve(listener.bind(port))
        if holdings.get(port) is None:
            holdings.tell_lost(port, _party(message))
        return None

    def _owned(self, message: Message) -> Held | None:
        held = self._holdings.get(_port(message))
        return held if held is not None and self._holdings.owns(held) else None


def _confirm(conversation: Exchange) -> bool:
    """Let the taker know that the port is its own; False when it cannot be told."""
    try:
        conversation.send({"op": "yours"})
    except exchange.ChannelError:
        return False
    return True


def _wait_until_closed(port: int) -> None:
    """Wait for our own sockets, also those that linger; nobody else has one."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while steering.members(port) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _port(message: Message) -> int:
    port: Any = message.get("port")
    if not isinstance(port, int):
        raise exchange.ProtocolError("The message names no port.")
    return port


def _party(message: Message) -> Party | None:
    try:
        identity = message["by"]
        return Party(
            str(identity["label"])[:200], int(identity["pid"]), None, str(identity["owner"])
        )
    except (KeyError, TypeError, ValueError):
        return None
