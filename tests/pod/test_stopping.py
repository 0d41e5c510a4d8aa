"""A notebook that stops while it is getting a port."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from dtale_magics.errors import PortUnavailableError
from dtale_magics.pod import front
from dtale_magics.pod.sharing import Sharing
from dtale_magics.serving.transport import listener
from dtale_magics.serving.transport.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from dtale_magics.serving.transport.listener import Listener

SECONDS = 60


def answer(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return []


def test_an_attempt_that_is_under_way_leaves_nothing_behind(
    ports: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, bind = ports[0], listener.bind
    begun, go_on = threading.Event(), threading.Event()

    def slow_bind(wanted: int) -> Listener:
        begun.set()
        assert go_on.wait(SECONDS)
        return bind(wanted)

    monkeypatch.setattr(listener, "bind", slow_bind)
    server = Server(answer)
    sharing = Sharing("0" * 16, server, lambda: "a notebook")
    looking = threading.Thread(target=sharing.join_quietly, args=(port,))
    looking.start()
    assert begun.wait(SECONDS)

    def stop() -> None:
        sharing.close()
        server.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    stopping.join(0.2)  # it may wait for the attempt, or be done
    go_on.set()
    for thread in (looking, stopping):
        thread.join(SECONDS)
        assert not thread.is_alive()

    bind(port).close()  # it is free
    assert front.places(port) == []
    assert not sharing.join_quietly(port)
    with pytest.raises(PortUnavailableError):
        sharing.join_first([port])
