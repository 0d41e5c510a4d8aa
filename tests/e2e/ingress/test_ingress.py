"""Two notebooks behind real ingresses in front of one port, in a real JupyterLab and browser."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support import proxies
from tests.support.browser import NotebookPage, open_browser
from tests.support.jupyter import Jupyter
from tests.support.ports import PortClaims
from tests.support.tunnel import tunnel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Route

    from tests.support.pods import Pod

pytestmark = [
    pytest.mark.timeout(240),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NGINX = """
location /kept/ {{ proxy_pass http://127.0.0.1:{port}; }}
location /stripped/ {{
  proxy_pass http://127.0.0.1:{port}/;
  proxy_set_header X-Forwarded-Prefix /stripped;
}}
"""
ROUTES = {
    "Traefik, host": "http://dtale.example.org:{web}",
    "Traefik, path kept": "http://127.0.0.1:{web}/kept",
    "Traefik, path stripped": "http://127.0.0.1:{web}/stripped",
    "nginx, path kept": "http://127.0.0.1:{nginx}/kept",
    "nginx, path stripped": "http://127.0.0.1:{nginx}/stripped",
}
INGRESS = "dtale.example.org"
NOTEBOOKS = ("train.ipynb", "eda.ipynb")


class Stage:
    """The two notebooks in a browser that gets to D-Tale by ingress and Jupyter server alone."""

    def __init__(self, browser: Browser, jupyter: Jupyter, ports: range, urls: list[str]) -> None:
        self.urls = urls
        self.port = ports[0]
        self.pages = []
        for name in NOTEBOOKS:
            word = name.partition(".")[0]
            load = f"%load_ext dtale_magics\ndf = {{'a': ['of {word}']}}"
            shows = [f"%config DtaleMagics.ingress_url = '{url}'\n%dtale df" for url in urls]
            jupyter.write(name, [load, *shows])
            page = NotebookPage(browser, jupyter, name)
            page.page.route(re.compile(rf"^\w+://[^/]+:({'|'.join(map(str, ports))})/"), _abort)
            page.run(0)
            self.pages.append(page)


def _abort(route: Route) -> None:
    route.abort("connectionrefused")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser(f"--host-resolver-rules=MAP {INGRESS} 127.0.0.1") as one:
        yield one


@pytest.fixture(scope="module")
def stage(browser: Browser) -> Iterator[Stage]:
    with ExitStack() as stack:
        claims = stack.enter_context(PortClaims())
        ports = claims.take()
        web, nginx, lab = claims.take(3)
        routers = {
            "host": {"rule": f"Host(`{INGRESS}`)", "service": "dtale"},
            "kept": {"rule": "PathPrefix(`/kept`)", "service": "dtale"},
            "stripped": {
                "rule": "PathPrefix(`/stripped`)",
                "service": "dtale",
                "middlewares": ["strip"],
            },
        }
        strip = {"strip": {"stripPrefix": {"prefixes": ["/stripped"]}}}
        services = {"dtale": f"http://127.0.0.1:{ports[0]}"}
        stack.enter_context(proxies.traefik({"web": web}, routers, services, strip))
        stack.enter_context(proxies.nginx(nginx, NGINX.format(port=ports[0])))
        jupyter = stack.enter_context(Jupyter(lab, ports))
        urls = [url.format(web=web, nginx=nginx) for url in ROUTES.values()]
        yield Stage(browser, jupyter, ports, urls)
        for context in browser.contexts:
            context.close()


def test_every_notebook_is_behind_the_same_url_without_a_click(stage: Stage) -> None:
    # From top to bottom, as cells are run.
    for cell, url in enumerate(stage.urls, 1):
        for page in stage.pages:
            page.run(cell)
        for page in stage.pages:
            _shows(page, cell, url)
            verdict = page.panel(cell).locator(".dp-reach")
            expect(verdict).not_to_contain_text("jupyter-server-proxy")
            link = page.panel(cell).locator("a", has_text="Open")
            expect(link).to_have_attribute(
                "href", re.compile(rf"{re.escape(url)}/[\w-]+/dtale/main/{cell}")
            )
        # Whoever is in front: the links of both go on.
        pressed = next(page for page in stage.pages if not _is_in_front(page, cell))
        pressed.panel(cell).locator(".dp-primary").click()
        expect(pressed.panel(cell).locator(".dp-ingress")).to_contain_text("This notebook is in")
        for page in stage.pages:
            _shows(page, cell, url)


def _is_in_front(page: NotebookPage, cell: int) -> bool:
    line = page.panel(cell).locator(".dp-ingress")
    expect(line).to_contain_text("in front")
    return "This notebook" in (line.text_content() or "")


def _shows(page: NotebookPage, cell: int, base: str) -> None:
    """Wait for the cell's grid with the notebook's own value, from below `base`.

    Each cell shows a frame of its own, and cells are run once each, from the first one down.
    """
    pattern = base if base.startswith(".") else re.escape(base)
    frame = page.grid_from(
        cell, re.compile(rf"^{pattern}/[\w-]+/dtale/iframe/{cell}\?page-theme=light$")
    )
    word = page.name.partition(".")[0]
    expect(frame.get_by_text(f"of {word}", exact=True)).to_be_visible()


def test_an_egress_that_is_blocked_concerns_nobody_but_the_kernel(
    browser: Browser, pod: Pod, port_claims: PortClaims
) -> None:
    pod.lead_nowhere(INGRESS)
    ports = port_claims.take()
    lab, entry = port_claims.take(2)
    url = f"http://{INGRESS}:{entry}"
    with (
        tunnel(pod, lab, "127.0.0.1", lab),
        tunnel(pod, entry, pod.address, ports[0]),
        Jupyter(lab, ports, {"DTALE_INGRESS_URL": url}, pod) as jupyter,
    ):
        jupyter.write(
            "eda.ipynb",
            ["%load_ext dtale_magics", "%dtale {'a': ['of eda']}", "%dtale_port --check"],
        )
        page = NotebookPage(browser, jupyter, "eda.ipynb")
        page.run(0)
        page.run(1)
        _shows(page, 1, url)
        verdict = page.panel(1).locator(".dp-reach")
        expect(verdict).to_contain_text(f"This page shows it through the ingress: {url}")
        expect(verdict).not_to_contain_text("kernel")
        page.run(2)
        said = "The kernel itself does not get there (no answer in time)"
        expect(page.output(2)).to_contain_text(said)
        page.page.context.close()
