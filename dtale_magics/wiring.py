"""Puts a kernel's D-Tale together: its server, its ports, and the questions to siblings.

This is one of the two lazy imports of `dtale_magics.session`: ``%load_ext`` does not import it.
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
from dtale_magics.page.pages import Pages
from dtale_magics.pod import front, peers
from dtale_magics.pod import ports as pod_ports
from dtale_magics.pod.ports import Ports
from dtale_magics.reach import public_urls
from dtale_magics.reach.reachability import Reachability
from dtale_magics.serving import guard, visitor
from dtale_magics.serving.activity import Activity
from dtale_magics.serving.transport import listener
from dtale_magics.serving.web import Web
from dtale_magics.state import PortHolder
from dtale_magics.system import holders, notebook
from dtale_magics.viewer.patches.plain_server import PlainServers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from dtale_magics.frames import Frames
    from dtale_magics.pod.front import Place
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.serving.assets import Assets
    from dtale_magics.settings import Settings

_POLICY_SECONDS = 1.0
"""How long the policy for requests is cached; a change of a setting or a port counts at once."""

_NOT_LOADED = "This notebook's D-Tale shows nothing yet. Type in the notebook: %dtale df\n"


class Kernel(Protocol):
    """What has to be known about the kernel; `dtale_magics.session.Session` has it."""

    owner: str
    slug: str
    assets: Assets
    frames: Frames
    panel_api: WSGIApplication | None
    is_busy: Callable[[], bool]
    on_use: Callable[[], None]

    @property
    def port(self) -> int | None:
        """The port that URLs name; None while nothing is bound."""

    @property
    def ports(self) -> tuple[int, ...]:
        """Every bound port."""

    def settings(self) -> Settings:
        """Resolve the settings that hold now."""

    def happened(self, text: str, routine: bool = False) -> None:  # noqa: FBT001, FBT002 (a callback)
        """Be told of an event; an empty text means a change at a sibling."""

    def report(self) -> dict[str, Any]:
        """Return the report that siblings ask for."""

    def check(self) -> Verdict:
        """Find out by which URL this kernel's D-Tale is seen."""

    def stop(self) -> tuple[int, ...]:
        """Free every port."""


