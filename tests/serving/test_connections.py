"""The places that connections have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dtale_magics.serving.transport.connections import Connection, Connections
from dtale_magics.serving.transport.limits import Limits

if TYPE_CHECKING:
    import pytest


class _Socket:
    """Takes the place of a socket, and notes how it ended."""

    def __init__(self) -> None:
        self.ended = False

    def setsockopt(self, *_: Any) -> None:
        pass

    def shutdown(self, *_: Any) -> None:
        self.ended = True

    def close(self) -> None:
        pass


def _connection() -> Connection:
    return Connection(_Socket(), ("127.0.0.1", 1), 0)  # type: ignore[arg-type]


def test_the_download_that_takes_least_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    rooms: list[int] = []
    pool = Connections(
        Limits(served=2, downloads=3, download_seconds=300.0), lambda: rooms.append(1)
    )
    slow, fast, third, fourth = (_connection() for _ in range(4))
    for one in (slow, fast, third):
        pool.add(one)
        one.begin_download()
        assert len(pool) == 0, "it has no place among the requests any more"
    assert len(rooms) == 3
    now += 10
    slow.sent, fast.sent, third.sent = 5_000, 5_000_000, 600_000
    pool.add(fourth)
    fourth.begin_download()
    assert [one.socket.ended for one in (slow, fast, third, fourth)] == [True, False, False, False]  # type: ignore[attr-defined]
    assert pool.next_deadline == 1300
    now = 1300
    pool.cut_late()
    assert [one.socket.ended for one in (fast, third, fourth)] == [True, True, False]  # type: ignore[attr-defined]
