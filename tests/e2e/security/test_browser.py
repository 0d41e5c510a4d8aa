"""D-Tale's own pages in a browser, through the link: nothing of them breaks at the guard."""

from __future__ import annotations

import contextlib
import csv
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import SECONDS, Traffic, open_browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import BrowserContext, FilePayload, Page

    from tests.support.kernels import Kernel, StartKernel

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Playwright's loop closes its own
]

FRAME = """
%load_ext dtale_magics
import pandas as pd
df = pd.DataFrame({"moon": ["Io", "Europa", "Ganymede"] * 20,
                   "mass": range(60), "period": [n % 7 / 2 for n in range(60)]})
"""
UPLOAD = b"planet,moons\nMars,2\nSaturn,146\n"


class Tab:
    """Pages of one browser context, with everything that goes wrong in them."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.base = base
        self.problems: list[str] = []
        self._context = context
        context.set_default_timeout(SECONDS * 1000)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.problems.append(str(error.error)))
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)
        self.page: Page = context.new_page()
        self.traffic = Traffic(self.page)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.base}dtale/{path}")
        return self.page

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} {response.request.method} {response.url}")

    def _failed(self, request: Any) -> None:
        # Leaving a page and saving a file end requests as well.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"{request.failure} {request.method} {request.url}")


@pytest.fixture
def kernel(start_kernel: StartKernel) -> Kernel:
    kernel = start_kernel()
    kernel.run(FRAME)
    kernel.run("%dtale df --allow-cell-edits True")
    return kernel


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    with open_browser() as browser:
        yield browser.new_context(viewport={"width": 1300, "height": 1000})


def test_every_part_of_dtale_works_through_the_link(
    context: BrowserContext, kernel: Kernel
) -> None:
    tab = Tab(context, kernel.status()["url"])
    parts: list[Callable[[Tab, Kernel], None]] = [
        _grid,
        _export,
        _column_analysis,
        _popups,
        _charts,
        _upload,
        _way_out,
    ]
    for part in parts:
        part(tab, kernel)
        assert tab.problems == [], part.__name__


def _grid(tab: Tab, kernel: Kernel) -> None:
    page = tab.open("main/1")
    expect(page.get_by_text("Ganymede").first).to_be_visible()
    # What is typed into a cell arrives in the kernel.
    page.get_by_text("Europa", exact=True).first.dblclick()
    editor = page.get_by_test_id("grid-cell-editor")
    editor.fill("Callisto")
    with page.expect_response(lambda answer: "/edit-cell/" in answer.url):
        editor.press("Enter")
    assert kernel.value("__import__('dtale').get_instance('1').data.moon[1]") == "Callisto"
    expect(page.get_by_text("Callisto", exact=True).first).to_be_visible()


def _export(tab: Tab, kernel: Kernel) -> None:
    del kernel
    page = tab.page
    page.get_by_test_id("main-menu-holder").click()
    page.get_by_test_id("menu-item").get_by_text("Export", exact=True).click()
    with page.expect_download() as started:
        page.get_by_role("button", name="CSV", exact=True).click()
    with Path(started.value.path()).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert rows[1]["moon"] == "Callisto"


def _column_analysis(tab: Tab, kernel: Kernel) -> None:
    del kernel
    page = tab.open("main/1")
    page.get_by_text("mass", exact=True).first.click()
    page.get_by_role("button", name="Describe(Column Analysis)").click()
    expect(page.get_by_text("mean:")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_text("Open In New Tab").click()
    expect(opened.value.get_by_text("Ganymede (20)")).to_be_visible()
    opened.value.close()


def _popups(tab: Tab, kernel: Kernel) -> None:
    del kernel
    for path, words in [
        ("popup/describe/1", "moon"),
        ("popup/correlations/1", "Pearson Correlation Matrix"),
        ("popup/column-analysis/1?selectedCol=mass", "Histogram"),
        ("popup/code-export/1", "import pandas as pd"),
        ("popup/filter/1", "Custom Filter"),
    ]:
        page = tab.open(path)
        expect(page.locator("body")).to_contain_text(words)
        tab.traffic.wait_until_idle()


def _charts(tab: Tab, kernel: Kernel) -> None:
    del kernel
    query = f"chart_type=line&x=mass&y={json.dumps(['period'])}"
    page = tab.open(f"charts/1?{query}")
    expect(page.locator(".js-plotly-plot .xtick").first).to_be_visible()
    tab.traffic.wait_until_idle()


def _upload(tab: Tab, kernel: Kernel) -> None:
    page = tab.open("popup/upload/1")
    file: FilePayload = {"name": "planets.csv", "mimeType": "text/csv", "buffer": UPLOAD}
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_role("button", name="Load", exact=True).click()
    page.wait_for_url("**/2")
    expect(tab.open("main/2").get_by_text("Saturn").first).to_be_visible()
    (uploaded,) = [one for one in kernel.status()["frames"] if one["data_id"] == "2"]
    assert (uploaded["rows"], uploaded["columns"]) == (2, 2)


def test_a_page_of_another_origin_shows_the_grid_only_if_it_has_the_panel(
    context: BrowserContext, kernel: Kernel
) -> None:
    base = kernel.status()["url"]
    frame = f"<!doctype html><iframe src='{base}dtale/iframe/1' width=900 height=600></iframe>"
    # Like a JupyterLab under a name of its own: not this machine's, not configured.
    with _site("127.0.0.2", frame, []) as page_url:
        page = context.new_page()
        page.goto(page_url)
        page.wait_for_function("window.frames.length === 1")
        page.frames[1].wait_for_url("chrome-error://chromewebdata/")

        # What the panel does first of all; a page has to know the link for that.
        ask = "url => fetch(url, {headers: {'X-Dtale-Magics': '1'}}).then(answer => answer.status)"
        assert page.evaluate(ask, f"{base}_magics/state") == 200
        page.reload()
        expect(page.frame_locator("iframe").locator("body")).to_contain_text("Ganymede")


@contextlib.contextmanager
def _site(host: str, body: str, told: list[str]) -> Iterator[str]:
    """Serve `body` on `host`, and note the headers that were told; gives the site's URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.append(str(self.headers))
            self.send_response(200 if body else 204)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _way_out(tab: Tab, kernel: Kernel) -> None:
    """Who is linked from a page of D-Tale learns nothing of the address it has."""
    slug = kernel.status()["url"].split("/")[3]
    told: list[str] = []
    with _site("127.0.0.1", "", told) as elsewhere:
        page = tab.open("main/1")
        assert slug not in page.title()
        add = "url => document.body.append(Object.assign(document.createElement('a'), {href: url}))"
        page.evaluate(add, elsewhere)
        with page.expect_response(lambda answer: answer.url.startswith(elsewhere)):
            page.evaluate("document.querySelector('body > a:last-of-type').click()")
    assert len(told) == 1
    assert slug not in told[0]
    assert "referer" not in told[0].lower()
