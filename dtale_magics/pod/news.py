"""What happened, and who wants to hear of it: events, subscribers, a watch over the siblings."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from dtale_magics.pod import peers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

KEPT_EVENTS = 50

_LOOK_SECONDS = 10.0
"""How often the list of siblings is compared although nothing was heard: news may get lost."""

_OFTEN_SECONDS = 0.5
"""The same where the system does not tell that a process ends."""

_PAUSE_SECONDS = 0.1
"""After each time, as changes come together."""


class Event(NamedTuple):
    """Something that happened: seconds since the epoch, and one line.

    What is routine stands in the list of events, and is not told as news.
    """

    time: float
    text: str
    routine: bool = False


class News:
    """Thread-safe log of events with subscribers.

    A sibling that changes says so over the control channel. One that was killed says nothing, so
    while there are subscribers, a thread has the system tell when one ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: collections.deque[Event] = collections.deque(maxlen=KEPT_EVENTS)
        self._subscribers: list[Callable[[], None]] = []
        self._wake: socket.socket | None = None
        """Wakes the thread that watches; None while there is none."""

    @property
    def events(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return tuple(self._events)

    def add(self, text: str, *, routine: bool = False) -> None:
        """Enter an event, and tell the subscribers."""
        self._events.append(Event(time.time(), text, routine))
        self._tell()

    def tell(self) -> None:
        """Tell all subscribers that something changed, at a sibling as like as not."""
        self._look_again()
        self._tell()

    def _tell(self) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber()
            except Exception:
                logger.exception("a subscriber failed")

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after each change, from whatever thread; returns how to stop."""
        with self._lock:
            self._subscribers.append(callback)
            if self._wake is None:
                woken, self._wake = socket.socketpair()
                self._wake.setblocking(False)
                threading.Thread(
                    target=self._watch,
                    args=(woken, peers.siblings()),
                    name="dtale_magics watch",
                    daemon=True,
                ).start()

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)
            self._look_again()

        return unsubscribe

    def _look_again(self) -> None:
        """Wake the watch: somebody may have come, or nobody may listen any more."""
        with self._lock, contextlib.suppress(BlockingIOError):  # it is woken often enough already
            if self._wake is not None:
                self._wake.send(b"!")

    def _watch(self, woken: socket.socket, siblings: list[peers.Peer]) -> None:
        while True:
            _wait(siblings, woken)
            time.sleep(_PAUSE_SECONDS)
            with self._lock:
                if self._wake is not None and not self._subscribers:
                    self._wake.close()
                    self._wake = None
                    woken.close()
                    return
            found = peers.siblings()
            if found != siblings:
                siblings = found
                self._tell()


def _wait(siblings: Iterable[peers.Peer], woken: socket.socket) -> None:
    """Wait until one of them has ended, for a word at `woken`, or until it is time to look."""
    seconds = _LOOK_SECONDS
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(woken, selectors.EVENT_READ)
        for sibling in siblings:
            try:
                process = os.pidfd_open(sibling.pid)
            except (AttributeError, OSError):  # not Linux, not allowed, or ended meanwhile
                seconds = _OFTEN_SECONDS
            else:
                stack.callback(os.close, process)
                selector.register(process, selectors.EVENT_READ)
        if any(key.fileobj is woken for key, _ in selector.select(seconds)):
            woken.recv(4096)
