"""The victim's side of a takeover: what a kernel does when a sibling asks for its port.

Until the taker has proved that it has the port, everything here can be undone: a taker that dies at
any step leaves the port where it was.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from dtale_magics import channel, listener, steering
from dtale_magics.outcome import Party

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dtale_magics.channel import Exchange, Handler, Message
    from dtale_magics.holding import Held, Holdings

ANSWER_SECONDS = 2.0
"""How long the taker may think before the port goes back to its owner."""


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
        def handle(message: Message, exchange: Exchange) -> Message | None:
            with self._one_at_a_time:
                return handler(message, exchange)

        return handle

    def _identity(self, _message: Message, _exchange: Exchange) -> Message:
        return {"identity": self._holdings.session.identity().to_json()}

    def _changed(self, _message: Message, _exchange: Exchange) -> Message:
        self._holdings.session.changed()
        return {}

    def _taken(self, message: Message, _exchange: Exchange) -> Message:
        """Hear that a port is steered to the sender.

        The system's state decides, not the message: a stopped owner reads it when it wakes up, and
        by then the taker may have died or lost the port again.
        """
        held = self._holdings.get(_port(message))
        if held is not None and not self._holdings.owns(held):
            self._holdings.surrender(held, _party(message))
        return {}

    def _hand_over(self, message: Message, exchange: Exchange) -> Message | None:
        """Hand over the listening sockets: offer them, wait for the word, confirm, close them."""
        held = self._owned(message)
        if held is None:
            return {"ok": False, "why": "that port is not mine"}
        server = self._holdings.server
        listeners = [one for one in held.membership.listeners if one.fileno() >= 0]
        for one in listeners[: channel.MAX_DESCRIPTORS]:
            server.detach(one)
        given = False
        try:
            exchange.extend(ANSWER_SECONDS)
            exchange.send({"ok": True}, [one.fileno() for one in listeners])
            given = exchange.receive().get("op") == "have"
            if given:
                # Not accepted from by anybody between this word and its arrival: its backlog keeps
                # every connection. If it cannot be delivered, the taker is gone, and we go on.
                exchange.send({"op": "yours"})
        except channel.ChannelError:
            given = False
        if not given:
            if self._holdings.get(held.port) is held:
                for one in listeners:
                    server.add(one)
            return None
        if self._holdings.forget(held):
            for one in listeners:
                one.close()
            self._holdings.tell_lost(held.port, _party(message))
        return None

    def _release(self, message: Message, exchange: Exchange) -> Message | None:
        """Close the port, and bind it again unless the taker says that it has it."""
        held = self._owned(message)
        if held is None:
            return {"ok": False, "why": "that port is not mine"}
        if steering.members(held.port) - held.membership.inodes:
            return {"ok": False, "why": "others listen on that port as well"}
        if not self._holdings.forget(held):
            return {"ok": False, "why": "that port is not mine any more"}
        for one in held.membership.listeners:
            if one.fileno() >= 0:
                self._holdings.server.remove(one, 0.0)
        steering.wait_closed(held.membership.listeners, ANSWER_SECONDS)
        bound = False
        with contextlib.suppress(channel.ChannelError):
            exchange.extend(ANSWER_SECONDS)
            exchange.send({"ok": True})
            bound = exchange.receive().get("op") == "bound"
        if not bound:
            with contextlib.suppress(OSError):  # somebody has it now, if not the taker
                again = listener.bind(held.port)
                self._holdings.server.add(again)
                self._holdings.hold(again)
                return None
        self._holdings.tell_lost(held.port, _party(message))
        return None

    def _owned(self, message: Message) -> Held | None:
        held = self._holdings.get(_port(message))
        return held if held is not None and self._holdings.owns(held) else None


def _port(message: Message) -> int:
    port: Any = message.get("port")
    if not isinstance(port, int):
        raise channel.ProtocolError("The message names no port.")
    return port


def _party(message: Message) -> Party | None:
    try:
        identity = message["by"]
        return Party(
            str(identity["label"])[:200], int(identity["pid"]), None, str(identity["owner"])
        )
    except (KeyError, TypeError, ValueError):
        return None
