"""What many users' routes cost: Traefik's start and latency, and the hub's hook.

Compares 1 user with 1,000 in one real Traefik, behind the same API stub as the tests, with one
small backend for everyone.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import logging
import random
import statistics
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kubernetes_asyncio.client import ApiClient, Configuration, CoreV1Api

from benchmarks.rows import Row, Sample
from dtale_magics.kubernetes import Options, Server, expose, render
from tests.support.api_stub import ApiStub
from tests.support.traefik_process import run_traefik

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Plan

REQUESTS = 3000
ROUNDS = 3
HOOKS = 50


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for a delayed ACK

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


def pod(user: str) -> dict[str, Any]:
    server = Server(user)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": server.pod, "namespace": "jhub", "labels": dict(server.selector)},
        "spec": {"containers": []},
        "status": {"phase": "Running", "podIP": "127.0.0.1"},
    }


def fill(api: ApiStub, users: list[str], options: Options) -> None:
    api.put(*(pod(user) for user in users))
    for user in users:
        api.put(*render(options, Server(user, namespace="jhub")))


def latencies(port: int, users: list[str]) -> list[float]:
    """Ask for random users over one connection; milliseconds, ascending."""
    picker = random.Random(7)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    times = []
    for _ in range(REQUESTS):
        host = f"{picker.choice(users)}.dtale.example.org"
        start = time.perf_counter()
        connection.request("GET", "/", headers={"Host": host})
        response = connection.getresponse()
        response.read()
        assert response.status == 200, f"{host}: {response.status}"
        times.append((time.perf_counter() - start) * 1000)
    connection.close()
    return sorted(times)


def ready_after(api: ApiStub, directory: Path, users: list[str]) -> float:
    """Start a Traefik; seconds until it routes to the first and the last user."""
    start = time.perf_counter()
    with run_traefik(api, directory) as traefik:
        for user in (users[-1], users[0]):
            traefik.until_status(200, f"{user}.dtale.example.org")
        return time.perf_counter() - start


def routes(count: int, port: int) -> dict[tuple[str, str], float]:
    """Measure one Traefik with `count` users."""
    users = [f"user{n:04}" for n in range(count)]
    options = Options(host="{user}.dtale.example.org", ports=(port,))
    with ApiStub() as api, tempfile.TemporaryDirectory() as directory:
        fill(api, users, options)
        starts = [ready_after(api, Path(directory), users) for _ in range(ROUNDS + 1)][1:]
        with run_traefik(api, Path(directory)) as traefik:
            traefik.until_status(200, f"{users[-1]}.dtale.example.org")
            latencies(traefik.port, users)  # warms connections and caches
            rounds = [latencies(traefik.port, users) for _ in range(ROUNDS)]
            start = time.perf_counter()
            fill(api, ["newcomer"], options)
            traefik.until_status(200, "newcomer.dtale.example.org")
            added = time.perf_counter() - start
    return {
        ("Traefik ready", "s"): statistics.median(starts),
        ("request p50", "ms"): statistics.median(r[len(r) // 2] for r in rounds),
        ("request p99", "ms"): statistics.median(r[len(r) * 99 // 100] for r in rounds),
        ("one more user", "s"): added,
    }


async def hook(count: int) -> dict[tuple[str, str], float]:
    """Measure the hook in a namespace that has `count` users already."""
    exposure = expose(host="{user}.dtale.example.org")
    fresh = itertools.count()
    with ApiStub() as api:
        fill(api, [f"user{n:04}" for n in range(count)], exposure.options)
        async with ApiClient(Configuration(host=api.url)) as client:
            core = CoreV1Api(client)
            api.requests.clear()
            times = []
            for _ in range(HOOKS):
                name = f"new{next(fresh)}"
                spawner = SimpleNamespace(
                    user=SimpleNamespace(name=name),
                    name="",
                    namespace="jhub",
                    pod_name=f"jupyter-{name}",
                    api=core,
                    log=logging.getLogger("hub"),
                )
                labels = Server(name).selector
                created = {"name": spawner.pod_name, "uid": name, "labels": labels}
                start = time.perf_counter()
                outcomes = await exposure(spawner, {"metadata": created})
                times.append((time.perf_counter() - start) * 1000)
                assert all(outcome.ok for outcome in outcomes)
            requests = len(api.requests) / HOOKS
    return {("hook p50", "ms"): statistics.median(times), ("requests per spawn", ""): requests}


def rows(plan: Plan) -> Iterator[Row]:
    many = 20 if plan.quick else 1000
    logging.getLogger("hub").setLevel(logging.WARNING)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = {}
    for count in (1, many):
        found[count] = routes(count, server.server_port) | asyncio.run(hook(count))
    server.shutdown()
    server.server_close()
    for (name, unit), few in found[1].items():
        ours = Sample.of([found[many][name, unit]])
        yield Row(f"{many:,} users' routes: {name}", unit, ours, Sample.of([few]), beside="1 user")
