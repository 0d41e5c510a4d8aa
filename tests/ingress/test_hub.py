"""D-Tale on a real JupyterHub, in a browser that reaches nothing but the Hub."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import expect
from support import plain_http
from support.browser import SECONDS, NotebookPage, Traffic, open_browser
from support.hub_process import USER, Hub
from support.jupyter import write_notebook
from support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Request, Response, Route

pytestmark = [
    pytest.mark.timeout(240),
    # Playwright's loop and the Hub's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CELLS = [
    "%load_ext dtale_magics\nimport pandas as pd\ndf = pd.DataFrame({'a': ['of {server}', 'x']})",
    "%dtale df",
]
NAMED = "second"
MILLISECONDS = 2 * SECONDS * 1000


class HubServer:
    """One server of the user, as a `NotebookPage` needs it."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.url = f"{hub.url}{hub.prefix(name)}"

    def kernel(self, name: str) -> dict[str, Any] | None:
        return self.hub.kernel(self.name, name)


class HubPage(NotebookPage):
    """A notebook that is reached by logging in and launching the server.

    Parameters
    ----------
    browser
        Gets a context of its own.
    server
        Not running yet.
    notebook
        A file in the user's home.
    hidden
        Ports of the pod, which a browser does not reach.
    """

    def __init__(self, browser: Browser, server: HubServer, notebook: str, hidden: range) -> None:
        self.server = server
        self.hidden = hidden
        self.answers: dict[str, int] = {}
        """What D-Tale's URLs answered."""
        super().__init__(browser, server, notebook)

    def open(self) -> None:
        ports = "|".join(map(str, self.hidden))
        self.page.context.route(re.compile(rf"^\w+://[^/]+:({ports})/"), _abort)
        self.traffic = Traffic(self.page)
        self.page.on("response", self._note)
        self.page.on("requestfailed", self._note_failure)
        self.page.on("console", self._note_console)
        notebook = f"{urlsplit(self.server.url).path}/doc/tree/{self.name}"
        spawn = f"/hub/spawn/{USER}/{self.server.name}".rstrip("/")
        launch = f"{spawn}?{urlencode({'next': notebook})}"
        self.page.goto(f"{self.server.hub.url}/hub/login?{urlencode({'next': launch})}")
        self.page.locator("#username_input").fill(USER)
        self.page.locator("#login_submit").click()
        first = self.page.locator(".jp-Notebook .jp-Cell").first
        first.wait_for(timeout=MILLISECONDS)
        self.wait_for_kernel()

    def _is_of_dtale(self, url: str) -> bool:
        return urlsplit(url).path.startswith(f"{urlsplit(self.server.url).path}/proxy/")

    def _note(self, response: Response) -> None:
        if self._is_of_dtale(response.url):
            self.answers[response.url] = response.status

    def _note_failure(self, request: Request) -> None:
        # The panel gives up an address that is slow to answer, and asks again.
        if self._is_of_dtale(request.url) and request.failure != "net::ERR_ABORTED":
            self.problems.append(f"{request.url}: {request.failure}")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and self._is_of_dtale(message.location["url"]):
            self.problems.append(message.text)


def _abort(route: Route) -> None:
    route.abort("connectionrefused")


class Stage:
    """A Hub, a browser, and the notebooks that were opened in them."""

    def __init__(self, hub: Hub, browser: Browser, ports: range) -> None:
        self.hub = hub
        self._browser = browser
        self._ports = ports
        self._pages: dict[str, HubPage] = {}

    def page(self, server: str) -> HubPage:
        """A page of this server with a frame shown; the same for every test."""
        if server not in self._pages:
            name = f"{server or 'default'}.ipynb"
            cells = [cell.replace("{server}", server or "default") for cell in CELLS]
            write_notebook(self.hub.home / name, cells)
            page = HubPage(self._browser, HubServer(self.hub, server), name, self._ports)
            page.run(0)
            page.run(1)
            self._pages[server] = page
        return self._pages[server]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        claims = stack.enter_context(PortClaims())
        ports = claims.take()
        hub = stack.enter_context(Hub(claims.take(3), ports))
        hub.spawn(NAMED)  # which takes as long as the first test
        yield Stage(hub, stack.enter_context(open_browser()), ports)


@pytest.mark.parametrize("server", ["", NAMED])
def test_the_grid_is_there_with_all_that_it_loads(stage: Stage, server: str) -> None:
    page = stage.page(server)
    value = page.grid(1).get_by_text(f"of {server or 'default'}", exact=True)
    expect(value).to_be_visible(timeout=MILLISECONDS)
    page.traffic.wait_until_idle()
    assert {url: status for url, status in page.answers.items() if status >= 400} == {}
    kinds = {urlsplit(url).path.rpartition(".")[2] for url in page.answers}
    assert {"js", "css"} <= kinds, page.answers
    assert page.problems == []


def test_use_of_the_port_itself_is_activity_for_the_hub(stage: Stage) -> None:
    page = stage.page("")
    frame = page.output(1).locator("iframe.dtale-grid").get_attribute("src")
    assert frame
    path = urlsplit(frame).path.removeprefix(f"{stage.hub.prefix('')}/proxy/")
    port, _, rest = path.replace("/iframe/", "/main/").partition("/")
    page.traffic.wait_until_idle()
    before = datetime.now(timezone.utc)

    deadline = time.monotonic() + SECONDS
    while stage.hub.last_activity("") < before:
        assert time.monotonic() < deadline, "the Hub has not heard of it"
        plain_http.grid(f"http://127.0.0.1:{port}/{rest}")
        time.sleep(0.2)
