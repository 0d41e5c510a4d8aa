"""The Hub's own sign-in before the ingress: real Hub, real Traefik and nginx, real browser."""

from __future__ import annotations

import dataclasses
import itertools
import re
import socket
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from dtale_magics.kubernetes import Options, Server, render
from dtale_magics.kubernetes.server import url_template
from dtale_magics.kubernetes.sign_in_service import Asked, Sessions
from tests.support import ROOT, proxies
from tests.support.api_stub import ApiStub
from tests.support.browser import open_browser, pause_of
from tests.support.cluster import ECHO_IPS, pod_object
from tests.support.hub_page import HubPage, HubServer
from tests.support.hub_process import Hub
from tests.support.jupyter import write_notebook
from tests.support.ports import PortClaims
from tests.support.traefik_process import OPENER, Answer, Traefik, run_traefik
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [
    pytest.mark.timeout(240),
    # Playwright's loop and the Hub's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

DOMAIN = "dtale.example.test"
HUB = "hub.example.test"
SERVER = "gpu"
"""A server that is started in the Hub; the others are pods that only echo."""
MILLISECONDS = 60_000

CONFIGURATION = """
c.Authenticator.allowed_users = {{"ada", "eve"}}
c.JupyterHub.hub_connect_url = "http://127.0.0.1:{hub}"
from dtale_magics.kubernetes import expose

expose(
    host="{{user}}.{domain}", route="ingressroute", public_port={web},
    sign_in="http://{name}:{public}", forward_auth="http://127.0.0.1:{service}/verify",
).configure(c)
c.JupyterHub.services[-1]["url"] = "http://127.0.0.1:{service}"
c.JupyterHub.services[-1]["environment"]["DTALE_SIGN_IN_SECONDS"] = "1"
c.Spawner.environment["DTALE_INGRESS_URL"] = "{ingress}"
"""


@dataclass
class Stage:
    """A Hub with its sign-in, a Traefik in front of two users' pods, and a browser."""

    hub: Hub
    traefik: Traefik
    browser: Browser
    public: int
    service: int
    nginx: int
    kernel: str
    """Where the D-Tale of user ada's server `SERVER` is seen."""

    def url(self, user: str, path: str = "/") -> str:
        return f"http://{user}.{DOMAIN}:{self.traefik.port}{path}"

    def signed_in(self, user: str) -> BrowserContext:
        """A browser of its own in which a user has signed in at the Hub."""
        context = self.browser.new_context()
        page = context.new_page()
        page.goto(f"http://{HUB}:{self.public}/hub/login?next=/hub/token")
        page.locator("#username_input").fill(user)
        page.locator("#login_submit").click()
        page.wait_for_url("**/hub/token")
        return context

    def cookie(self, context: BrowserContext, user: str) -> str:
        name = "dtale-sign-in"
        found = [one for one in context.cookies(self.url(user)) if one["name"] == name]
        (cookie,) = found
        assert cookie["domain"] == f"{user}.{DOMAIN}"  # that host's alone
        assert cookie["httpOnly"]
        return f"{name}={cookie['value']}"

    def asks_to_sign_in(self, user: str) -> bool:
        return self.get(user).status == 401

    def get(self, user: str, path: str = "/x", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.traefik.get(f"{user}.{DOMAIN}", path, headers=named)


@pytest.fixture(scope="module")
def stage(dtale_pod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    assert dtale_pod
    with ExitStack() as stack:
        claims = stack.enter_context(PortClaims())
        public, hub_port, api_port, service, nginx = claims.take(5)
        api = stack.enter_context(ApiStub())
        traefik = stack.enter_context(run_traefik(api, tmp_path_factory.mktemp("traefik")))
        assert (hub_port, api_port) == (public + 1, public + 2)
        kernels = claims.take()
        options = Options.of(
            host=f"{{user}}.{DOMAIN}", route="ingressroute", public_port=traefik.port,
            sign_in=f"http://{HUB}:{public}", forward_auth=f"http://127.0.0.1:{service}/verify",
        )  # fmt: skip
        server = Server("ada", SERVER, "jhub")
        ingress = url_template(options, server)
        more = CONFIGURATION.format(
            hub=hub_port, domain=DOMAIN, web=traefik.port, name=HUB, public=public, service=service,
            ingress=ingress,
        )  # fmt: skip
        hub = stack.enter_context(Hub(range(public, public + 3), kernels, more))
        of_kernel = dataclasses.replace(options, ports=(kernels[0],))
        api.put(pod_object("ada", "127.0.0.1", SERVER), *render(of_kernel, server))
        for user, ip in zip(("ada", "eve"), ECHO_IPS, strict=True):
            api.put(pod_object(user, ip), *render(options, Server(user, namespace="jhub")))
        stack.enter_context(proxies.nginx(nginx, nginx_locations(service)))
        browser = stack.enter_context(open_browser("--host-resolver-rules=MAP *.test 127.0.0.1"))
        one = Stage(hub, traefik, browser, public, service, nginx, ingress)
        for user in ("ada", "eve"):
            traefik.until(partial(one.asks_to_sign_in, user), "the sign-in stands")
        yield one
        for context in browser.contexts:
            context.close()


def nginx_locations(service: int) -> str:
    """Take the documented lines, with this test's addresses."""
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    lines = text[text.index("    location = /_verify {") :].splitlines()
    block = "\n".join(itertools.takewhile(lambda line: line.startswith("    "), lines))
    found = re.sub(r"http://hub\.jhub\.svc:\d+", f"http://127.0.0.1:{service}", block)
    return found.replace("http://jupyter-ada:40000", f"http://{ECHO_IPS[0]}:40000")


def _told(page: Page) -> Any:
    """What the pod heard, which is what the page shows."""
    page.wait_for_function("document.contentType === 'application/json'", timeout=MILLISECONDS)
    return page.evaluate("JSON.parse(document.body.innerText)")


def test_an_owner_signs_in_at_the_hub_and_comes_back(stage: Stage) -> None:
    page = stage.browser.new_context().new_page()
    page.goto(stage.url("ada", "/slug/dtale/main/1?a=b&c=d"))
    page.locator("#username_input").fill("ada")
    page.locator("#login_submit").click()
    page.wait_for_url(stage.url("ada", "/slug/dtale/main/1?a=b&c=d"))
    assert _told(page)["address"] == ECHO_IPS[0]
    # From then on it is not asked any more, for data neither.
    told = page.evaluate("fetch('/slug/dtale/data/1').then(r => r.json())")
    assert (told["address"], told["path"]) == (ECHO_IPS[0], "/slug/dtale/data/1")


def test_nobody_else_is_let_in(stage: Stage) -> None:
    eve = stage.signed_in("eve")
    page = eve.new_page()
    answer = page.goto(stage.url("ada", "/x"))
    assert answer is not None
    assert answer.status == 403
    assert "You are eve on this Hub, and ada.dtale.example.test is not yours." in page.content()
    assert page.url.startswith(f"http://{HUB}:")
    page.goto(stage.url("eve", "/x"))
    assert _told(page)["address"] == ECHO_IPS[1]

    # Her session is one of her host's. Her pod has seen it, and can do nothing with it elsewhere.
    session = stage.cookie(eve, "eve")
    assert stage.get("eve", Cookie=session).status == 200
    assert stage.get("ada", Cookie=session).status == 401
    forged = {"X_Forwarded_Host": f"eve.{DOMAIN}", "X_Original_URL": f"http://eve.{DOMAIN}/"}
    assert stage.get("ada", Cookie=session, **forged).status == 401
    assert stage.get("ada", Cookie="dtale-sign-in=").status == 401


def test_without_a_session_data_is_refused_and_pages_lead_to_the_hub(stage: Stage) -> None:
    assert stage.get("ada", Sec_Fetch_Mode="cors").status == 401
    page = stage.get("ada", "/x?a=b", Sec_Fetch_Mode="navigate")
    assert page.status == 302
    assert page.headers["Location"] == (
        f"http://{HUB}:{stage.public}/services/dtale-sign-in/start?rd="
        f"http%3A%2F%2Fada.{DOMAIN}%3A{stage.traefik.port}%2Fx%3Fa%3Db"
    )
    # Who is there may be asked by a page of the same site, and nothing else.
    who = f"/_magics/who/{'0' * 16}"
    assert stage.get("ada", who, Sec_Fetch_Site="same-site").status == 200
    assert stage.get("ada", who, Sec_Fetch_Site="cross-site").status == 401
    assert stage.get("ada", who, Origin=f"http://{HUB}:{stage.public}").status == 200
    assert stage.get("ada", who, Origin="http://evil.example.org").status == 401
    assert stage.get("ada", who).status == 401
    for path in (
        f"/slug{who}",
        f"{who}/../x",
        f"{who}?a",
        f"{who}%2f",
        f"{who};x",
        "/_magics/who/",
    ):
        assert stage.get("ada", path, Sec_Fetch_Site="same-site").status == 401, path
    preflight = {"Origin": f"http://{HUB}", "Access_Control_Request_Method": "POST"}
    assert stage.get("ada", **preflight).status == 401  # a GET that only looks like one
    # What the controller asks is at no address of the Hub's.
    asked = f"http://127.0.0.1:{stage.public}/services/dtale-sign-in"
    for path in ("/verify", "/../../verify", "/verify/nginx"):
        assert _status(f"{asked}{path}") in {302, 404}, path  # the Hub's own


def _status(url: str) -> int:
    try:
        with OPENER.open(url, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.fixture(scope="module")
def signed_in(stage: Stage) -> Page:
    """A page of user ada, who has signed in at the Hub."""
    return stage.signed_in("ada").new_page()


@pytest.mark.parametrize(
    "elsewhere",
    ["http://evil.example.org/", "http://eve.dtale.example.test.evil.org/", "//evil.org",
     "http://evil.org@ada.dtale.example.test/", "javascript:alert(1)", ""],
)  # fmt: skip
def test_the_sign_in_sends_nobody_elsewhere(stage: Stage, signed_in: Page, elsewhere: str) -> None:
    page = signed_in
    start = f"http://{HUB}:{stage.public}/services/dtale-sign-in/start"
    answer = page.goto(f"{start}?rd={elsewhere}")
    assert answer is not None
    assert answer.status == 403
    assert page.url.startswith(start)


def test_it_ends_when_its_owner_logs_out_of_the_hub(stage: Stage) -> None:
    ada = stage.signed_in("ada")
    page = ada.new_page()
    page.goto(stage.url("ada", "/x"))
    session = stage.cookie(ada, "ada")
    assert stage.get("ada", Cookie=session).status == 200
    page.goto(f"http://{HUB}:{stage.public}/hub/logout")
    wait_until(lambda: stage.get("ada", Cookie=session).status == 401)


def test_in_a_frame_of_the_hubs_page_nothing_is_to_be_clicked(stage: Stage) -> None:
    page = stage.signed_in("ada").new_page()
    page.goto(f"http://{HUB}:{stage.public}/hub/token")
    page.evaluate(
        "url => { const f = document.createElement('iframe'); f.src = url; f.name = 'grid';"
        " document.body.append(f); }",
        stage.url("ada", "/slug/dtale/iframe/1"),
    )
    frame = wait_until(
        lambda: page.frame(url=stage.url("ada", "/slug/dtale/iframe/1")), pause=pause_of(page)
    )
    frame.wait_for_function("document.body.innerText.includes('/slug/dtale/iframe/1')")


def test_in_the_panel_the_grid_comes_without_a_click(stage: Stage) -> None:
    """Whoever is at the notebook has signed in at the Hub."""
    cells = ["%load_ext dtale_magics", "%dtale {'a': ['of the pod']}"]
    write_notebook(stage.hub.home / "train.ipynb", cells)
    server = HubServer(stage.hub, SERVER, f"http://{HUB}:{stage.public}")
    page = HubPage(stage.browser, server, "train.ipynb", range(1, 2))
    page.run(0)
    page.start(1)
    expect(page.panel(1)).to_be_visible(timeout=MILLISECONDS)
    grid = page.grid_from(1, re.compile(rf"^{re.escape(stage.kernel)}/[\w-]+/dtale/iframe/1(\?|$)"))
    expect(grid.get_by_text("of the pod", exact=True)).to_be_visible(timeout=MILLISECONDS)


def test_nginx_asks_as_well(stage: Stage) -> None:
    """The documented lines, in front of one user's pod."""
    host = f"ada.{DOMAIN}"

    def ask(path: str = "/slug/x", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return stage.traefik.get(host, path, stage.nginx, named)

    assert ask().status == 401
    sent = ask(Sec_Fetch_Mode="navigate")
    assert sent.status == 302
    ticket = _ticket(stage, stage.signed_in("ada"), sent.headers["Location"])
    let_in = ask(f"/slug/x?{ticket}", Sec_Fetch_Mode="navigate")
    assert (let_in.status, let_in.json["address"]) == (200, ECHO_IPS[0])
    session = let_in.headers["Set-Cookie"].partition(";")[0]
    assert ask("/slug/data", Cookie=session).json["path"] == "/slug/data"
    assert ask(f"/slug/x?{ticket}").status == 401

    eve = stage.signed_in("eve")
    eve.new_page().goto(stage.url("eve", "/x"))
    session = stage.cookie(eve, "eve")
    assert ask(Cookie=session).status == 401
    assert ask(Cookie=session, X_Original_URL=f"http://eve.{DOMAIN}/").status == 401
    assert _absolute(stage.nginx, host, f"eve.{DOMAIN}", session) == 401


def _ticket(stage: Stage, context: BrowserContext, url: str) -> str:
    """Follow redirects on the Hub's host with a browser's cookies; the ticket at their end."""
    known = context.cookies(f"http://{HUB}:{stage.public}/hub/")
    cookies = {one["name"]: one["value"] for one in known}
    for _ in range(10):
        parts = urlsplit(url)
        if parts.hostname not in {None, HUB}:
            return parts.query
        request = urllib.request.Request(
            f"http://127.0.0.1:{stage.public}{parts.path}?{parts.query}"
        )
        request.add_header("Host", f"{HUB}:{stage.public}")
        request.add_header("Cookie", "; ".join(f"{name}={text}" for name, text in cookies.items()))
        with pytest.raises(urllib.error.HTTPError) as caught:
            OPENER.open(request, timeout=30)
        with caught.value as answer:
            url = answer.headers["Location"]
            for line in answer.headers.get_all("Set-Cookie") or ():
                cookies |= {name: one.value for name, one in SimpleCookie(line).items()}
    raise AssertionError(url)


def _absolute(port: int, real: str, said: str, cookie: str) -> int:
    """Ask with one host in the request line, which counts, and another one in Host."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        line = f"GET http://{real}/x HTTP/1.1\r\nHost: {said}\r\nCookie: {cookie}\r\n"
        sock.sendall(f"{line}Connection: close\r\n\r\n".encode())
        return int(sock.makefile("rb").readline().split()[1])


def test_a_ticket_is_good_once_and_at_its_host() -> None:
    sessions = Sessions()
    ticket = sessions.issue("ada.x.org", "token", "")
    assert sessions.redeem(ticket, "eve.x.org") is None
    assert sessions.redeem(ticket, "ada.x.org") is None  # whoever tried it has used it up
    ticket = sessions.issue("ada.x.org", "token", "")
    key = sessions.redeem(ticket, "ada.x.org")
    assert key is not None
    assert sessions.find(key, "ada.x.org") is not None
    assert sessions.find(key, "eve.x.org") is None
    assert sessions.redeem(ticket, "ada.x.org") is None
    assert "token" not in repr(sessions.find(key, "ada.x.org"))


@pytest.mark.parametrize(
    ("host", "read"),
    [("Ada.X.org", "ada.x.org"), ("ada.x.org:8443", "ada.x.org"), ("ada.x.org.", "ada.x.org")],
)
def test_a_host_is_one_however_it_is_spelt(host: str, read: str) -> None:
    assert Asked.by_traefik({"X-Forwarded-Host": host}).host == read
