"""What leads into a kernel besides its own link: the pod's page, and look-only links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics.page.application import Page
from dtale_magics.page.capability import Capability
from dtale_magics.page.links import Links
from dtale_magics.page.look import Look
from dtale_magics.page.notebooks import Notebooks, OwnReport
from dtale_magics.serving import guard
from dtale_magics.viewer.rows import Frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication


class Kernel(Protocol):
    """What the pages show: the session."""

    def shown(self) -> dict[str, Any]:
        """Return what `OwnReport` needs."""

    def answer_to_links(self) -> None:
        """Have siblings pass on requests that name one of this kernel's links."""


class Pages:
    """The pages of a kernel.

    Parameters
    ----------
    kernel
        What they show.
    label
        Returns what the user calls this kernel.
    """

    def __init__(self, kernel: Kernel, label: Callable[[], str]) -> None:
        self.capability = Capability()
        self.links = Links(kernel.answer_to_links)
        self.report = OwnReport(label, kernel.shown)
        notebooks = Notebooks(self.report)
        self._page = Page(notebooks)
        self._open_page = Page(notebooks, is_open=True)
        self._looks: dict[str, Look] = {}

    def behind(self, segment: str) -> WSGIApplication | None:
        """Return what a first path segment leads to; for an empty one, the open page."""
        if not segment:
            return self._open_page
        current = self.capability.current()
        if current is not None and guard.has_capability(segment, current):
            return self._page
        return self._look(segment)

    def _look(self, slug: str) -> Look | None:
        link = self.links.find(slug)
        if link is None:
            self._looks.pop(slug, None)
            return None
        if slug not in self._looks:
            self._looks[slug] = Look(link, lambda: Frame.of(link.data_id))
        return self._looks[slug]
