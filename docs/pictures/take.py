"""Take the README's pictures anew, as root on Linux: ``.venv/bin/python -m docs.pictures.take``.

More of them, for the eye alone, go to ``screenshots/``: narrow, at 200 %, without a kernel.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.support import ROOT
from tests.support.browser import NotebookPage, open_browser
from tests.support.jupyter import Jupyter
from tests.support.pods import Pod
from tests.support.ports import PortClaims
from tests.support.tunnel import tunnel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

FOLDER = ROOT / "docs" / "pictures"
EXTRA = ROOT / "screenshots" / "pictures"
CELLS = [
    "%load_ext dtale_magics\nimport plotly.data\nworld = plotly.data.gapminder()",
    "largest = world.query('year == 2007').nlargest(4, 'pop')\n%dtale largest",
]
WIDTH = 900


class Studio:
    """A pod of its own, so that no other notebook of this machine is seen."""

    def __init__(self, browser: Browser, jupyter: Jupyter) -> None:
        self.browser = browser
        self.jupyter = jupyter

    def open(self, name: str, width: int = WIDTH, **options: Any) -> NotebookPage:
        """Open a notebook and show its frame."""
        self.jupyter.write(name, CELLS)
        page = NotebookPage(self.browser, self.jupyter, name, unfolded=False, **options)
        page.page.set_viewport_size({"width": width, "height": 1100})
        news = page.page.get_by_role("button", name="No", exact=True)  # of Jupyter's question
        if news.is_visible():
            news.click()
        page.run(0)
        page.run(1)
        expect(page.grid(1).locator("body")).to_contain_text("China")
        page.page.mouse.move(0, 0)
        return page


def take(page: NotebookPage, path: Path, *, grid: bool = False) -> None:
    """Take the panel, with the grid below it if so wished."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.page.wait_for_timeout(1500)  # until nothing moves any more
    if grid:
        page.output(1).locator(".jp-OutputArea-output").first.screenshot(path=path)
    else:
        page.panel(1).screenshot(path=path)


def fold(page: NotebookPage) -> None:
    """Unfold the panel, or fold it."""
    page.panel(1).get_by_role("button", name="More of this D-Tale").click()


def take_all(studio: Studio) -> None:
    """Go through the states of a panel."""
    train = studio.open("train.ipynb")
    take(train, FOLDER / "quiet.png", grid=True)
    train.dark(1)
    expect(train.grid(1).locator("body.dark-mode")).to_be_visible()
    take(train, EXTRA / "quiet-dark.png", grid=True)
    train.dark(1, on=False)

    eda = studio.open("eda.ipynb")
    take(eda, EXTRA / "second.png", grid=True)
    fold(eda)
    take(eda, FOLDER / "held.png")
    eda.panel(1).locator(".dp-primary").click()
    expect(eda.panel(1).locator(".dp-undo")).to_be_visible()
    take(eda, FOLDER / "taken.png")
    take(train, EXTRA / "lost.png")
    eda.dark(1)
    eda.panel(1).locator("summary").click()
    take(eda, FOLDER / "details-dark.png")
    eda.page.set_viewport_size({"width": 600, "height": 1100})
    take(eda, EXTRA / "details-dark-600.png")
    eda.dark(1, on=False)
    take(eda, EXTRA / "details-600.png")

    zoomed = studio.open("zoomed.ipynb", WIDTH // 2, device_scale_factor=2)
    take(zoomed, EXTRA / "quiet-200-percent.png", grid=True)
    fold(zoomed)
    take(zoomed, EXTRA / "held-200-percent.png")
    zoomed.restart()
    expect(zoomed.output(1).locator(".dp-cover")).to_contain_text("was restarted")
    take(zoomed, EXTRA / "restarted-200-percent.png", grid=True)
    zoomed.dark(1)
    take(zoomed, EXTRA / "restarted-dark.png", grid=True)


@contextlib.contextmanager
def studio() -> Iterator[Studio]:
    """Prepare a pod, a JupyterLab in it, and a browser."""
    with contextlib.ExitStack() as stack:
        pod = stack.enter_context(Pod(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        lab = stack.enter_context(PortClaims()).take()[0]
        stack.enter_context(tunnel(pod, lab, "127.0.0.1", lab))
        jupyter = stack.enter_context(Jupyter(lab, range(40000, 40010), pod=pod))
        yield Studio(jupyter=jupyter, browser=stack.enter_context(open_browser()))


if __name__ == "__main__":
    with studio() as prepared:
        take_all(prepared)
