"""A browser, and a notebook in it: open it, run cells, look at its panels."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from playwright.sync_api import expect, sync_playwright

from tests.support import chromium
from tests.support.jupyter import TOKEN
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import (
        Browser,
        Frame,
        FrameLocator,
        Locator,
        Page,
        Request,
        ViewportSize,
    )

SECONDS = 60.0
RUN_SECONDS = 150.0
"""For a cell: the first frame waits for the import of D-Tale."""
expect.set_options(timeout=SECONDS * 1000)

FACES = {"lab": "doc/tree", "notebook": "notebooks"}
"""JupyterLab in its single-document form, and Notebook 7."""

_FLAGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def open_browser(*flags: str) -> Iterator[Browser]:
    """Start a Chromium, with more flags if need be, and close it at the end.

    Raises
    ------
    FileNotFoundError
        When there is none: a test that needs one fails, so that nothing looks tested that is not.
    """
    path = chromium.find()  # by a Playwright of its own, of which there can be one at a time
    if path is None:
        raise FileNotFoundError("there is no Chromium that starts; make test installs one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


class Traffic:
    """The requests that a page and its frames have under way.

    Playwright's ``networkidle`` does not do where frames come and go: beside JupyterLab's it was
    seen not to come while nothing had been under way for ten seconds.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._under_way: set[Request] = set()
        self._changed = time.monotonic()
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)

    def wait_until_idle(self, quiet_seconds: float = 0.5) -> None:
        """Wait until nothing has been under way for so long."""
        wait_until(
            lambda: not self._under_way and time.monotonic() > self._changed + quiet_seconds,
            SECONDS,
            explain=lambda: [request.url for request in self._under_way],
            pause=pause_of(self._page),
        )

    def _begin(self, request: Request) -> None:
        self._under_way.add(request)
        self._changed = time.monotonic()

    def _end(self, request: Request) -> None:
        self._under_way.discard(request)
        self._changed = time.monotonic()


def pause_of(page: Page) -> Callable[[float], object]:
    """What `wait_until` does between two questions so that `page` goes on meanwhile."""
    return lambda seconds: page.wait_for_timeout(1000 * seconds)


class Server(Protocol):
    """A Jupyter server with its notebooks."""

    @property
    def url(self) -> str: ...

    def kernel(self, name: str) -> dict[str, Any] | None: ...


class NotebookPage:
    """A notebook of `jupyter` in a page of its own, by default from that server's own URL."""

    def __init__(  # noqa: PLR0913 (by keyword)
        self,
        browser: Browser,
        jupyter: Server,
        name: str,
        face: str = "lab",
        *,
        url: str = "",
        unfolded: bool = True,
        **context_options: Any,
    ) -> None:
        self.name = name
        self.face = face
        self._jupyter = jupyter
        self._url = url or jupyter.url
        viewport: ViewportSize = {"width": 1100, "height": 1500}
        context = browser.new_context(viewport=viewport, **context_options)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(SECONDS * 1000)
        if unfolded:  # as somebody has it who once unfolded a panel
            context.add_init_script(
                "try { localStorage['dtale_magics.unfolded.frame'] = 'yes' } catch {}"
            )
        self.page = context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.open()

    def open(self) -> None:
        """Load the page and wait until the kernel takes cells (earlier ones would be dropped)."""
        query = f"?token={TOKEN}"
        self.page.goto(f"{self._url}/{FACES[self.face]}/{self.name}{query}")
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        def is_ready() -> bool:
            kernel = self._jupyter.kernel(self.name)
            return bool(kernel and kernel["connections"] and kernel["execution_state"] == "idle")

        wait_until(
            is_ready,
            SECONDS,
            explain=lambda: f"the kernel of {self.name}: {self._jupyter.kernel(self.name)}",
            pause=pause_of(self.page),
        )

    def cell(self, index: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        return self.cell(index).locator(".jp-OutputArea").first

    def panel(self, index: int) -> Locator:
        return self.output(index).locator(".dtale-panel").first

    def grid(self, index: int) -> FrameLocator:
        return self.output(index).frame_locator("iframe.dtale-grid")

    def grid_from(self, index: int, url: re.Pattern[str]) -> Frame:
        """Wait until the grid comes from such a URL; what it showed before does not count."""
        frame = self.output(index).locator("iframe.dtale-grid")
        expect(frame).to_have_attribute("src", url)
        shown = frame.element_handle(timeout=SECONDS * 1000).content_frame()
        assert shown is not None
        shown.wait_for_url(url)
        return shown

    def start(self, index: int) -> None:
        """Run a cell without waiting for its end."""
        self.cell(index).locator(".cm-content").first.click()
        self.page.keyboard.press("Control+Enter")

    def run(self, index: int) -> None:
        """Run a cell that shows something, and wait until it has ended."""
        self.start(index)
        prompt = self.cell(index).locator(".jp-InputPrompt").first
        self.page.wait_for_function(
            r"prompt => /\[\d+\]/.test(prompt.textContent)",
            arg=prompt.element_handle(),
            timeout=RUN_SECONDS * 1000,
        )

    def command(self, name: str) -> None:
        """Run a command of JupyterLab by its id; both faces have the same application."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def rename(self, name: str) -> None:
        """Rename the notebook as the file menu does after its question."""
        self.page.evaluate(
            "name => window.jupyterapp.shell.currentWidget.context.rename(name)", name
        )
        self.name = name

    def save(self) -> None:
        self.command("docmanager:save")  # ends when the file is written

    def restart(self) -> None:
        """Restart the kernel as the menu does after its question."""
        self.page.evaluate(
            "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )

    def dark(self, index: int, *, on: bool = True) -> None:
        """Switch the theme, and wait until the panel has it."""
        theme = "JupyterLab Dark" if on else "JupyterLab Light"
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        self.page.wait_for_function(
            "on => document.body.dataset.jpThemeLight === String(!on)", arg=on
        )
        self.panel(index).wait_for()

    def picture(self, path: Path, index: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.panel(index).screenshot(path=path)
