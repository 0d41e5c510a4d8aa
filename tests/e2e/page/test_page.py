"""The pod's page in a real browser, behind a real Traefik, with three notebooks."""

from __future__ import annotations

import os
import re
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.support import plain_http, processes, proxies
from tests.support.browser import open_browser
from tests.support.pages import Notebooks, PodPage
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Request

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Playwright's loop
]

HOST = "dtale.example.org"


class Stage(NamedTuple):
    """Three notebooks, and a browser that gets to them by Traefik."""

    notebooks: Notebooks
    browser: Browser
    routes: dict[str, str]
    """Addresses of the page, by the route."""

    @property
    def url(self) -> str:
        return self.routes["path kept"]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        claims = stack.enter_context(PortClaims())
        ports, web = claims.take(), claims.take(1)[0]
        routers = {
            "host": {"rule": f"Host(`{HOST}`)", "service": "dtale"},
            "kept": {"rule": "PathPrefix(`/kept`)", "service": "dtale"},
            "stripped": {
                "rule": f"PathPrefix(`/stripped/{ports[0]}`)",
                "service": "dtale",
                "middlewares": ["strip"],
            },
        }
        strip = {"strip": {"stripPrefix": {"prefixes": [f"/stripped/{ports[0]}"]}}}
        services = {"dtale": f"http://127.0.0.1:{ports[0]}"}
        stack.enter_context(proxies.traefik({"web": web}, routers, services, strip))
        environ = {
            "DTALE_INGRESS_URL": f"http://{HOST}:{web}/kept",
            "DTALE_PROXY_URL": "/stripped/{port}",
        }
        notebooks = stack.enter_context(Notebooks(ports, ["train", "eda", "fit"], environ))
        browser = stack.enter_context(open_browser(f"--host-resolver-rules=MAP {HOST} 127.0.0.1"))
        bases = {
            "host": f"http://{HOST}:{web}",
            "path kept": f"http://127.0.0.1:{web}/kept",
            "path stripped": f"http://127.0.0.1:{web}/stripped/{ports[0]}",
        }
        capability = notebooks.capability()
        yield Stage(
            notebooks, browser, {name: f"{base}/{capability}/" for name, base in bases.items()}
        )


@pytest.mark.parametrize("route", ["host", "path kept", "path stripped"])
def test_the_page_follows_who_takes_over(stage: Stage, route: str) -> None:
    one, other, _ = stage.notebooks.names
    stage.notebooks.take(one)
    with PodPage(stage.browser, stage.routes[route]) as reader:
        reader.shows(f"of {one}")
        expect(reader.tools).to_have_text(f"Following {one}.ipynb")
        expect(reader.notebook(one)).to_contain_text("in front")
        for name in stage.notebooks.names:
            expect(reader.frame(name)).to_contain_text("3 × 2")
        stage.notebooks.take(other)
        reader.shows(f"of {other}")
        expect(reader.tools).to_have_text(f"Following {other}.ipynb")
        assert reader.page.url == stage.routes[route]
        assert reader.problems == []


def test_two_readers_see_what_each_has_chosen(stage: Stage) -> None:
    one, other, third = stage.notebooks.names
    stage.notebooks.take(one)
    with (
        PodPage(stage.browser, stage.url) as reader,
        PodPage(stage.browser, stage.routes["host"]) as follower,
    ):
        reader.shows(f"of {one}")
        follower.shows(f"of {one}")
        reader.frame(third).click()
        reader.shows(f"of {third}")
        expect(reader.tools).to_have_text(f"Follow {one}.ipynb")
        stage.notebooks.take(other)
        follower.shows(f"of {other}")
        expect(reader.tools).to_have_text(f"Follow {other}.ipynb")
        reader.shows(f"of {third}")
        expect(reader.frame(third)).to_have_attribute("aria-current", "true")

        reader.frame(one).click()
        reader.shows(f"of {one}")
        reader.page.go_back()
        reader.shows(f"of {third}")
        reader.page.go_back()  # to where it followed
        reader.shows(f"of {other}")
        expect(reader.tools).to_have_text(f"Following {other}.ipynb")
        reader.page.go_forward()
        reader.shows(f"of {third}")

        shared = reader.page.url
        with PodPage(stage.browser, shared) as guest:
            guest.shows(f"of {third}")
            expect(guest.frame(third)).to_have_attribute("aria-current", "true")
        reader.tools.click()
        reader.shows(f"of {other}")
        assert reader.problems == follower.problems == []


