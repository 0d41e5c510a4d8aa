"""The one door to a kernel's D-Tale: its server, put together of the packages below.

Nothing of this is imported before the first port is needed.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from werkzeug.wrappers import Request, Response

from dtale_magics import settings
from dtale_magics.errors import SettingError
from dtale_magics.page.notebooks import REPORT as SHOWN
from dtale_magics.pod.ports import Ports
from dtale_magics.reach import public_urls
from dtale_magics.serving import guard, visitor
from dtale_magics.serving.activity import Activity
from dtale_magics.serving.web import Web
from dtale_magics.system import notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from dtale_magics.page.pages import Pages
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.serving.assets import Assets
    from dtale_magics.settings import Settings

_POLICY_SECONDS = 1.0
"""How long what holds for requests is kept; a change of a setting or a port counts at once."""

_NOT_LOADED = "This notebook's D-Tale shows nothing yet. Type in the notebook: %dtale df\n"


class Inside(Protocol):
    """What lies behind the door: the session."""

    owner: str
    slug: str
    assets: Assets
    panel_api: WSGIApplication | None
    is_busy: Callable[[], bool]
    on_use: Callable[[], None]

    @property
    def pages(self) -> Pages:
        """What leads here besides the slug."""

    @property
    def ports(self) -> tuple[int, ...]:
        """Every bound port."""

    def settings(self) -> Settings:
        """Resolve the settings that hold now."""

    def mount(self, root: str, prefix: str) -> WSGIApplication | None:
        """Give D-Tale's app for a public root; None while D-Tale is not loaded."""

    def happened(self, text: str, routine: bool = False) -> None:  # noqa: FBT001, FBT002 (a callback)
        """Hear of an event; an empty one is a change at a sibling."""

    def report(self) -> dict[str, Any]:
        """Say what siblings ask for."""

    def check(self) -> Verdict:
        """Find out by which URL this kernel's D-Tale is seen."""

    def stop(self) -> tuple[int, ...]:
        """Free every port."""


class Door:
    """Opens the ports of a session, and answers there.

    Parameters
    ----------
    session
        Whose D-Tale it is.
    """

    def __init__(self, session: Inside) -> None:
        self._session = session
        self._ports: Ports | None = None
        self._policy: guard.Policy | None = None
        self._policy_ports: tuple[int, ...] = ()
        self._policy_until = 0.0

    def open(self) -> Ports:
        """Make what answers, and its ports, of which none is bound yet."""
        inside, activity = self._session, Activity()

        def use() -> None:
            activity.note()
            inside.on_use()

        web = Web(
            inside.owner,
            lambda: inside.slug,
            self._mount,
            self.policy,
            self._answer_outsider,
            self._stop_soon,
            self._answer_click,
            use,
            inside.assets,
            inside.pages.behind,
        )
        self._ports = Ports(
            inside.owner,
            web,
            self._is_own,
            notebook.name,
            {"status": inside.report, "check": self._check, SHOWN: inside.pages.report},
            lambda: inside.settings().search_order,
            inside.happened,
            lambda: inside.is_busy(),  # noqa: PLW0108 (it may be set later)
        )
        looks = [link.slug for link in inside.pages.links.living()]
        self._ports.answer_to(inside.slug, *looks)
        return self._ports

    def _is_own(self, name: str) -> bool:
        inside = self._session
        if name in {inside.slug, inside.owner, inside.assets.token}:
            return True
        return inside.pages.links.find(name) is not None

    def _check(self) -> dict[str, Any]:
        return {"label": notebook.name(), **self._session.check().as_dict()}

    def policy(self) -> guard.Policy:
        """Return what holds for requests; read again for each would be dear."""
        ports = self._session.ports
        if (
            self._policy is None
            or time.monotonic() > self._policy_until
            or self._policy_ports != ports
        ):
            self._policy_until = time.monotonic() + _POLICY_SECONDS
            self._policy, self._policy_ports = self._read_policy(ports), ports
        return self._policy

    def forget_policy(self) -> None:
        """Have the next request meet the settings as they are then."""
        self._policy = None

    def _read_policy(self, ports: tuple[int, ...]) -> guard.Policy:
        try:
            now = self._session.settings()
        except SettingError:  # shown wherever settings are; the default is the strict one
            now = settings.resolve(environ={})
        urls = [os.environ.get(f"JUPYTERHUB_PUBLIC{part}_URL", "") for part in ("", "_HUB")]
        # The pod's page leads through the port that it came by to all notebooks, on any port.
        prefixes = public_urls.prefixes(now, {*ports, now.ingress_port})
        return guard.policy(now, prefixes, tuple(urls), in_cluster=settings.in_cluster())

    def _answer_click(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        answer = self._session.panel_api or Response("There is no panel.", 404)
        return answer(environ, start_response)

    def _answer_outsider(self, request: Request) -> Response | None:
        """Give a plain D-Tale of this user what it asks for before it takes a port."""
        if request.path not in {"/health", "/shutdown"} or self._ports is None:
            return None
        if not visitor.is_plain_dtale(request):
            return None
        if request.path == "/shutdown":
            self._ports.give_up(int(request.environ["SERVER_PORT"]))
            return Response("Server shutting down...")
        return Response("ok")

    def _stop_soon(self) -> None:
        """Stop from a request of the very server that stops."""
        stop = self._session.stop
        threading.Thread(target=stop, name="dtale_magics stop", daemon=True).start()

    def _mount(self, root: str, prefix: str) -> WSGIApplication:
        """Give D-Tale's app for a public root; a thread that serves a request imports nothing.

        The port can be bound, by ``%dtale_port 40005``, before D-Tale is there.
        """
        headers = {"Retry-After": "2"}
        return self._session.mount(root, prefix) or Response(
            _NOT_LOADED, 503, headers, mimetype="text/plain"
        )
