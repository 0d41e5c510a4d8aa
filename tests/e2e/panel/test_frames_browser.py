"""Grids in a page: each shows its own frame, an old one says so, and one that is gone too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.browser import NotebookPage, open_browser
from tests.support.jupyter import Jupyter
from tests.support.ports import PortClaims

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
    (
        "long = pd.DataFrame({'n': range(3000), 'k': ['p', 'q', 'r'] * 1000})\n"
        "%dtale long --watch --sort n:DESC"
    ),
    "long.loc[1500, 'k'] = 'changed-in-place'",
    "long = long.assign(k=long.k.str.upper(), more='added')",
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


def run(page: NotebookPage, cell: int) -> str:
    """Run a cell, and wait long: the first frame waits for the import of D-Tale.

    Returns the cell's number as the page writes it, ``[3]``.
    """
    page.start(cell)
    prompt = page.cell(cell).locator(".jp-InputPrompt").first
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=120_000)
    return prompt.inner_text().removesuffix(":")


def grid(page: NotebookPage, cell: int, number: int = 0) -> FrameLocator:
    return page.output(cell).locator("iframe.dtale-grid").nth(number).content_frame


def frame_line(page: NotebookPage, cell: int, number: int = 0) -> Locator:
    return page.output(cell).locator(".dp-head").nth(number)


def test_each_grid_shows_its_own_frame_and_an_old_one_says_so(page: NotebookPage) -> None:
    # A loop: three grids, three frames.
    run(page, 1)
    expect(page.output(1).locator("iframe.dtale-grid")).to_have_count(3)
    for number, value in enumerate(["one-p", "two-q", "three-r"]):
        expect(grid(page, 1, number).locator("body")).to_contain_text(value)
        expect(frame_line(page, 1, number)).to_contain_text("1 row × 2 columns")

    # The same name in a later cell: the older grid stays, and says so.
    first = run(page, 2)
    expect(grid(page, 2).locator("body")).to_contain_text("one-p")
    expect(frame_line(page, 2)).to_contain_text("df 3 rows × 2 columns")
    later = run(page, 3)
    expect(grid(page, 3).locator("body")).to_contain_text("changed")
    expect(frame_line(page, 2)).to_contain_text(
        f"as of cell {first}; it was shown again by cell {later}"
    )
    expect(grid(page, 2).locator("body")).to_contain_text("one-p")
    expect(grid(page, 2).locator("body")).not_to_contain_text("changed")
    newer = page.output(2).get_by_role("button", name="Show the newer one here")
    newer.click()
    expect(grid(page, 2).locator("body")).to_contain_text("changed")
    page.output(2).get_by_role("button", name="Back to this cell’s").click()
    expect(grid(page, 2).locator("body")).to_contain_text("one-p")

    # Run again, the older cell is the newer one.
    run(page, 5)
    again = run(page, 2)
    expect(grid(page, 2).locator("body")).to_contain_text("thrice")
    expect(frame_line(page, 2)).to_contain_text("df 1 row × 1 column")
    expect(frame_line(page, 3)).to_contain_text(f"it was shown again by cell {again}")

    # Dropped: no broken grid, and why.
    run(page, 4)
    expect(frame_line(page, 1, 1)).to_contain_text("part (2) was dropped.")
    expect(page.output(1).locator("iframe.dtale-grid")).to_have_count(2)
    expect(grid(page, 1, 1).locator("body")).to_contain_text("three-r")
    assert page.problems == []


def test_a_watched_frame_follows_and_keeps_place_and_sorting(page: NotebookPage) -> None:
    run(page, 6)
    shown = grid(page, 6)
    expect(shown.locator(".cell[cell_idx='1|1']")).to_have_text("2999")
    # What a saved notebook has in its place is not seen beside it, though a line stands between.
    expect(page.output(6).locator(".dtale-magics-static")).to_be_hidden()
    scroll = "grid => { grid.scrollTop = (3000 - 1500 - 8) * 25; }"
    # The last of D-Tale's four grids has the rows.
    shown.locator(".ReactVirtualized__Grid").last.evaluate(scroll)
    expect(shown.locator("body")).to_contain_text("1500")
    for cell, text in ((7, "changed-in-place"), (8, "CHANGED-IN-PLACE")):
        before = page.output(6).locator("iframe.dtale-grid").get_attribute("data-frame")
        run(page, cell)
        expect(page.output(6).locator("iframe.dtale-grid")).not_to_have_attribute(
            "data-frame", before or ""
        )
        row = shown.locator(".cell", has_text=re.compile(f"^{text}$"))
        expect(row).to_be_visible()
        expect(row).to_be_in_viewport()
    expect(frame_line(page, 6)).to_contain_text("long 3,000 rows × 3 columns")
    expect(shown.locator("body")).to_contain_text("1501")  # still sorted, downwards
    shown.locator(".cell", has_text="CHANGED-IN-PLACE").hover()
    page.page.mouse.wheel(0, -1_000_000)
    expect(shown.locator(".cell[cell_idx='1|1']")).to_have_text("2999")
    assert page.problems == []
