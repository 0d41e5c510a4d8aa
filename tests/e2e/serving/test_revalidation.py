"""What a browser has of pages and data: not sent again, and not shown when it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support import plain_http
from tests.support.browser import SECONDS, open_browser

if TYPE_CHECKING:
    from tests.support.kernels import Kernel

LOAD = "%load_ext dtale_magics\nimport pandas as pd\n"
FRAME = "df = pd.DataFrame({'a': range(100), 'b': 'text'})\n%dtale df"


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Kernel:
    shared_kernel.renew().run(LOAD + FRAME)
    return shared_kernel


def _url(kernel: Kernel) -> str:
    return str(kernel.status()["frames"][0]["url"])


def _get(url: str, etag: str = "") -> plain_http.Response:
    headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": etag} if etag else {})
    return plain_http.request(url, headers=headers)


def test_what_a_browser_has_is_not_sent_again(kernel: Kernel) -> None:
    page = _url(kernel)
    base = page.partition("/dtale/main/")[0]
    for url in (page, f"{base}/dtale/processes?dtypes=true", plain_http.data_url(page)):
        first = _get(url)
        assert first.status == 200
        assert first.headers["Cache-Control"] == "private, no-cache"

        again = _get(url, first.headers["ETag"])

        assert (again.status, again.body) == (304, b"")
        # What a 304 brings takes the place of what the browser has (RFC 9111, 4.3.4).
        for header in ("Content-Security-Policy", "Cache-Control"):
            assert again.headers[header] == first.headers[header]


def test_what_has_changed_is_sent(kernel: Kernel) -> None:
    page = _url(kernel)
    data = plain_http.data_url(page)
    before = _get(data).headers["ETag"]
    kernel.run("df['a'] += 1000\n%dtale df")
    shown_anew = _get(data, before)
    assert shown_anew.status == 200

    base = page.partition("/dtale/main/")[0]
    edit = f"{base}/dtale/edit-cell/{page.rpartition('/')[2]}?col=a&rowIndex=0&updated=77"
    assert plain_http.request(edit).json()["success"] is True
    assert _get(data, shown_anew.headers["ETag"]).status == 200
    assert plain_http.request(data).json()["results"]["0"]["a"] == 77


def test_exports_and_errors_are_not_kept(kernel: Kernel) -> None:
    base, _, data_id = _url(kernel).partition("/dtale/main/")
    export = _get(f"{base}/dtale/data-export/{data_id}?type=csv")
    assert export.status == 200
    missing = _get(f"{base}/dtale/data/{data_id}000?ids=%5B%220%22%5D")
    assert missing.status == 404
    for answer in (export, missing):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers


@pytest.mark.timeout(180)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Playwright's loop closes its own
def test_the_back_button_shows_what_the_frame_is_now(kernel: Kernel) -> None:
    """A browser that goes back takes what it has without asking, however old (RFC 9111, 6)."""
    with open_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(_url(kernel))
        cells = page.locator(".ReactVirtualized__Grid .cell")
        expect(cells.get_by_text("7", exact=True).first).to_be_visible(timeout=SECONDS * 1000)
        page.goto("about:blank")
        kernel.run("df['a'] += 1000\n%dtale df")
        page.go_back()
        expect(cells.get_by_text("1007", exact=True)).to_be_visible(timeout=SECONDS * 1000)