class Wiring:
    """What a session needs as soon as it binds a port or asks who has one.

    Parameters
    ----------
    kernel
        The kernel whose D-Tale it is.

    Attributes
    ----------
    reach
        What is known about the ways to this kernel.
    plain_servers
        Servers of a plain ``dtale.show()`` in this process.
    pages
        The pod's page, and look-only links.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.reach = Reachability(kernel)
        self.plain_servers = PlainServers()
        self.pages = Pages(self, notebook.name)
        self._ports: Ports | None = None
        self._policy: guard.Policy | None = None
        self._policy_ports: tuple[int, ...] = ()
        self._policy_until = 0.0

    # ---------------------------------------------------------- who has a port

    statuses = staticmethod(peers.statuses)
    """Asks the siblings for their reports."""

    def holder(self, port: int) -> PortHolder | None:
        """Say who has a port, whoever it is; None if it is free."""
        place = front.in_front(port)
        if place is not None:
            own = place.owner == self._kernel.owner
            return _own_holder(port, place) if own else pod_ports.holder(port, place)
        found = holders.find(port)
        if not found or (not found[0].listening and listener.could_bind(port)):
            return None  # connections that kernels have left in TIME_WAIT do not count
        mine = found[0].pid == os.getpid()
        label = "another server in this notebook" if mine else str(found[0])
        return PortHolder(port, "process", label, found[0].pid, found[0].since)

    def own_place(self, port: int) -> PortHolder | None:
        """Return ourselves if we are in front at a port, without asking anybody."""
        place = front.in_front(port) if port in self._kernel.ports else None
        return _own_holder(port, place) if place and place.owner == self._kernel.owner else None

    # ----------------------------------------------------------- the server

    def open(self) -> Ports:
        """Make the server and its ports, none of which is bound yet."""
        kernel, activity = self._kernel, Activity()

        def use() -> None:
            activity.note()
            kernel.on_use()

        web = Web(
            owner=kernel.owner,
            slug=lambda: kernel.slug,
            mount=self._mount,
            policy=self.policy,
            outside=self._answer_outsider,
            stop=self._stop_soon,
            actions=self._answer_click,
            used=use,
            assets=kernel.assets,
            pages=self.pages.behind,
        )
        self._ports = Ports(
            owner=kernel.owner,
            app=web,
            is_own=self._is_own,
            label=notebook.name,
            reports={"status": kernel.report, "check": self._check, SHOWN: self.pages.report},
            search_order=lambda: kernel.settings().search_order,
            happened=kernel.happened,
            is_busy=lambda: kernel.is_busy(),  # noqa: PLW0108 (it may be set later)
        )
        self.answer_to_links()
        return self._ports

    def answer_to_links(self) -> None:
        """Have siblings pass on requests that name this kernel's slug or one of its links."""
        if self._ports is not None:
            looks = [link.slug for link in self.pages.links.living()]
            self._ports.answer_to(self._kernel.slug, *looks)

    def shown(self) -> dict[str, Any]:
        """Return what the pod's page shows about this kernel."""
        return {
            "owner": self._kernel.owner,
            "pid": os.getpid(),
            "ports": list(self._kernel.ports),
            "slug": self._kernel.slug,
            "open_access": self.policy().open_access,
            "frames": self._kernel.frames.all(),
        }

    def _is_own(self, name: str) -> bool:
        kernel = self._kernel
        own = name in {kernel.slug, kernel.owner, kernel.assets.token}
        return own or self.pages.links.find(name) is not None

    def _check(self) -> dict[str, Any]:
        return {"label": notebook.name(), **self._kernel.check().as_dict()}

    def policy(self) -> guard.Policy:
        """Return the policy for requests; cached, because reading the settings is slow."""
        ports = self._kernel.ports
        if (
            self._policy is None
            or time.monotonic() > self._policy_until
            or self._policy_ports != ports
        ):
            self._policy_until = time.monotonic() + _POLICY_SECONDS
            self._policy, self._policy_ports = self._read_policy(ports), ports
        return self._policy

    def forget_policy(self) -> None:
        """Have the next request use the settings as they are then."""
        self._policy = None

    def _read_policy(self, ports: tuple[int, ...]) -> guard.Policy:
        try:
            now = self._kernel.settings()
        except SettingError:  # reported wherever settings are shown; the default is strict
            now = settings.resolve(environ={})
        urls = [os.environ.get(f"JUPYTERHUB_PUBLIC{part}_URL", "") for part in ("", "_HUB")]
        # From the port that it was opened on, the pod's page leads to notebooks on any port.
        prefixes = public_urls.prefixes(now, {*ports, now.ingress_port})
        return guard.policy(now, prefixes, tuple(urls), in_cluster=settings.in_cluster())

    def _answer_click(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        answer = self._kernel.panel_api or Response("There is no panel.", 404)
        return answer(environ, start_response)

    def _answer_outsider(self, request: Request) -> Response | None:
        """Give a plain D-Tale of this user the answers that it wants before it takes a port."""
        if request.path not in {"/health", "/shutdown"} or self._ports is None:
            return None
        if not visitor.is_plain_dtale(request):
            return None
        if request.path == "/shutdown":
            self._ports.give_up(int(request.environ["SERVER_PORT"]))
            return Response("Server shutting down...")
        return Response("ok")

    def _stop_soon(self) -> None:
        """Stop in a thread: the caller is a request of the server that is to stop."""
        stop = self._kernel.stop
        threading.Thread(target=stop, name="dtale_magics stop", daemon=True).start()

    def _mount(self, root: str, prefix: str) -> WSGIApplication:
        """Return D-Tale's app for a public root, or 503 if D-Tale is not loaded yet.

        ``%dtale_port 40005`` can bind the port before that, and a thread that serves a request must
        not import D-Tale.
        """
        headers = {"Retry-After": "2"}
        return self._kernel.frames.mount(root, prefix) or Response(
            _NOT_LOADED, 503, headers, mimetype="text/plain"
        )


def _own_holder(port: int, place: Place) -> PortHolder:
    return PortHolder(port, "this kernel", notebook.name(), os.getpid(), place.since)
