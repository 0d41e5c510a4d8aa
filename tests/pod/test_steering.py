"""The group of a port, with sockets of this process in the place of frozen siblings."""

from __future__ import annotations

import queue
import random
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from dtale_magics.pod import steering
from dtale_magics.serving import listener
from dtale_magics.serving.acceptor import Acceptor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dtale_magics.pod.steering import Membership
    from dtale_magics.serving.listener import Listener

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
                    one.accept()[0].close()
                except BlockingIOError:
                    continue
                return True
            threading.Event().wait(0.01)
        return False


def join_and_attach(port: int, own: list[Listener]) -> Membership:
    membership = steering.join(port, steering.members(port), own, lambda *_: None)
    assert membership.certain
    steering.attach(membership.listeners[0].socket, membership.place)
    return membership


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("order", ["first come first", "last come first", "at random"])
@pytest.mark.parametrize("others", [1, 3, 40])
def test_others_may_leave_in_any_order(
    port: int, others: int, order: str, closing: ExitStack
) -> None:
    leaving = [member(port) for _ in range(others)]
    membership = join_and_attach(port, [])
    for one in [*leaving, *membership.listeners]:
        closing.callback(one.close)
    leaving += [member(port) for _ in range(2)]  # behind us, as takers that come later
    if order == "last come first":
        leaving.reverse()
    elif order == "at random":
        random.shuffle(leaving)
    for one in leaving:
        assert membership.certain
        one.close()
        assert lands(port, membership.listeners[:1])


def test_a_membership_with_too_few_sockets_is_not_certain(port: int, closing: ExitStack) -> None:
    closing.callback(member(port).close)
    membership = join_and_attach(port, [])
    assert membership.certain
    membership.listeners[1].close()
    assert not membership.certain
    membership.listeners[0].close()


def test_a_group_that_is_too_large_is_not_joined(port: int, closing: ExitStack) -> None:
    for _ in range(steering.MAX_OTHERS + 1):
        closing.callback(member(port).close)
    before = steering.members(port)
    with pytest.raises(steering.SteeringError, match="sockets of others"):
        join_and_attach(port, [])
    assert steering.members(port) == before


def _connect(port: int) -> int:
    """Make a connection and say something; returns the port that it comes from."""
    with socket.create_connection(("127.0.0.1", port), 5.0) as client:
        client.sendall(b"\r\n")
        return int(client.getsockname()[1])


def _listener_of(client: int, reached: queue.Queue[tuple[int, object]]) -> object:
    """Where the connection from that port came in; the probes of `shrink` come in as well."""
    while True:
        came_from, listener = reached.get(timeout=20)
        if came_from == client:
            return listener


@pytest.mark.parametrize("gaps", [(), (0,), (1, 0)])
@pytest.mark.parametrize("others", [0, 1, 3])
def test_sockets_that_are_not_needed_are_given_up_while_connections_come(
    port: int, others: int, gaps: tuple[int, ...], closing: ExitStack
) -> None:
    """As after a takeover in which others have left, so that nobody knows who has which place."""
    reached: queue.Queue[tuple[int, object]] = queue.Queue()
    acceptor = Acceptor(lambda one: reached.put((one.address[1], one.listener)), "test")
    closing.callback(acceptor.stop)
    frozen = [member(port) for _ in range(others)]
    leaving = [member(port) for _ in range(4)]
    for one in frozen:
        closing.callback(one.close)
    membership = steering.join(port, steering.members(port), [], acceptor.add)
    steering.attach(membership.listeners[0].socket, membership.place)
    for one in [*(leaving.pop(gap) for gap in gaps), *leaving]:
        one.close()

    made: list[int] = []
    over = threading.Event()

    def connect_until_over() -> None:
        while not over.is_set():
            made.append(_connect(port))

    client = threading.Thread(target=connect_until_over)
    client.start()
    try:
        kept = steering.shrink(port, membership, others)
    finally:
        over.set()
        client.join(10)
    came: dict[int, object] = {}
    while not came.keys() >= set(made):
        came.update([reached.get(timeout=20)])
    assert {came[one] for one in made} <= set(membership.listeners), "none was lost to a frozen one"

    assert kept.certain
    assert len(kept.listeners) <= others + 1
    acceptor.remove(*set(membership.listeners) - set(kept.listeners), linger=0.0)
    for one in frozen:
        assert _listener_of(_connect(port), reached) is kept.listeners[0]
        one.close()
    assert _listener_of(_connect(port), reached) is kept.listeners[0]
