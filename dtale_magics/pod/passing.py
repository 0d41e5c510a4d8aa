"""Passing: a connection that was accepted here but is meant for a sibling is passed to it, unread.

The head of its request has arrived and was only peeked at. If its path has a capability or an owner
id, it is passed to the inbox that is named by the digest of that. The system's table of names is
the directory: kernels need not announce anything, and where there is no such inbox, this kernel
answers with the 404 that everybody gets. A request that names nobody goes to the notebook in front.

All of this happens in the accepting thread and never waits for a sibling. A sibling that takes
nothing delays only its own requests; those are answered here when their time is over.
"""

from __future__ import annotations

import collections
import hashlib
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from dtale_magics.pod import front, names
from dtale_magics.pod.inbox import FRAME, MARK, TAKEN
from dtale_magics.serving import addressee

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.serving.transport.connections import Connection

WAIT_SECONDS = 15.0
"""How long a connection waits for a sibling to take it before it is answered with 503."""

_GRACE_SECONDS = 0.5
"""The sibling may take a connection at the last moment; its answer needs time to arrive."""

_LOOK_SECONDS = 0.05
_MAX_WAITING = 256
"""Maximum number of connections that wait for one sibling; others are answered at once."""

_MAX_LANES = 64
_READ_ANSWERS_AFTER = 32


def inbox_name(name: str) -> str:
    """Return the name of the inbox for a slug or an owner id, without giving that away."""
    return f"to/{hashlib.sha256(name.encode()).hexdigest()[:32]}"


class _Passed(NamedTuple):
    """A connection that was passed to a sibling, kept until the sibling says that it took it."""

    connection: Connection
    deadline: float


class _GoneError(Exception):
    """Nobody has that inbox (any more)."""


class _Lane:
    """The way to one inbox, as its sender sees it.

    Attributes
    ----------
    sent
        Connections that were sent and not answered yet, in order.
    waiting
        Connections that could not be sent yet.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._socket: socket.socket | None = None
        self.sent: collections.deque[_Passed] = collections.deque()
        self.waiting: collections.deque[_Passed] = collections.deque()
        self._given_up = 0
        """How many of the next answers are about connections already taken out of `sent`."""

    def __len__(self) -> int:
        return len(self.sent) + len(self.waiting)

    def offer(self, passed: _Passed) -> None:
        """Pass a connection on, or queue it behind others; `_GoneError` when nobody is there."""
        if self.waiting or not self._send(passed):
            self.waiting.append(passed)
        if len(self.sent) >= _READ_ANSWERS_AFTER:
            self._hear()

    def go_on(self) -> None:
        """Read which connections were taken, and send those that wait.

        Raises
        ------
        _GoneError
            When nobody is there any more; `sent` and `waiting` have what was not taken.
        """
        if not self._hear():  # that process has ended, or has closed its inbox
            self._recall()
        while self.waiting and self._send(self.waiting[0]):
            self.waiting.popleft()

    def expired(self) -> list[Connection]:
        """Take out the connections that have waited too long."""
        now, found = time.monotonic(), []
        while self.sent and self.sent[0].deadline + _GRACE_SECONDS < now:
            # It is still in the queue of the sibling, which will discard it as too late, so only
            # we answer it.
            found.append(self.sent.popleft().connection)
            self._given_up += 1
        while self.waiting and self.waiting[0].deadline < now:
            found.append(self.waiting.popleft().connection)
        return found

    def close(self) -> None:
        """Close the lane; the sibling loses what was sent and not taken."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._given_up = 0

    def _send(self, passed: _Passed) -> bool:
        """Send one connection; False when the system cannot take it for the sibling now."""
        frame = FRAME.pack(MARK, passed.deadline)
        descriptor = passed.connection.socket.fileno()
        for _ in range(2):
            try:
                if self._socket is None:
                    self._socket = names.connect(self._name)
                socket.send_fds(self._socket, [frame], [descriptor])
            except BlockingIOError:
                return False
            except names.NOBODY as error:
                raise _GoneError from error
            except ConnectionError:
                self._hear()
                self._recall()
            except OSError:
                return False  # out of descriptors, or too many are in flight (unix(7))
            else:
                self.sent.append(passed)
                return True
        return False

    def _recall(self) -> None:
        """Queue again what a vanished sibling has not taken, for the inbox's next owner."""
        self.close()
        self.waiting.extendleft(reversed(self.sent))
        self.sent.clear()

    def _hear(self) -> bool:
        """Read the sibling's answers to what was sent; False when it has ended."""
        if self._socket is None:
            return True
        try:
            answers = self._socket.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for answer in answers:
            if self._given_up:
                self._given_up -= 1
                continue
            if not self.sent:
                break
            passed = self.sent.popleft()
            if answer == TAKEN[0]:
                passed.connection.let_go()
            else:
                self.waiting.appendleft(passed)
        return bool(answers)


