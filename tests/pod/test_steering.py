"""The group of a port, with sockets of this process in the place of frozen siblings."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from dtale_magics.pod import steering
from dtale_magics.serving.transport import listener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dtale_magics.serving.transport.listener import Listener

pytestmark = pytest.mark.skipif(not steering.available(), reason="this system does not steer")


def member(port: int) -> Listener:
    return listener.listen(listener.new_socket(beside_owner=True), port)


def lands(port: int, wanted: list[Listener]) -> bool:
    """Whether a new connection reaches one of `wanted`, which nobody else accepts from."""
    with socket.create_connection(("127.0.0.1", port), 5.0) as client:
        client.sendall(b"\r\n")
        client.settimeout(0.0)
        for _ in range(500):
            for one in wanted:
                try:
                    one.accept().close()
                except BlockingIOError:
                    continue
                return True
            threading.Event().wait(0.01)
        return False


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def join(port: int, closing: ExitStack) -> list[Listener]:
    mine: list[Listener] = []
    steering.join(port, mine, lambda _: None)
    for one in mine:
        closing.callback(one.close)
    return mine


@pytest.mark.parametrize("order", ["first come first", "last come first", "at random"])
@pytest.mark.parametrize("others", [1, 3, 20])
def test_others_may_leave_in_any_order(
    port: int, others: int, order: str, closing: ExitStack
) -> None:
    leaving = [member(port) for _ in range(others)]
    mine = join(port, closing)
    leaving += [member(port) for _ in range(2)]  # behind us, as newcomers that come later
    for one in leaving:
        closing.callback(one.close)
    if order == "last come first":
        leaving.reverse()
    elif order == "at random":
        random.Random(others).shuffle(leaving)
    for one in leaving:
        one.close()
        assert lands(port, mine[:1])


def test_a_group_that_is_too_large_is_not_joined(port: int, closing: ExitStack) -> None:
    for _ in range(steering.MAX_OTHERS + 1):
        closing.callback(member(port).close)
    before = steering.members(port)
    with pytest.raises(OSError, match="sockets of others"):
        join(port, closing)
    assert steering.members(port) == before


def test_a_port_is_fenced_by_a_socket_that_goes_away(port: int, closing: ExitStack) -> None:
    first = listener.bind(port)
    closing.callback(first.close)
    steering.fence(first, lambda second: second.close())
    for _ in range(3):
        closing.callback(member(port).close)
    for _ in range(20):
        assert lands(port, [first])
