"""Scripts in names, settings and cells that somebody with the link has stored do not run."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect

from tests.support import plain_http
from tests.support.browser import SECONDS, Traffic, open_browser
from tests.support.kernels import Kernel
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Playwright's loop closes its own
]

MARKUP = "<img src=nowhere onerror=window.ran=1><script>window.ran=1</script>"
ATTACKS = [MARKUP, f'">{MARKUP}', f"'>{MARKUP}", f"</script>{MARKUP}", "';window.ran=1;//", "\\"]
LEAVES_ATTRIBUTES = "1 onclick=window.ran=1 autofocus onfocus=window.ran=1"

FRAME = f"""
%load_ext dtale_magics
import pandas as pd
df = pd.DataFrame({{"moon": ["Io", "Europa", {MARKUP!r}] * 4, "mass": range(12),
                   "period": [n % 5 / 2 for n in range(12)], "to": ["a", "b"] * 6,
                   "size": range(12, 24)}})
"""
PAGES = (
    "main/1",
    "iframe/1",
    "popup/describe/1?x={}",
    "popup/merge",
    "popup/upload",
    "popup/instances/1",
    "network/1",
    "code-popup",
    "charts/1",
    "charts/{}",
    "calculation/skew",
    "calculation/missing",
    "calculation/main",
    "main/missing",
    "popup/{}/1",
)
CHARTS = {
    "line": "x=mass&y=[%22period%22]",
    "bar": "x=moon&y=[%22period%22]&agg=mean",
    "scatter": "x=mass&y=[%22period%22]",
    "3d_scatter": "x=mass&y=[%22period%22]&z=size",
    "heatmap": "x=moon&y=[%22to%22]&z=mass&agg=mean",
    "surface": "x=mass&y=[%22period%22]&z=size",
    "pie": "x=moon&y=[%22period%22]&agg=mean",
}


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with PortClaims() as claims, Kernel(claims.take()) as one:
        one.start()
        one.run(FRAME)
        one.run("%dtale df")
        yield one


@pytest.fixture
def url(kernel: Kernel) -> str:
    return f"{kernel.status()['url']}dtale/"


def _get(url: str, **arguments: Any) -> plain_http.Response:
    asked = "&".join(f"{name}={quote(str(value))}" for name, value in arguments.items())
    return plain_http.request(f"{url}?{asked}")


def _store(url: str, attack: str) -> str:
    """Set everything that D-Tale lets a browser set; gives the id of a frame of that name."""
    merge = {
        "name": attack,
        "action": "stack",
        "config": json.dumps({"ignoreIndex": False}),
        "datasets": json.dumps([{"dataId": "1", "columns": [], "index": [], "suffix": None}] * 2),
    }
    body = json.dumps(merge).encode()
    kind = {"Content-Type": "application/json"}
    merged = plain_http.request(f"{url}merge", "POST", headers=kind, body=body).json()
    assert merged["success"], merged
    data_id = merged["data_id"]
    settings = {
        "main_title": attack,
        "main_title_font": attack,
        "theme": attack,
        "nanDisplay": attack,
        "backgroundMode": attack,
        attack: attack,
    }
    for shown in ("1", data_id):
        _get(f"{url}update-settings/{shown}", settings=json.dumps(settings))
        _get(f"{url}update-formats/{shown}", col="moon", format=json.dumps({"fmt": attack}))
    _get(f"{url}rename-col/{data_id}", col="to", rename=attack)
    _get(f"{url}update-theme", theme=attack)
    _get(f"{url}update-language", language=attack)
    _get(f"{url}update-maximum-column-width", width=LEAVES_ATTRIBUTES)
    _get(f"{url}update-maximum-row-height", height=LEAVES_ATTRIBUTES)
    _get(f"{url}update-query-engine", engine=attack)
    return str(data_id)


def _restore(url: str, data_id: str) -> None:
    _get(f"{url}update-theme", theme="light")
    _get(f"{url}update-language", language="en")
    _get(f"{url}update-maximum-column-width", width="100")
    _get(f"{url}update-maximum-row-height", height="100")
    _get(f"{url}update-query-engine", engine="python")
    settings = {"main_title": None, "main_title_font": None, "theme": "light", "nanDisplay": "nan"}
    settings["backgroundMode"] = None
    _get(f"{url}update-settings/1", settings=json.dumps(settings))
    _get(f"{url}update-formats/1", col="moon", format="{}")
    _get(f"{url}cleanup-datasets", dataIds=data_id)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_link_holder_stores_is_text_in_every_page(url: str, attack: str) -> None:
    data_id = _store(url, attack)
    try:
        for page in PAGES:
            path = page.replace("/1", f"/{data_id}").format(quote(attack, safe=""))
            answer = plain_http.request(f"{url}{path}")
            assert answer.status < 500 or "missing" in path, (path, answer.text[:300])
            text = answer.text
            assert MARKUP not in text, path
            assert "<img src=nowhere" not in text, path
            assert not re.search(r"<[^>]* onclick=window", re.sub(r'"[^"]*"', '""', text)), path
            assert "data-mark" not in text, path
    finally:
        _restore(url, data_id)


def test_the_policy_names_dtales_own_scripts_and_no_others(url: str) -> None:
    for page in PAGES:
        headers, text = _with_every_header(f"{url}{page}")
        policies = [value for name, value in headers if name == "Content-Security-Policy"]
        if "<script" not in text:
            continue
        (policy,) = [one for one in policies if "script-src" in one]
        assert "'unsafe-inline'" not in policy
        assert "object-src 'none'" in policy
        assert "base-uri 'none'" in policy
        named = set(re.findall(r"'sha256-([^']+)'", policy))
        scripts = re.findall(r"<script((?![^>]*\bsrc=)[^>]*)>(.*?)</script>", text, re.DOTALL)
        inline = [body for attributes, body in scripts if "json" not in attributes]
        found = {base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in inline}
        assert found == named, page


def _with_every_header(url: str) -> tuple[list[tuple[str, str]], str]:
    """Ask for a page; gives all its headers, also those of one name."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        return answer.getheaders(), answer.read().decode()
    finally:
        connection.close()