class Passing:
    """Decides whom a connection is meant for; used by the accepting thread alone.

    Parameters
    ----------
    is_own
        Whether a capability or owner id is this kernel's, or everybody's.
    """

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        self._is_own = is_own
        self._lanes: collections.OrderedDict[str, _Lane] = collections.OrderedDict()
        self._next_look: float | None = None

    def route(self, connection: Connection, head: bytes) -> bool:
        """Pass `connection` on; False when it is to be answered here."""
        found = addressee.names_in(head)
        if found is None:
            return False
        # The first name that is somebody's counts: a probe names the kernel it looks for first, and
        # then those that it may meet instead.
        for one in found:
            if self._is_own(one):
                return False
            if self._pass(connection, inbox_name(one)):
                return True
        if found:
            return False
        place = front.in_front(connection.port)
        if place is None or self._is_own(place.owner):
            return False
        return self._pass(connection, place.name)

    @property
    def next_deadline(self) -> float | None:
        """``time.monotonic()`` at which `overdue` is to be called; None if there is no need."""
        return self._next_look

    def overdue(self) -> list[Connection]:
        """Look after what was passed on; return what is to be answered here after all."""
        if self._next_look is None or time.monotonic() < self._next_look:
            return []
        found: list[Connection] = []
        for name, lane in list(self._lanes.items()):
            if not lane:
                continue
            try:
                lane.go_on()
            except _GoneError:
                found += self._forget(name)
            else:
                late = lane.expired()
                for connection in late:
                    connection.untaken = True
                found += late
        busy = any(map(len, self._lanes.values()))
        self._next_look = time.monotonic() + _LOOK_SECONDS if busy else None
        return found

    def close(self) -> None:
        """Close every lane; siblings answer what was sent, and what waits is closed."""
        for name, lane in list(self._lanes.items()):
            while lane.sent:
                lane.sent.popleft().connection.let_go()
            for connection in self._forget(name):
                connection.close()

    def _pass(self, connection: Connection, name: str) -> bool:
        lane = self._lanes.get(name)
        if lane is None:
            lane = _Lane(name)
        if len(lane) >= _MAX_WAITING:
            connection.untaken = True
            return False
        try:
            lane.offer(_Passed(connection, time.monotonic() + WAIT_SECONDS))
        except _GoneError:
            if name in self._lanes and not len(lane):
                self._forget(name)
            return False
        if name not in self._lanes:
            self._lanes[name] = lane
            self._make_room()
        self._lanes.move_to_end(name)
        if self._next_look is None:
            self._next_look = time.monotonic() + _LOOK_SECONDS
        return True

    def _make_room(self) -> None:
        """Close the lanes that were not used for longest."""
        for name, lane in list(self._lanes.items()):
            if len(self._lanes) <= _MAX_LANES:
                return
            if not len(lane):
                self._forget(name)

    def _forget(self, name: str) -> list[Connection]:
        lane = self._lanes.pop(name)
        lane.close()
        return [passed.connection for passed in (*lane.sent, *lane.waiting)]