def test_a_frame_that_is_shown_anew_is_there_within_moments(stage: Stage) -> None:
    one, _, _ = stage.notebooks.names
    kernel = stage.notebooks.kernels[one]
    stage.notebooks.take(one)
    with PodPage(stage.browser, stage.url) as reader:
        reader.shows(f"of {one}")
        kernel.run("%dtale pd.DataFrame({'b': ['something else']}) --name later")
        reader.shows("something else")
        kernel.run("%dtale --drop later")
        reader.shows(f"of {one}")
        expect(reader.frame(one, "later")).to_have_count(0)


def test_a_notebook_that_is_suspended_killed_or_restarted_is_said_to_be(stage: Stage) -> None:
    one, other, third = stage.notebooks.names
    kernel = stage.notebooks.kernels[third]
    stage.notebooks.take(one)
    stage.notebooks.take(third)
    with PodPage(stage.browser, stage.url) as reader:
        reader.shows(f"of {third}")
        reader.frame(other).click()
        reader.shows(f"of {other}")
        reader.tools.click()
        reader.shows(f"of {third}")
        processes.stop(kernel.pid)
        try:
            expect(reader.notebook(third)).to_contain_text("does not respond")
            expect(reader.frame(third)).to_be_visible()  # what it has shown is still named
            expect(reader.page.locator("#note")).to_contain_text(f"{third}.ipynb does not respond")
        finally:
            os.kill(kernel.pid, signal.SIGCONT)
        expect(reader.notebook(third)).not_to_contain_text("does not respond")
        expect(reader.page.locator("#note")).to_be_hidden()

        reader.frame(third).click()
        kernel.kill()
        expect(reader.notebook(third)).to_contain_text("has ended")
        expect(reader.page.locator("#note")).to_contain_text(f"kernel of {third}.ipynb has ended")
        expect(reader.tools).to_have_text(f"Follow {one}.ipynb")  # who was in front before it
        reader.page.reload()
        expect(reader.notebook(third)).to_contain_text("has ended")
        stage.notebooks.restart(third)
        stage.notebooks.show(third)
        reader.shows(f"of {third}")  # the same address means the new kernel's frame
        expect(reader.notebook(third)).not_to_contain_text("has ended")
        expect(reader.page.locator("#note")).to_be_hidden()
        assert reader.problems == []


def test_nothing_is_asked_while_nobody_looks(stage: Stage) -> None:
    with PodPage(stage.browser, stage.url) as reader:
        page = reader.page
        asked: list[str] = []
        expect(reader.frame(stage.notebooks.names[0])).to_be_visible()

        def note(request: Request) -> None:
            if "state" in request.url:
                asked.append(request.url)

        page.on("request", note)
        page.wait_for_timeout(2500)
        assert asked, "the test can tell"
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {get: () => window.away});"
            "window.away = true; document.dispatchEvent(new Event('visibilitychange'))"
        )
        page.wait_for_timeout(1000)  # what was under way
        asked.clear()
        page.wait_for_timeout(3000)
        assert asked == []
        page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_timeout(1500)
        assert asked


