"""Real parts for the tests: a Traefik, an API stub, and a pod in a network namespace."""

from __future__ import annotations

import contextlib
import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from dtale_magics.__main__ import main
from tests.support import pods
from tests.support.api_stub import ApiStub
from tests.support.ports import machine_lock
from tests.support.traefik_process import Traefik, run_traefik, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BACKEND = Path(__file__).with_name("pod_backend.py")
SLUG = "k3v7qq9w"
PREFIX = "/dtale/ada"
# Addresses in the network of this machine, of which every test run has its own.
_NUMBER, _LOCK = next(
    (number, lock)
    for number in range(1, 255)
    if (lock := machine_lock(f"network {number}")) is not None
)
DTALE_IP = f"198.18.{_NUMBER}.2"  # RFC 2544
ECHO_IPS = (f"198.19.{_NUMBER}.3", f"198.19.{_NUMBER}.4")
HOST = "ada.dtale.example.org"

GATEWAY: list[dict[str, Any]] = [
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "traefik"},
        "spec": {"controllerName": "traefik.io/gateway-controller"},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "public", "namespace": "jhub"},
        "spec": {
            "gatewayClassName": "traefik",
            "listeners": [
                {
                    "name": "web",
                    "protocol": "HTTP",
                    "port": 0,  # the entry point's, filled in by the test
                    "allowedRoutes": {"namespaces": {"from": "Same"}},
                }
            ],
        },
    },
]


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
    if (reason := pods.reason_against()) is not None:
        pytest.skip(reason)
    name = pods.name(label)
    outer, inner = (f"{part}{label}{os.getpid()}" for part in ("dto", "dti"))
    gateway = addresses[0].rpartition(".")[0] + ".1"

    def ip(*arguments: str, check: bool = True) -> None:
        subprocess.run(["ip", *arguments], check=check, capture_output=True, timeout=10)

    ip("netns", "add", name)
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
    """Run pod_backend.py in the namespace."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, sys.executable, str(_BACKEND), *arguments],
        env={
            **os.environ,
            "DTALE_INGRESS_URL": f"http://{HOST}{PREFIX}",
            "DTALE_ALLOWED_HOSTS": "good.dtale.example.org",
        },
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
def dtale_pod() -> Iterator[str]:
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


@pytest.fixture
def render(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """Render as an admin does: on the command line, through the YAML."""

    def run(*options: str, user: str = "ada") -> list[dict[str, Any]]:
        arguments = ["manifests", "--user", user, "--namespace", "jhub", *options]
        assert main(arguments) == 0
        return list(YAML(typ="safe").load_all(capsys.readouterr().out))

    return run


def put_gateway(api: ApiStub, traefik: Traefik) -> None:
    objects = copy.deepcopy(GATEWAY)
    objects[1]["spec"]["listeners"][0]["port"] = traefik.port
    api.put(*objects)
