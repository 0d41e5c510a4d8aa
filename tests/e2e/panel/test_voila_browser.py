"""Voilà: a notebook that is run for whoever opens its page, and shown without its cells."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support import plain_http, processes
from tests.support.browser import open_browser
from tests.support.jupyter import write_notebook
from tests.support.kernels import environment, port_settings
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(300),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CELLS = [
    "%load_ext dtale_magics\nimport pandas as pd\ndf = pd.DataFrame({'a': ['on show']})",
    "%dtale df",
]


def test_a_page_of_voila_has_the_panel_and_the_grid(tmp_path: Path, ports: range) -> None:
    write_notebook(tmp_path / "show.ipynb", CELLS)
    with PortClaims() as claims, open_browser() as browser, (tmp_path / "log").open("wb") as log:
        port = claims.take()[0]
        voila = subprocess.Popen(
            [sys.executable, "-m", "voila", "show.ipynb", "--no-browser", f"--port={port}"],
            env=environment(port_settings(ports), tmp_path),
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    plain_http.request(f"http://127.0.0.1:{port}/static/none")
                except OSError:
                    assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                    time.sleep(0.2)
                else:
                    break
            page = browser.new_context().new_page()
            # What it takes from the network is out of reach here, and need not be there.
            page.goto(f"http://127.0.0.1:{port}/", timeout=150_000)
            expect(page.locator(".dp-head")).to_contain_text("df 1 row × 1 column · port ")
            grid = page.frame_locator("iframe.dtale-grid")
            expect(grid.locator("body")).to_contain_text("on show")
            expect(page.locator(".dtale-magics-static")).to_be_hidden()
            with page.expect_popup() as popup:
                page.get_by_role("link", name="Open").click()
            expect(popup.value.locator("body")).to_contain_text("on show")
            page.context.close()
        finally:
            processes.end(voila)