def test_by_keyboard_on_a_phone_and_in_the_dark(stage: Stage) -> None:
    one, other, _ = stage.notebooks.names
    phone = {"width": 400, "height": 800}
    with PodPage(stage.browser, stage.url, viewport=phone, color_scheme="dark") as reader:
        page = reader.page
        frame = page.locator("iframe")
        expect(frame).to_have_attribute("src", re.compile("page-theme=dark$"))
        expect(reader.frame(one)).to_be_hidden()
        page.keyboard.press("Tab")
        expect(page.locator("#menu")).to_be_focused()
        page.keyboard.press("Enter")
        expect(reader.frame(one)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= phone["width"]
        reader.frame(other).focus()  # the line is redrawn meanwhile, and the focus stays
        page.wait_for_timeout(1500)
        expect(reader.frame(other)).to_be_focused()
        page.keyboard.press("Enter")
        reader.shows(f"of {other}")
        expect(reader.frame(other)).to_be_hidden()
        expect(page.locator("#menu")).to_have_text(f"df · {other}.ipynb")
        page.locator("#menu").click()
        page.locator(".frame").first.focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator(".frame").nth(1)).to_be_focused()
        page.keyboard.press("Escape")
        expect(reader.frame(one)).to_be_hidden()
        box = frame.bounding_box()
        assert box
        assert (box["x"], box["width"]) == (0, phone["width"])
        assert box["y"] + box["height"] == phone["height"], "the grid fills the window"
        assert reader.problems == []


def test_a_reader_who_only_looks_sorts_filters_and_scrolls(stage: Stage) -> None:
    kernel = stage.notebooks.kernels[stage.notebooks.names[1]]
    kernel.run(
        "long = pd.DataFrame({'n': range(5000), 'text': [f'<b>row {n}' for n in range(5000)]})\n"
        "%dtale long"
    )
    try:
        (path,) = set(re.findall("look-[0-9a-f]{32}", kernel.run("%dtale --share long").text))
        base = stage.url.rsplit("/", 2)[0]
        with PodPage(stage.browser, f"{base}/{path}/") as reader:
            page, cells = reader.page, reader.page.locator("tbody tr:not(.room) td")
            expect(page.locator("#about")).to_contain_text("5,000 rows · look only, until")
            expect(cells.nth(1)).to_have_text("<b>row 0")
            page.locator("#rows").evaluate("pane => { pane.scrollTop = pane.scrollHeight }")
            expect(page.get_by_text("<b>row 4999", exact=True)).to_be_visible()
            page.get_by_role("button", name="n", exact=True).click()
            page.get_by_role("button", name="n ↑").click()
            expect(cells.first).to_have_text("4999")
            page.get_by_label("Filter text").fill("ROW 10")
            expect(page.locator("#about")).to_contain_text("111 rows")
            expect(cells.first).to_have_text("1099")
            page.get_by_label("Filter n").fill("wrong")
            expect(page.locator("#note")).to_contain_text("'wrong' is no number")
            page.get_by_label("Filter n").fill("100..1005")
            expect(cells.first).to_have_text("1005")
            page.reload()
            expect(cells.first).to_have_text("1005")
            kernel.run("%dtale --links --revoke all")
            page.get_by_label("Filter n").fill("")
            expect(page.locator("#note")).to_contain_text("has expired or was revoked")
            expect(page.locator("#rows")).to_be_hidden()
            assert reader.problems == []
    finally:
        kernel.run("%dtale --drop long")


def test_a_link_that_was_replaced_says_so_in_the_open_page(stage: Stage) -> None:
    one, other, _ = stage.notebooks.names
    old = urlsplit(stage.url).path.split("/")[2]
    with PodPage(stage.browser, stage.url) as reader:
        expect(reader.frame(one)).to_be_visible()
        kernel = stage.notebooks.kernels[other]
        new = kernel.value("session.current().pages.capability.replaced()")
        try:
            for _ in range(12):  # whoever accepts
                base = f"http://127.0.0.1:{stage.notebooks.port}"
                assert plain_http.request(f"{base}/{old}/").status == 404
                assert plain_http.request(f"{base}/{old}/_pod/state").status == 404
                assert plain_http.request(f"{base}/{new}/").status == 200
            expect(reader.page.locator("#note")).to_contain_text("%dtale --page")
        finally:  # the other tests have the old one
            kernel.run(
                "from dtale_magics.serving import user_cache\n"
                "user_cache.replace(user_cache.directory() / 'page-link', "
                f"{old.encode()!r})"
            )
        expect(reader.page.locator("#note")).to_be_hidden()