def test_rendering_cells_as_html_is_for_the_notebook_to_allow(kernel: Kernel, url: str) -> None:
    html = {"fmt": {"html": True}}
    ways = {
        "update-formats/1": {"col": "moon", "format": json.dumps(html)},
        "update-settings/1": {"settings": json.dumps({"columnFormats": {"moon": html}})},
    }
    for way, arguments in ways.items():
        refused = _get(f"{url}{way}", **arguments)
        assert refused.status == 403, way
        assert "--enable-html" in refused.json()["error"]
        forged = _get(f"{url}update-settings/1", settings='{"enable_html": true}')
        assert forged.status == 403
    filters = {"columnFilters": {"html": {"query": "`html` == 1"}}}
    assert "custom" not in _get(f"{url}update-settings/1", settings=json.dumps(filters)).text
    other = _get(f"{url}update-formats/1", col="moon", format='{"fmt": {"link": true}}')
    assert other.json()["success"]
    kernel.run("other = df.copy()\n%dtale other --enable-html")  # its leave is the kernel's
    try:
        for way, arguments in ways.items():
            assert _get(f"{url}{way}", **arguments).json()["success"], way
    finally:
        kernel.run("%dtale --drop other")
    assert _get(f"{url}update-formats/1", **ways["update-formats/1"]).status == 403


@contextmanager
def _page(*switches: str) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what its browser refuses to run."""
    refused: list[str] = []
    with open_browser(*switches) as browser:
        context = browser.new_context(viewport={"width": 1300, "height": 1000})
        context.set_default_timeout(SECONDS * 1000)
        context.on("console", lambda said: refused.append(said.text) if _refused(said) else None)
        yield context.new_page(), refused


def test_in_a_browser_every_chart_is_drawn(url: str) -> None:
    with _page("--use-angle=swiftshader", "--enable-unsafe-swiftshader") as (page, problems):
        for chart, inputs in CHARTS.items():
            page.goto(f"{url}charts/1?chart_type={chart}&{inputs}")
            drawn = page.locator(".js-plotly-plot .main-svg, .js-plotly-plot canvas").first
            expect(drawn).to_be_visible()
            page.wait_for_timeout(500)
            assert problems == [], chart


def test_in_a_browser_no_stored_script_runs_and_dtale_works(kernel: Kernel, url: str) -> None:
    with _page() as (page, problems):
        traffic = Traffic(page)
        for path in ("network/1", "popup/correlations/1", "popup/describe/1", "popup/merge"):
            page.goto(f"{url}{path}")
            traffic.wait_until_idle()
            assert problems == [], path
        data_id = _store(url, f'">{MARKUP}')
        # D-Tale shows nothing in a language that it does not know.
        _get(f"{url}update-language", language="en")
        try:
            for path in PAGES:
                page.goto(
                    f"{url}{path.replace('/1', f'/{data_id}').format(quote(MARKUP, safe=''))}"
                )
                traffic.wait_until_idle()
                assert page.evaluate("window.ran") is None, path
            assert problems == []
        finally:
            _restore(url, data_id)
        # Where markup does get into a page, its scripts have no leave.
        kernel.run("other = df.copy()\n%dtale other --enable-html")
        _get(f"{url}update-formats/1", col="moon", format='{"fmt": {"html": true}}')
        page.goto(f"{url}main/1")
        expect(page.locator("img[src=nowhere]").first).to_be_attached()
        traffic.wait_until_idle()
        assert page.evaluate("window.ran") is None
        assert problems, "the browser says that it did not run the handler"
        kernel.run("%dtale --drop other")
        _get(f"{url}update-formats/1", col="moon", format="{}")


def _refused(said: Any) -> bool:
    return "Content Security Policy" in said.text or "Uncaught" in said.text
