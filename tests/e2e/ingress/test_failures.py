"""Every way in which an ingress fails, made for real, and what the panel says of it.

`docs/reachability.md` is the table of what this module saw; DTALE_MAGICS_WRITE=1 writes it anew.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support import ROOT, proxies
from tests.support.browser import NotebookPage, open_browser
from tests.support.jupyter import Jupyter
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Route

pytestmark = [
    pytest.mark.timeout(240),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

DOCUMENT = ROOT / "docs/reachability.md"
HEAD = """\
# What the reachability check says

Each row is a real ingress with a real fault, met by a real browser and a real kernel. The test
`test_every_failure_is_named` makes them all and compares this file; with
`DTALE_MAGICS_WRITE=1` it writes it anew.

Browsers tell a page little about what it meets at another origin: only "something answers" or
"no connection". Then the kernel's finding counts, if the kernel met a failure too.

| what is wrong | browser | kernel | what is said |
|---|---|---|---|
"""

NGINX = """
location /slow/ {{
  proxy_read_timeout 100ms;
  proxy_pass http://127.0.0.1:{silent};
}}
location /cut/ {{ proxy_pass http://127.0.0.1:{own}/; }}
location /members/ {{ return 302 http://127.0.0.1:{nginx}/sign-in; }}
location /sign-in {{ return 200 "<input type='password'>"; }}
"""


@dataclass(frozen=True)
class Failure:
    """What is wrong, as the table names it, the URL that has it, and words of the verdict."""

    name: str
    url: str
    browser: str
    kernel: str
    words: str


FAILURES = [
    Failure(
        "the Service's target port is wrong",
        "http://127.0.0.1:{web}/wrong-port",
        "something answers",
        "502 bad gateway",
        "Service's target port",
    ),
    Failure(
        "no route for the path",
        "http://127.0.0.1:{web}/elsewhere",
        "something answers",
        "404 of something else",
        "no route for this host and path",
    ),
    Failure(
        "the Service has no backend",
        "http://127.0.0.1:{web}/no-backend",
        "something answers",
        "503 no backend",
        "no backend for it",
    ),
    Failure(
        "the pod does not answer the proxy",
        "http://127.0.0.1:{nginx}/slow",
        "something answers",
        "504 gateway timeout",
        "NetworkPolicy drops the connection",
    ),
    Failure(
        "nothing answers",
        "http://127.0.0.1:{silent}",
        "no answer in time",
        "no answer in time",
        "a firewall or a NetworkPolicy drops it",
    ),
    Failure(
        "a certificate that nobody knows",
        "https://127.0.0.1:{secure}/dtale",
        "no connection",
        "certificate not trusted",
        "TLS certificate",
    ),
    Failure(
        "a sign-in before the ingress",
        "http://127.0.0.1:{nginx}/members",
        "something answers",
        "asks for a sign-in at 127.0.0.1:{nginx}/sign-in",
        "have to sign in there first",
    ),
    Failure(
        "the proxy strips the path and does not say so",
        "http://127.0.0.1:{nginx}/cut",
        "the path /cut arrives as /",
        "the path /cut arrives as /",
        "has to send it as X-Forwarded-Prefix",
    ),
    Failure(
        "a name without DNS",
        "http://nothing.invalid",
        "no connection",
        "the name nothing.invalid is not known",
        "no DNS entry for nothing.invalid",
    ),
    Failure(
        "nothing listens",
        "http://127.0.0.1:{nothing}",
        "no connection",
        "connection refused",
        "Nothing listens at that address",
    ),
    Failure(
        "a stranger's server",
        "http://127.0.0.1:{stranger}",
        "something answers",
        "something else answers, 200",
        "A server that is not D-Tale answers",
    ),
]


MIXED = Failure(
    "an ingress without TLS for an https page",
    "http://dtale.invalid",
    "http, which an https page may not show",
    "the name dtale.invalid is not known",
    "Give the ingress TLS",
)


class Stage:
    """Everything that can be met at a URL instead of a notebook's D-Tale."""

    def __init__(self, stack: ExitStack) -> None:
        claims = stack.enter_context(PortClaims())
        self.ports = claims.take()
        web, secure, nginx, nothing, lab = claims.take(5)
        self.named = {
            "exposed": self.ports[0],
            "own": self.ports[0],
            "web": web,
            "secure": secure,
            "nginx": nginx,
            "nothing": nothing,
            "silent": stack.enter_context(_silence()),
            "stranger": stack.enter_context(_stranger()),
        }
        services = {
            "dtale": f"http://127.0.0.1:{self.ports[0]}",
            "wrong-port": f"http://127.0.0.1:{nothing}",
            "no-backend": None,
            "lab": f"http://127.0.0.1:{lab}",
        }
        routers: dict[str, Any] = {
            name: {"rule": f"PathPrefix(`/{name}`)", "service": name, "entryPoints": ["web"]}
            for name in ("dtale", "wrong-port", "no-backend")
        }
        routers["lab"] = {
            "rule": "PathPrefix(`/`)",
            "service": "lab",
            "entryPoints": ["secure"],
            "tls": {},
        }
        entrypoints = {"web": web, "secure": secure}
        stack.enter_context(proxies.traefik(entrypoints, routers, services))
        stack.enter_context(proxies.nginx(nginx, NGINX.format(**self.named)))
        self.jupyter = stack.enter_context(Jupyter(lab, self.ports))
        self.https = f"https://127.0.0.1:{secure}"

    def write(self, name: str, failures: list[Failure]) -> None:
        """Write a notebook that tries one URL after the other."""
        cells = [
            f"%config DtaleMagics.ingress_url = '{one.url.format(**self.named)}'\n%dtale"
            for one in failures
        ]
        self.jupyter.write(name, ["%load_ext dtale_magics", "%dtale {'a': [1]}", *cells])

    def row(self, page: NotebookPage, cell: int, failure: Failure) -> str:
        """Wait until the panel names the failure, and return the row of the table."""
        panel = page.panel(cell)
        found = panel.locator(".dp-ways li").first
        said = panel.locator(".dp-outside")
        kernel = failure.kernel.format(**self.named)
        expect(found).to_contain_text(f" · browser: ✗ {failure.browser}")
        expect(found).to_contain_text(f" · kernel: ✗ {kernel}")
        expect(said).to_contain_text(failure.words.format(**self.named))
        _, *sides = _text(found).split(" · ")
        sides = [side.partition(": ")[2] for side in sides]
        return self._neutral(" | ".join([failure.name, *sides, _text(said)]))

    def _neutral(self, text: str) -> str:
        text = re.sub(r"127\.0\.0\.1(:\d+)?", "dtale.example.org", text)
        text = re.sub(r", \d+ ms", "", text)
        return f"| {text.replace(str(self.ports[0]), '40000')} |"


def _text(locator: Locator) -> str:
    return " ".join((locator.text_content() or "").split())


@contextmanager
def _silence() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        yield sock.getsockname()[1]


@contextmanager
def _stranger() -> Iterator[int]:
    """A server that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"welcome")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(5)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as one:
        yield one


@pytest.fixture
def stage(browser: Browser) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack)
        for context in browser.contexts:
            context.close()


def _abort(route: Route) -> None:
    route.abort("connectionrefused")


def test_every_failure_is_named(stage: Stage, browser: Browser) -> None:
    stage.write("eda.ipynb", FAILURES)
    stage.write("https.ipynb", [MIXED])
    eda = NotebookPage(browser, stage.jupyter, "eda.ipynb")
    # The page gets to D-Tale by the ingress alone, so that the verdict is about that.
    eda.page.route(re.compile(r"/proxy/\d+/"), _abort)
    eda.page.route(re.compile(rf"^\w+://127.0.0.1:{stage.ports[0]}/"), _abort)
    eda.run(0)
    eda.run(1)
    eda.panel(1).wait_for()
    rows = []
    for cell, failure in enumerate(FAILURES, 2):
        eda.run(cell)
        rows.append(stage.row(eda, cell, failure))
    rows.append(_mixed_content(stage, browser))

    document = "\n".join([HEAD.strip(), *rows, ""])
    if os.environ.get("DTALE_MAGICS_WRITE"):
        DOCUMENT.write_text(document)
    assert document == DOCUMENT.read_text()


def _mixed_content(stage: Stage, browser: Browser) -> str:
    """Show a page that comes by https, where the ingress has no TLS."""
    page = NotebookPage(
        browser, stage.jupyter, "https.ipynb", url=stage.https, ignore_https_errors=True
    )
    page.page.route(re.compile(r"/proxy/\d+/"), _abort)
    page.page.route(re.compile(rf"^\w+://127.0.0.1:({'|'.join(map(str, stage.ports))})/"), _abort)
    for cell in range(3):
        page.run(cell)
    return stage.row(page, 2, MIXED)
