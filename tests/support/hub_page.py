"""A notebook on a real Hub, reached by signing in and launching the server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.support.browser import SECONDS, NotebookPage, Traffic
from tests.support.hub_process import USER, Hub

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Request, Response, Route

MILLISECONDS = 2 * SECONDS * 1000


class HubServer:
    """One server of the user, as a `NotebookPage` needs it.

    Parameters
    ----------
    hub
        It runs there.
    name
        Empty for the default one.
    origin
        By which the browser comes to the Hub, if not by its address.
    """

    def __init__(self, hub: Hub, name: str, origin: str = "") -> None:
        self.hub = hub
        self.name = name
        self.origin = origin or hub.url
        self.url = f"{self.origin}{hub.prefix(name)}"

    def kernel(self, name: str) -> dict[str, Any] | None:
        return self.hub.kernel(self.name, name)


class HubPage(NotebookPage):
    """A notebook that is reached by logging in and launching the server.

    Parameters
    ----------
    browser
        Gets a context of its own.
    server
        Not running yet.
    notebook
        A file in the user's home.
    hidden
        Ports of the pod, which a browser does not reach.
    """

    def __init__(self, browser: Browser, server: HubServer, notebook: str, hidden: range) -> None:
        self.server = server
        self.hidden = hidden
        self.answers: dict[str, int] = {}
        """What D-Tale's URLs answered."""
        super().__init__(browser, server, notebook)

    def open(self) -> None:
        ports = "|".join(map(str, self.hidden))
        self.page.context.route(re.compile(rf"^\w+://[^/]+:({ports})/"), _abort)
        self.traffic = Traffic(self.page)
        self.page.on("response", self._note)
        self.page.on("requestfailed", self._note_failure)
        self.page.on("console", self._note_console)
        notebook = f"{urlsplit(self.server.url).path}/doc/tree/{self.name}"
        spawn = f"/hub/spawn/{USER}/{self.server.name}".rstrip("/")
        launch = f"{spawn}?{urlencode({'next': notebook})}"
        self.page.goto(f"{self.server.origin}/hub/login?{urlencode({'next': launch})}")
        self.page.locator("#username_input").fill(USER)
        self.page.locator("#login_submit").click()
        first = self.page.locator(".jp-Notebook .jp-Cell").first
        first.wait_for(timeout=MILLISECONDS)
        self.wait_for_kernel()

    def _is_of_dtale(self, url: str) -> bool:
        return urlsplit(url).path.startswith(f"{urlsplit(self.server.url).path}/proxy/")

    def _note(self, response: Response) -> None:
        if self._is_of_dtale(response.url):
            self.answers[response.url] = response.status

    def _note_failure(self, request: Request) -> None:
        # The panel gives up an address that is slow to answer, and asks again.
        if self._is_of_dtale(request.url) and request.failure != "net::ERR_ABORTED":
            self.problems.append(f"{request.url}: {request.failure}")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and self._is_of_dtale(message.location["url"]):
            self.problems.append(message.text)


def _abort(route: Route) -> None:
    route.abort("connectionrefused")
