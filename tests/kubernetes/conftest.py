"""Real parts for the tests: a Traefik, an API stub, and a pod in a network namespace."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from api_stub import ApiStub
from traefik_process import Traefik, run_traefik, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SLUG = "k3v7qq9w"
PREFIX = "/dtale/ada"
DTALE_IP = "198.18.77.2"
ECHO_IPS = ("198.18.78.3", "198.18.78.4")
HOST = "ada.dtale.example.org"


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


@contextlib.contextmanager
def network(label: str, *addresses: str) -> Iterator[str]:
    """Make a network namespace with addresses of its own, as a pod has; its name."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs Linux, root and the ip command")
    name, outer, inner = (f"{part}{label}{os.getpid()}" for part in ("dtk", "dto", "dti"))
    gateway = addresses[0].rpartition(".")[0] + ".1"

    def ip(*arguments: str, check: bool = True) -> None:
        subprocess.run(["ip", *arguments], check=check, capture_output=True, timeout=10)

    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr.decode()}")
    try:
        ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
        ip("addr", "add", f"{gateway}/24", "dev", outer)
        ip("link", "set", outer, "up")
        for address in addresses:
            ip("-n", name, "addr", "add", f"{address}/24", "dev", inner)
        ip("-n", name, "link", "set", inner, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("link", "del", outer, check=False)
        ip("netns", "del", name, check=False)


@contextlib.contextmanager
def backend(namespace: str, *arguments: str) -> Iterator[None]:
    """Run backend.py in the namespace."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, sys.executable, str(HERE / "backend.py"), *arguments],
        env={**os.environ, "DTALE_INGRESS_URL": f"http://{HOST}{PREFIX}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        stop(process)


@pytest.fixture(scope="session")
def pod() -> Iterator[str]:
    """Run D-Tale in a pod, and the echo servers in another; D-Tale's address."""
    with (
        network("d", DTALE_IP) as dtales,
        network("e", *ECHO_IPS) as echoes,
        backend(dtales, "dtale", SLUG),
        backend(echoes, "echo", *ECHO_IPS),
    ):
        yield DTALE_IP


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
