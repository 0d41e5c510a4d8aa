"""A page whose server has no widgets of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.panel.cells import CELLS
from tests.support.browser import NotebookPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.jupyter import Jupyter

pytestmark = [
    pytest.mark.timeout(300),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_server_without_anywidget(browser: Browser, jupyter: Jupyter) -> None:
    jupyter.write("bare.ipynb", CELLS)
    context = NotebookPage.open

    def open_without(page: NotebookPage) -> None:
        page.page.context.route("**/extensions/anywidget/**", lambda route: route.abort())
        context(page)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NotebookPage, "open", open_without)
        page = NotebookPage(browser, jupyter, "bare.ipynb", unfolded=False)
    page.run(0)
    page.run(1)
    output = page.output(1)
    expect(output).to_contain_text("Install anywidget where the Jupyter server runs")
    with page.page.expect_popup() as popup:
        output.get_by_role("link").first.click()
    expect(popup.value.locator("body")).to_contain_text("Oslo")
    page.page.context.close()
