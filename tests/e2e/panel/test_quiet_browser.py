"""One line while all is well, and the truth about a kernel that is gone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support import ROOT, plain_http
from tests.support.browser import NotebookPage
from tests.support.jupyter import Jupyter
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator

pytestmark = [
    pytest.mark.timeout(400),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PICTURES = ROOT / "screenshots"
CELLS = [
    (
        "%load_ext dtale_magics\nimport pandas as pd\n"
        "few = pd.DataFrame({'a': [1, 2, 3, 4], 'b': list('wxyz')})\n"
        "many = pd.DataFrame({'n': range(1000)})"
    ),
    "%dtale few",
    "%dtale many --height 300",
    "1",
]


@pytest.fixture
def opened(browser: Browser, jupyter: Jupyter) -> Iterator[Callable[[str, str], NotebookPage]]:
    """Open a notebook and show its first frame."""

    def open_(name: str, face: str) -> NotebookPage:
        jupyter.write(name, CELLS)
        page = NotebookPage(browser, jupyter, name, face, unfolded=False)
        page.run(0)
        page.run(1)
        expect(page.grid(1).locator("body")).to_contain_text("w")
        return page

    yield open_
    for context in browser.contexts:
        context.close()


def height(found: Locator) -> float:
    box = found.bounding_box()
    assert box is not None
    return box["height"]


def box(page: NotebookPage, cell: int) -> Locator:
    return page.output(cell).locator(".dtale-frame")


def test_one_line_and_a_grid_as_tall_as_its_rows(
    opened: Callable[[str, str], NotebookPage],
) -> None:
    page = opened("quiet.ipynb", "lab")
    panel = page.panel(1)
    expect(panel.locator(".dp-head")).to_contain_text("few 4 rows × 2 columns · ")
    lines = "panel => panel.offsetHeight / parseFloat(getComputedStyle(panel).lineHeight)"
    assert panel.evaluate(lines) < 2  # one line, whatever the font
    assert height(box(page, 1)) < 250
    page.picture(PICTURES / "quiet.png", 1)
    page.run(2)
    expect(page.panel(2).locator(".dp-head")).to_contain_text("many 1,000 rows × 1 column")
    expect(page.grid(2).locator("body")).to_contain_text("n")
    assert height(box(page, 2)) == pytest.approx(300, abs=2)

    # One region for each frame, and one live region in the page.
    assert page.page.get_by_role("region", name="D-Tale: few", exact=True).count() == 1
    assert page.page.get_by_role("region", name="D-Tale: many", exact=True).count() == 1
    assert page.page.locator(".dtale-announcer").count() == 1
    assert panel.locator("[aria-live], [role=status], [role=alert]").count() == 0

    # A menu has the room that it needs, and gives it back.
    low = height(box(page, 1))
    header = page.grid(1).locator(".headerCell").nth(1)
    header.click()
    expect(page.grid(1).get_by_text('Column "b"')).to_be_visible()
    page.page.wait_for_function(
        "([node, low]) => node.clientHeight > low + 50",
        arg=[
            box(page, 1).element_handle(),
            low,
        ],
    )
    page.page.keyboard.press("Escape")
    page.grid(1).locator("body").click(position={"x": 300, "y": 100})
    page.page.wait_for_function(
        "([node, low]) => node.clientHeight <= low + 2",
        arg=[
            box(page, 1).element_handle(),
            low,
        ],
    )

    # By keyboard alone: unfold, and drag the handle; both are remembered or seen.
    fold = panel.get_by_role("button", name="More of this D-Tale")
    fold.focus()
    page.page.keyboard.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(panel.locator(".dp-server")).to_be_visible()
    expect(page.panel(2).locator(".dp-server")).to_be_hidden()
    handle = box(page, 1).get_by_role("separator", name="Height of the grid")
    handle.focus()
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("ArrowDown")
    assert height(box(page, 1)) == pytest.approx(low + 50, abs=2)
    page.run(2)  # the choice holds for panels to come
    expect(page.panel(2).locator(".dp-server")).to_be_visible()
    page.page.evaluate("localStorage.removeItem('dtale_magics.unfolded.frame')")

    # The page's theme.
    expect(page.grid(1).locator("body")).to_have_class(re.compile("light-mode"))
    page.dark(1)
    expect(page.grid(1).locator("body")).to_have_class(re.compile("dark-mode"))
    page.picture(PICTURES / "quiet-dark.png", 1)
    page.dark(1, on=False)
    assert page.problems == []


def test_work_in_a_grid_keeps_the_kernel_from_being_culled(
    opened: Callable[[str, str], NotebookPage], jupyter: Jupyter
) -> None:
    page = opened("used.ipynb", "lab")
    link = str(page.panel(1).get_by_role("link", name="Open").get_attribute("href"))
    page.page.wait_for_timeout(2000)

    def last_activity() -> str:
        kernel = jupyter.kernel("used.ipynb")
        assert kernel
        return str(kernel["last_activity"])

    before = last_activity()
    port = re.search(r"/proxy/(\d+)/(.*)", link)
    assert port
    # Its reports are half a minute apart; the page has just made one.
    deadline = 70
    while last_activity() == before and deadline:
        plain_http.request(f"http://127.0.0.1:{port[1]}/{port[2]}")
        page.page.wait_for_timeout(1000)
        deadline -= 1
    assert last_activity() > before


@pytest.mark.timeout(900)  # five kernels, one after the other
@pytest.mark.parametrize("face", ["lab", "notebook"])
def test_a_kernel_that_is_gone_is_said_to_be_gone(
    opened: Callable[[str, str], NotebookPage], jupyter: Jupyter, face: str
) -> None:
    page = opened(f"gone-{face}.ipynb", face)

    def says(brief: str, words: str) -> None:
        cover = page.output(1).locator(".dp-cover")
        expect(cover).to_contain_text(words)
        expect(page.panel(1).locator(".dp-head")).to_contain_text(brief)
        expect(page.panel(1).get_by_text("Open", exact=True)).to_have_attribute(
            "aria-disabled", "true"
        )
        assert page.page.locator(".dtale-announcer").inner_text().startswith(words)

    # Shut down; and the advice works as it stands there.
    page.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    says("the kernel has ended", "The kernel has ended, and D-Tale with it.")
    page.picture(PICTURES / f"{face}-ended.png", 1)
    page.command("kernelmenu:restart")
    page.wait_for_kernel()
    _run_again(page)

    page.restart()
    says("the kernel was restarted", "The kernel was restarted, and D-Tale ended with it.")
    page.wait_for_kernel()
    _run_again(page)

    page.cell(3).locator(".cm-content").first.fill("import os; os.kill(os.getpid(), 9)")
    page.start(3)
    says("the kernel was restarted", "The kernel was restarted, and D-Tale ended with it.")
    page.page.get_by_role("dialog").get_by_role("button", name="Ok").click()  # Jupyter's own
    page.wait_for_kernel()
    _run_again(page)

    # Culled: the server ends it, and tells nobody.
    kernel = jupyter.kernel(page.name)
    assert kernel
    jupyter.api(f"kernels/{kernel['id']}", "DELETE")
    says("the kernel has ended", "The kernel has ended, and D-Tale with it.")


def _run_again(page: NotebookPage) -> None:
    for cell in (0, 1):
        page.run(cell)
    expect(page.output(1).locator(".dp-cover")).to_be_hidden()
    expect(page.grid(1).locator("body")).to_contain_text("w")
    expect(page.panel(1).locator(".dp-head")).to_contain_text("few 4 rows × 2 columns")


def test_a_server_that_is_gone(browser: Browser) -> None:
    with PortClaims() as claims, Jupyter(claims.take()[0], claims.take()) as jupyter:
        jupyter.write("lost.ipynb", CELLS)
        page = NotebookPage(browser, jupyter, "lost.ipynb", unfolded=False)
        page.run(0)
        page.run(1)
        expect(page.grid(1).locator("body")).to_contain_text("w")
        jupyter.stop()
        words = re.compile("reaches neither the notebook’s kernel nor D-Tale|kernel has ended")
        expect(page.output(1).locator(".dp-cover")).to_contain_text(words)
        expect(page.panel(1).locator(".dp-head")).to_contain_text(re.compile("out of reach|ended"))
        page.picture(PICTURES / "lost.png", 1)
        page.page.context.close()
