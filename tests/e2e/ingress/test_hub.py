"""D-Tale on a real JupyterHub, in a browser that reaches nothing but the Hub."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.support import plain_http
from tests.support.browser import SECONDS, open_browser
from tests.support.hub_page import MILLISECONDS, HubPage, HubServer
from tests.support.hub_process import Hub
from tests.support.jupyter import write_notebook
from tests.support.ports import PortClaims
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

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


def test_several_notebooks_share_the_port_and_nobody_is_offered_an_ingress(stage: Stage) -> None:
    """There is none: the Hub's proxy leads to each of them, whoever is in front."""
    pages = {server: stage.page(server) for server in ("", NAMED)}
    frames = {}
    for server, page in pages.items():
        value = page.grid(1).get_by_text(f"of {server or 'default'}", exact=True)
        expect(value).to_be_visible(timeout=MILLISECONDS)
        frame = page.output(1).locator("iframe.dtale-grid").get_attribute("src")
        frames[server] = urlsplit(str(frame)).path
        other = next(f"{one or 'default'}.ipynb" for one in pages if one != server)
        panel = page.panel(1)
        expect(panel).to_contain_text(f"shared with {other}")
        expect(panel.locator(".dp-primary")).to_be_hidden()
        expect(panel.locator(".dp-ingress")).to_be_hidden()
        expect(panel).not_to_contain_text(re.compile("outside", re.IGNORECASE))
        expect(panel).not_to_contain_text("Take over")
    ports = {re.search(r"/proxy/(\d+)/", path)[1] for path in frames.values()}  # type: ignore[index]
    assert len(ports) == 1, frames


def test_use_of_the_port_itself_is_activity_for_the_hub(stage: Stage) -> None:
    page = stage.page("")
    frame = page.output(1).locator("iframe.dtale-grid").get_attribute("src")
    assert frame
    path = urlsplit(frame).path.removeprefix(f"{stage.hub.prefix('')}/proxy/")
    port, _, rest = path.replace("/iframe/", "/main/").partition("/")
    page.traffic.wait_until_idle()
    before = datetime.now(timezone.utc)

    def hub_hears() -> bool:
        plain_http.grid(f"http://127.0.0.1:{port}/{rest}")
        return stage.hub.last_activity("") >= before

    wait_until(hub_hears, SECONDS, every=0.2)
