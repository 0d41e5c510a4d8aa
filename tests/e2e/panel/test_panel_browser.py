"""The panel in JupyterLab and Notebook 7, with real kernels and a real browser.

One server and one browser serve all tests; every state is left as a picture in ``screenshots/``.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest
from playwright.sync_api import expect

from tests.support import ROOT, processes
from tests.support.browser import NotebookPage
from tests.support.jupyter import Jupyter
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = [
    pytest.mark.timeout(400),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PICTURES = ROOT / "screenshots"
CELLS = [
    "%load_ext dtale_magics\nimport pandas as pd\ndf = pd.DataFrame({'a': ['of NAME', 'x']})",
    "%dtale df",
    "%dtale",
    "import time\nwhile True: time.sleep(0.1)",
]


class Stage:
    """A server whose kernels share ports, and a browser."""

    def __init__(self, jupyter: Jupyter, browser: Browser, ports: range) -> None:
        self.jupyter = jupyter
        self.browser = browser
        self.ingress = ports[0]

    def open(self, name: str, face: str) -> NotebookPage:
        """Open a notebook and show its frame."""
        self.jupyter.write(name, [cell.replace("NAME", name) for cell in CELLS])
        page = NotebookPage(self.browser, self.jupyter, name, face)
        page.run(0)
        page.run(1)
        page.panel(1).wait_for()
        return page

    def pid(self, name: str) -> int:
        kernel = self.jupyter.kernel(name)
        assert kernel is not None
        for process in psutil.process_iter(["cmdline"]):
            if kernel["id"] in " ".join(process.info["cmdline"] or []):
                return int(process.pid)
        raise AssertionError(f"no process of {name}")


@pytest.fixture
def stage(browser: Browser) -> Iterator[Stage]:
    with PortClaims() as claims:
        ports = claims.take()
        exposed = {"DTALE_INGRESS_PORT": str(ports[0])}
        with Jupyter(claims.take()[0], ports, exposed) as jupyter:
            yield Stage(jupyter, browser, ports)
            for context in browser.contexts:
                context.close()


def _says(page: NotebookPage, words: str) -> None:
    """Wait until the panel says this of the ingress port."""
    expect(page.panel(1).locator(".dp-ingress")).to_contain_text(words)


@pytest.mark.parametrize("face", ["lab", "notebook"])
def test_two_notebooks_and_one_port(stage: Stage, face: str) -> None:
    train, eda = stage.open("train.ipynb", face), stage.open("eda.ipynb", face)
    expect(train.grid(1).locator("body")).to_contain_text("of train.ipynb")
    expect(eda.grid(1).locator("body")).to_contain_text("of eda.ipynb")
    eda.picture(PICTURES / f"{face}-held.png", 1)
    primary = eda.panel(1).locator(".dp-primary")
    expect(primary).to_have_text(f"Take over ingress port {stage.ingress} from train.ipynb")

    expect(eda.panel(1)).to_contain_text(f"on port {stage.ingress}, shared with train.ipynb")

    # A click, seen in both notebooks.
    primary.click()
    _says(eda, "This notebook is in front")
    _says(train, "eda.ipynb is in front")
    undo = eda.panel(1).locator(".dp-undo")
    expect(undo).to_have_text("Undo: train.ipynb in front again")
    expect(undo).to_be_focused()
    expect(primary).to_be_hidden()  # one button for one action
    expect(eda.panel(1).locator(".dp-status")).to_contain_text("is in front at port")
    expect(train.panel(1).locator(".dp-status")).to_contain_text("eda.ipynb is in front at port")
    opening = eda.panel(1).locator("a", has_text="Open")
    expect(opening).to_have_attribute("href", re.compile(rf"/proxy/{stage.ingress}/"))
    link = str(opening.get_attribute("href"))
    tab = eda.page.context.new_page()
    tab.goto(link)
    expect(tab.locator("body")).to_contain_text("of eda.ipynb")
    tab.close()
    eda.picture(PICTURES / f"{face}-taken.png", 1)
    train.picture(PICTURES / f"{face}-lost.png", 1)

    # Renamed, train.ipynb has its new name everywhere, and is still the one to give back to.
    train.rename("fit.ipynb")
    expect(undo).to_have_text("Undo: fit.ipynb in front again")
    expect(eda.panel(1).locator(".dp-status")).to_contain_text("in place of fit.ipynb")
    expect(eda.panel(1)).not_to_contain_text("train.ipynb")

    # Given back, while a cell runs; of all panels of the page, one offers it, and one says so.
    eda.run(2)
    eda.start(3)
    expect(eda.cell(3).locator(".jp-InputPrompt").first).to_have_text("[*]:")
    back = eda.page.locator(".dtale-panel button:visible", has_text="fit.ipynb")
    expect(back).to_have_count(1)
    back.click()
    _says(train, "This notebook is in front")
    expect(eda.page.get_by_role("status").filter(has_text="fit.ipynb is in front")).to_have_count(1)
    expect(eda.cell(3).locator(".jp-InputPrompt").first).to_have_text("[*]:")

    # What is saved has no link in it.
    eda.save()
    assert re.search(r"eda-[0-9a-f]{32}", stage.jupyter.read("eda.ipynb")) is None

    # The dark theme, and a range that is wrong.
    train.dark(1)
    train.panel(1).locator("summary").click()
    train.panel(1).get_by_label("Look for ports in").fill("9-1")
    train.page.keyboard.press("Enter")
    expect(train.panel(1).locator(".dp-error")).to_contain_text("range is empty")
    train.picture(PICTURES / f"{face}-dark-details.png", 1)
    train.page.set_viewport_size({"width": 480, "height": 1500})
    train.picture(PICTURES / f"{face}-dark-narrow.png", 1)


def test_a_frozen_incumbent_a_restart_and_a_reload(stage: Stage) -> None:
    train, eda = stage.open("train.ipynb", "lab"), stage.open("eda.ipynb", "lab")
    frozen = stage.pid("train.ipynb")
    processes.stop(frozen)
    try:
        eda.panel(1).locator(".dp-primary").click()
        _says(eda, "This notebook is in front")
        eda.picture(PICTURES / "frozen-taken.png", 1)
    finally:
        os.kill(frozen, signal.SIGCONT)
    expect(train.panel(1)).to_contain_text("eda.ipynb is in front")

    # A reload brings the panel back, and the grid.
    train.save()
    train.page.reload()
    train.wait_for_kernel()
    expect(train.panel(1)).to_contain_text("eda.ipynb is in front")
    expect(train.grid(1).locator("body")).to_contain_text("of train.ipynb")

    # A restart ends it, and says so here and there.
    eda.restart()
    expect(eda.output(1).locator(".dp-cover")).to_contain_text("The kernel was restarted")
    expect(eda.panel(1).locator(".dp-primary")).to_have_attribute("aria-disabled", "true")
    eda.picture(PICTURES / "restarted.png", 1)
    expect(train.panel(1)).to_contain_text("This notebook is in front")
    train.picture(PICTURES / "alone.png", 1)


def test_a_stranger_a_new_link_and_outputs_that_are_cleared(stage: Stage) -> None:
    stranger = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(stage.ingress)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=stage.jupyter.root,
        start_new_session=True,
    )
    try:
        eda = stage.open("eda.ipynb", "lab")
        primary = eda.panel(1).locator(".dp-primary")
        expect(eda.panel(1).locator(".dp-ingress")).to_contain_text("http.server")
        primary.click()
        expect(eda.panel(1).locator(".dp-status")).to_contain_text("Go on?")
        eda.picture(PICTURES / "stranger-asked.png", 1)
        primary.click()
        expect(eda.panel(1).locator(".dp-status")).to_contain_text("was not taken")
        eda.picture(PICTURES / "stranger-refused.png", 1)
        assert stranger.poll() is None
    finally:
        processes.end(stranger)

    # A new link: the frame follows it, and the old one is dead.
    expect(eda.grid(1).locator("body")).to_contain_text("of eda.ipynb")
    old = str(eda.cell(1).locator("iframe.dtale-grid").get_attribute("src"))
    eda.cell(3).locator(".cm-content").first.fill("%dtale --new-link")
    eda.run(3)
    grid = eda.grid_from(
        1, re.compile(rf"^(?!{re.escape(old)}).*/dtale/iframe/1\?page-theme=light$")
    )
    expect(grid.locator("body")).to_contain_text("of eda.ipynb")
    assert eda.page.request.get(old).status == 404
    assert eda.page.request.get(grid.url).status == 200

    # With the last panel goes the subscription.
    panels = "from dtale_magics import session; print(session.current().controller.watched)"
    eda.command("notebook:clear-all-cell-outputs")
    expect(eda.page.locator(".dtale-panel")).to_have_count(0)
    eda.cell(3).locator(".cm-content").first.fill(panels)
    eda.start(3)
    expect(eda.output(3)).to_contain_text("False")
