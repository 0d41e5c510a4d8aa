"""Takeovers behind a real Traefik, whose pooled connections must not stay with a former owner."""

from __future__ import annotations

import http.client
import os
import time
from typing import TYPE_CHECKING

import pytest
from support import proxies
from support.miniature import Load, eventually, fetch, owners_are_right

from dtale_magics.pod.takeover import Rung

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartKernel
    from support.ports import PortClaims

TAKEOVERS = int(os.environ.get("DTALE_MAGICS_TAKEOVERS", "200"))


@pytest.fixture
def proxy(port: int, port_claims: PortClaims) -> Iterator[int]:
    """Port of a Traefik in front of `port`."""
    entry = port_claims.take(1)[0]
    routers = {"all": {"rule": "PathPrefix(`/`)", "service": "owner"}}
    with proxies.traefik({"web": entry}, routers, {"owner": f"http://127.0.0.1:{port}"}):
        yield entry


@pytest.mark.parametrize("clients", [8, 64])
@pytest.mark.parametrize("rung", [Rung.STEER, Rung.HAND_OVER])
def test_takeovers_behind_a_proxy_lose_nothing(
    kernels: StartKernel, port: int, proxy: int, rung: Rung, clients: int
) -> None:
    pair = [kernels("a"), kernels("b")]
    pair[0].take(port)
    eventually(lambda: _answers(proxy), 30.0)
    takes = []
    with Load(proxy, clients) as load:
        for number in range(TAKEOVERS):
            taker = pair[(number + 1) % 2]
            done = taker.take(port, Rung.FREE | rung)
            assert done["outcome"] in ("Steered", "HandedOver"), done
            takes.append((done["started"], done["ended"], taker.name))
            time.sleep(0.05 if number % 10 == 0 else 0.01)
    assert load.failures == []
    owners_are_right(load.requests, takes)
    assert len(load.requests) > 100
    assert any(slow.ended - slow.started > 0.3 for slow in load.requests)


def _answers(port: int) -> bool:
    try:
        return fetch(port) == "a"
    except (OSError, http.client.HTTPException):
        return False
