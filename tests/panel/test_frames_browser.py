"""Grids in a page: each shows its own frame, an old one says so, and one that is gone too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from support.browser import NotebookPage, open_browser
from support.jupyter import Jupyter
from support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import FrameLocator, Locator

pytestmark = [
    pytest.mark.timeout(240),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CELLS = [
    (
        "%load_ext dtale_magics\nimport pandas as pd\n"
        "df = pd.DataFrame({'v': ['one-p', 'two-q', 'three-r'], 'k': ['p', 'q', 'r']})"
    ),
    "for key, part in df.groupby('k'):\n    %dtale part",
    "%dtale df",
    "df = pd.DataFrame({'w': ['changed', 'twice']})\n%dtale df",
    "%dtale --drop part (2)",
    "df = pd.DataFrame({'z': ['thrice']})",
]


@pytest.fixture(scope="module")
def page() -> Iterator[NotebookPage]:
    with (
        open_browser() as browser,
        PortClaims() as claims,
        Jupyter(claims.take()[0], claims.take()) as jupyter,
    ):
        jupyter.write("frames.ipynb", CELLS)
        page = NotebookPage(browser, jupyter, "frames.ipynb", "lab")
        page.page.set_viewport_size({"width": 1100, "height": 5000})
        run(page, 0)
        yield page


def run(page: NotebookPage, cell: int) -> None:
    """Run a cell, and wait long: the first frame waits for the import of D-Tale."""
    page.start(cell)
    prompt = page.cell(cell).locator(".jp-InputPrompt").first
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=120_000)


def grid(page: NotebookPage, cell: int, number: int = 0) -> FrameLocator:
    return page.output(cell).locator("iframe.dtale-grid").nth(number).content_frame


def frame_line(page: NotebookPage, cell: int, number: int = 0) -> Locator:
    return page.output(cell).locator(".dp-frame").nth(number)


def test_each_grid_shows_its_own_frame_and_an_old_one_says_so(page: NotebookPage) -> None:
    # A loop: three grids, three frames.
    run(page, 1)
    expect(page.output(1).locator("iframe.dtale-grid")).to_have_count(3)
    for number, value in enumerate(["one-p", "two-q", "three-r"]):
        expect(grid(page, 1, number).locator("body")).to_contain_text(value)
        expect(frame_line(page, 1, number)).to_contain_text("1 row × 2 columns")

    # The same name in a later cell: the older grid stays, and says so.
    run(page, 2)
    expect(grid(page, 2).locator("body")).to_contain_text("one-p")
    expect(frame_line(page, 2)).to_contain_text("df: 3 rows × 2 columns")
    run(page, 3)
    expect(grid(page, 3).locator("body")).to_contain_text("changed")
    expect(frame_line(page, 2)).to_contain_text("df as of cell [3]; it was shown again by cell [4]")
    expect(grid(page, 2).locator("body")).to_contain_text("one-p")
    expect(grid(page, 2).locator("body")).not_to_contain_text("changed")
    newer = page.output(2).get_by_role("button", name="Show the newer one here")
    newer.click()
    expect(grid(page, 2).locator("body")).to_contain_text("changed")
    page.output(2).get_by_role("button", name="Back to this cell’s").click()
    expect(grid(page, 2).locator("body")).to_contain_text("one-p")

    # Run again, the older cell is the newer one.
    run(page, 5)
    run(page, 2)
    expect(grid(page, 2).locator("body")).to_contain_text("thrice")
    expect(frame_line(page, 2)).to_contain_text("df: 1 row × 1 column")
    expect(frame_line(page, 3)).to_contain_text("it was shown again by cell [6]")

    # Dropped: no broken grid, and why.
    run(page, 4)
    expect(frame_line(page, 1, 1)).to_contain_text("part (2) was dropped.")
    expect(page.output(1).locator("iframe.dtale-grid")).to_have_count(2)
    expect(grid(page, 1, 1).locator("body")).to_contain_text("three-r")
    assert page.problems == []
