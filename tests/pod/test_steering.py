"""The group of a port, with sockets of this process in the place of frozen siblings."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from dtale_magics import listener, steering

if TYPE_CHECKING:
    from dtale_magics.listener import Listener
    from dtale_magics.steering import Membership


def member(port: int) -> Listener:
    return listener.listen(listener.new_socket(beside_owner=True), port)


def lands(port: int, wanted: Listener) -> bool:
    """Whether a new connection reaches `wanted`."""
    with socket.create_connection(("127.0.0.1", port), 5.0) as client:
        client.sendall(b"\r\n")
        wanted.socket.settimeout(5.0)
        try:
            wanted.accept()[0].close()
        except TimeoutError:
            return False
        return True


def join_and_attach(port: int, own: list[Listener]) -> Membership:
    membership = steering.join(port, steering.members(port), own, lambda *_: None)
    assert membership.index is not None
    steering.attach(membership.listeners[0].socket, membership.index)
    return membership


@pytest.mark.skipif(not steering.available(), reason="this system does not steer")
@pytest.mark.parametrize("order", ["first come first", "last come first"])
@pytest.mark.parametrize("others", [1, 3, steering.MAX_SPARES + 8])
def test_others_may_leave_when_the_membership_says_that_it_is_safe(
    port: int, others: int, order: str
) -> None:
    with ExitStack() as stack:
        leaving = [member(port) for _ in range(others)]
        for one in leaving:
            stack.callback(one.close)
        membership = join_and_attach(port, [])
        for one in leaving if order == "first come first" else reversed(leaving):
            if not membership.safe(steering.members(port)):
                membership = join_and_attach(port, membership.listeners)
            one.close()
            assert lands(port, membership.listeners[0])
        for one in membership.listeners:
            one.close()


@pytest.mark.skipif(not steering.available(), reason="this system does not steer")
def test_a_membership_without_its_spares_is_not_safe(port: int) -> None:
    other = member(port)
    membership = join_and_attach(port, [])
    assert membership.safe(steering.members(port))
    for spare in membership.listeners[1:]:
        spare.close()
    assert not membership.safe(steering.members(port))
    other.close()
    membership.listeners[0].close()
