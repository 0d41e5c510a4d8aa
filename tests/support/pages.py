"""Notebooks of a pod whose page is looked at: kernels with a cache directory of their own."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.support.kernels import Kernel

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page
    from typing_extensions import Self

_LOAD = """\
%load_ext dtale_magics
import pandas as pd
from dtale_magics import session
"""


def _cache() -> Path:
    """Make a cache directory with what is packed on this machine already, and no page's link."""
    made = Path(tempfile.mkdtemp(prefix="dtale-magics-cache-"))
    known = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "dtale_magics")
    (made / "dtale_magics").mkdir(mode=0o700)
    for path in [*known.glob("*.br"), *known.glob("assets-secret")]:
        shutil.copy2(path, made / "dtale_magics")
    return made


class Notebooks:
    """Kernels that share a port, and each show a frame ``df`` with the notebook's name in it.

    Their names are those of no other test: on a machine that is not a pod, all are siblings.
    """

    def __init__(self, ports: range, names: list[str], environ: dict[str, str]) -> None:
        self.ports = ports
        self._stack = ExitStack()
        self._cache = _cache()
        self.environ = {**environ, "XDG_CACHE_HOME": str(self._cache)}
        self.kernels = {
            f"{name}{ports[0]}": self._stack.enter_context(
                Kernel(ports, notebook=f"{name}{ports[0]}.ipynb", environ=self.environ)
            )
            for name in names
        }
        self.names = [*self.kernels]

    def __enter__(self) -> Self:
        for kernel in self.kernels.values():
            kernel.launch()
        for name, kernel in self.kernels.items():
            kernel.wait_until_ready()
            self.show(name)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        shutil.rmtree(self._cache, ignore_errors=True)

    def show(self, name: str) -> None:
        """Run the cells of a notebook, as after its kernel's start."""
        kernel = self.kernels[name]
        kernel.run(_LOAD)
        kernel.run(f"df = pd.DataFrame({{'a': [3, 1, 2], 'text': ['of {name}', 'x', 'y']}})")
        kernel.run("%dtale df")

    def take(self, name: str) -> None:
        self.kernels[name].run("%dtale_port --take")

    def restart(self, name: str) -> None:
        self.kernels[name].restart()

    def capability(self) -> str:
        """That of the page, made by the first of them."""
        first = self.kernels[self.names[0]]
        return str(first.value("session.current().pages.capability.made()"))

    @property
    def port(self) -> int:
        return self.ports[0]


class PodPage:
    """The page in a browser."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.page: Page = browser.new_context(**options).new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.url = url
        self.page.goto(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.context.close()

    @property
    def tools(self) -> Locator:
        return self.page.locator("#follow")

    def notebook(self, name: str) -> Locator:
        return self.page.locator(
            ".notebook", has=self.page.get_by_text(f"{name}.ipynb", exact=True)
        )

    def frame(self, name: str, frame: str = "df") -> Locator:
        return self.notebook(name).locator(".frame", has_text=re.compile(rf"^{frame} "))

    def shows(self, value: str) -> None:
        """Wait until the grid has a cell with this value."""
        cell = self.page.frame_locator("iframe").get_by_text(value, exact=True)
        expect(cell.first).to_be_visible()

    def _note(self, kind: str, text: str) -> None:
        # What was under way as a kernel was killed, the browser calls an error as well.
        if kind == "error" and "ERR_" not in text and "Failed to load resource" not in text:
            self.problems.append(text)
