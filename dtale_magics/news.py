"""What happened, and who wants to hear of it: events, subscribers, a watch over the siblings."""

from __future__ import annotations

import collections
import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from dtale_magics import peers

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

KEPT_EVENTS = 50
WATCH_SECONDS = 0.5
"""How often the list of siblings is compared while somebody subscribes: about 0.2 ms each time."""


class Event(NamedTuple):
    """Something that happened: seconds since the epoch, and one line."""

    time: float
    text: str


class News:
    """Thread-safe log of events with subscribers.

    A sibling that changes says so over the control channel. One that was killed says nothing, so
    while there are subscribers, a thread looks whether one is missing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: collections.deque[Event] = collections.deque(maxlen=KEPT_EVENTS)
        self._subscribers: list[Callable[[], None]] = []
        self._watching: threading.Thread | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return tuple(self._events)

    def add(self, text: str) -> None:
        """Enter an event, and tell the subscribers."""
        self._events.append(Event(time.time(), text))
        self.tell()

    def tell(self) -> None:
        """Tell all subscribers that something changed."""
        for subscriber in list(self._subscribers):
            try:
                subscriber()
            except Exception:
                logger.exception("a subscriber failed")

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after each change, from whatever thread; returns how to stop."""
        with self._lock:
            self._subscribers.append(callback)
            if self._watching is None:
                self._watching = threading.Thread(
                    target=self._watch, name="dtale_magics watch", daemon=True
                )
                self._watching.start()

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    def _watch(self) -> None:
        siblings = peers.siblings()
        while True:
            time.sleep(WATCH_SECONDS)
            with self._lock:
                if not self._subscribers:
                    self._watching = None
                    return
            found = peers.siblings()
            if found != siblings:
                siblings = found
                self.tell()
