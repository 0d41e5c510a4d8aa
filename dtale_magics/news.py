"""What happened in this kernel, and who wants to know."""

from __future__ import annotations

import collections
import logging
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

KEPT_EVENTS = 50


class Event(NamedTuple):
    """Something that happened: seconds since the epoch, and one line.

    A routine event is in the list of events, but is not shown as news.
    """

    time: float
    text: str
    routine: bool = False


class News:
    """Thread-safe log of events with subscribers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: collections.deque[Event] = collections.deque(maxlen=KEPT_EVENTS)
        self._subscribers: list[Callable[[], None]] = []

    @property
    def events(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return tuple(self._events)

    def add(self, text: str, *, routine: bool = False) -> None:
        """Log an event, and tell the subscribers."""
        self._events.append(Event(time.time(), text, routine))
        self.tell()

    def tell(self) -> None:
        """Tell all subscribers that something changed, here or at a sibling."""
        for subscriber in list(self._subscribers):
            try:
                subscriber()
            except Exception:
                logger.exception("a subscriber failed")

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after each change, from any thread; return how to unsubscribe."""
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe
