"""This kernel's D-Tale: its actions and its state; safe to call from any thread.

Two lazy imports keep ``%load_ext`` quick. `Session.wiring` imports what binds ports and answers
there; `dtale_magics.frames.Frames.viewer` imports D-Tale, pandas and Flask.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
from typing import TYPE_CHECKING, Any

from dtale_magics import deadlines, settings
from dtale_magics.errors import PortUnavailableError
from dtale_magics.frames import Frames
from dtale_magics.news import News
from dtale_magics.serving.assets import Assets
from dtale_magics.state import Audience, Status
from dtale_magics.system import notebook
from dtale_magics.viewer.patches import undoing as patches
from dtale_magics.viewer.patches.plain_show import HOST, PlainShow
from dtale_magics.viewer.preload import Preload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIApplication

    from dtale_magics.news import Event
    from dtale_magics.outcome import Outcome
    from dtale_magics.page.pages import Pages
    from dtale_magics.pod.ports import Ports
    from dtale_magics.reach.reachability import Reachability
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.settings import PortRange, Settings
    from dtale_magics.state import PortHolder
    from dtale_magics.wiring import Wiring


class Session:
    """What this kernel's D-Tale can do: show, bind, take over, stop, status.

    Parameters
    ----------
    config
        Returns the traits of ``c.DtaleMagics`` by name.
    """

    def __init__(self, config: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._range: PortRange | None = None
        self._ports: Ports | None = None
        self._wiring: Wiring | None = None
        self.owner = secrets.token_hex(8)
        self.slug = notebook.new_slug()
        self._slugs = {self.slug}
        self.assets = Assets()
        self._news = News()
        self.frames = Frames(
            base_url=lambda: self.base_url,
            assets=self.assets,
            settings=self.settings,
            load=self.load,
            prepare=self._prepare_to_show,
            happened=self.happened,
            noted=self._note,
        )
        self._plain_show = PlainShow(self)
        self._preload = Preload(self._load_dtale)
        self.panel_api: WSGIApplication | None = None
        """Answers the panel's clicks; set by the code that shows panels."""
        self.controller: Any = None
        """Stands between this session and its panels; set by the code that shows panels."""
        self.on_use: Callable[[], None] = lambda: None
        """Called whenever somebody uses D-Tale; set by the code that shows panels."""
        self.is_watched: Callable[[], bool] = lambda: False
        """Whether a page shows a panel; set by the code that shows panels."""
        self.is_busy: Callable[[], bool] = lambda: False
        """Whether a cell is running; set by the code that knows the kernel."""

    @property
    def wiring(self) -> Wiring:
        """What binds ports and answers there; imported and made on first use."""
        with self._lock:
            if self._wiring is None:
                from dtale_magics.wiring import Wiring

                self._wiring = Wiring(self)
            return self._wiring

    @property
    def reach(self) -> Reachability:
        """What is known about the ways to this kernel."""
        return self.wiring.reach

    @property
    def pages(self) -> Pages:
        """What leads here besides the slug: the pod's page, and look-only links."""
        return self.wiring.pages

    # ------------------------------------------------------------------ state

    @property
    def ports(self) -> tuple[int, ...]:
        """Every bound port, in the order in which they were bound."""
        return () if self._ports is None else self._ports.all

    @property
    def port(self) -> int | None:
        """The port that URLs name; None while nothing is bound."""
        return None if self._ports is None else self._ports.named

    @property
    def base_url(self) -> str | None:
        """Local URL of this kernel's D-Tale, without a trailing slash."""
        port = self.port
        return None if port is None else f"http://{HOST}:{port}/{self.slug}"

    @property
    def public_url(self) -> str | None:
        """The URL that brings a reader here, with the slug: one that a page confirmed, or the best.

        It is only a path if just the page knows the host, as below jupyter-server-proxy.
        """
        return self.public_url_of(self.slug)

    def public_url_of(self, segment: str) -> str | None:
        """Return the same as `public_url` for another first segment of the path."""
        if self.port is None:
            return None
        base = self.reach.best_base() or f"http://{HOST}:{self.port}"
        return f"{base}/{segment}"

    def page_capability(self) -> str:
        """Return the first path segment of the pod's page; empty if nobody has asked for it."""
        return self.pages.capability.current() or ""

    def is_own_url(self, url: str) -> bool:
        """Whether `url` is, or once was, below this kernel's slug, on any port."""
        return any(f"/{slug}" in url for slug in self._slugs) or self._was_plain(url)

    def frame_moved(self, old: str, new: str) -> None:
        """Be told that D-Tale gave a frame another data id."""
        self.frames.moved(old, new)
        self.pages.links.moved(old, new)

    def settings(self) -> Settings:
        """Resolve the settings that hold now; `SettingError` if one is unusable."""
        return settings.resolve(self._config(), override=self._range)

    def option(self, name: str) -> Any:
        """Return the trait of ``c.DtaleMagics`` with that name; None if it is not set."""
        return self._config().get(name)

    def audience(self) -> Audience:
        """Say who asks for the ingress port, as far as settings and findings show."""
        now, config = self.settings(), self._config()
        if now.leads_to(self.port):
            return Audience.NOBODY
        chosen = config.get("ingress_port") or os.environ.get("DTALE_INGRESS_PORT")
        if now.ingress_url or now.exposed_ports or chosen:
            return Audience.INGRESS
        if not settings.in_cluster():
            return Audience.MACHINE
        # If no other way leads here, there may be an ingress that nobody has told us about.
        verdict = self.reach.verdict()
        if self.ports and (verdict.reachable is False or not verdict.by_proxy):
            return Audience.INGRESS
        return Audience.MACHINE if now.open_access else Audience.NOBODY

    def status(self) -> Status:
        """Return the state of this kernel's D-Tale; `SettingError` for unusable settings."""
        self.adopt_plain_dtale()
        return self._status(self.wiring.holder(self.settings().ingress_port))

    def status_here(self) -> Status:
        """Return the state as far as it is known without asking siblings.

        If another kernel has the ingress port, that is not known.
        """
        return self._status(self.wiring.own_place(self.settings().ingress_port))

    def kernels(self) -> list[dict[str, Any]]:
        """Return the status of every D-Tale of this user in this pod, as `Status.as_dict` does.

        For a kernel that does not answer, only what the system knows (``"responding": False``).
        """
        own = [self.report()] if self.ports else []
        return own + self.wiring.statuses()

    def check(self, changed: Callable[[], None] = lambda: None) -> Verdict:
        """Find out by which URL this kernel's D-Tale is seen, within three seconds.

        Parameters
        ----------
        changed
            Called whenever more is known; ``reach.verdict()`` then returns it.
        """

        def tell() -> None:
            self._news.tell()
            changed()

        return self.reach.check(tell, siblings=self.wiring.statuses, pages=self.is_watched())

    def events(self) -> tuple[Event, ...]:
        """Return the last events of this kernel's D-Tale, oldest first."""
        return self._news.events

    def tell_siblings(self) -> None:
        """Tell the siblings that something changed here."""
        if self.ports:
            self._open_ports().happened("")

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called, from any thread, after each change here or at a sibling.

        Returns
        -------
        callable
            Ends the subscription.
        """
        self._open_ports()  # siblings announce their changes only to kernels with a channel
        return self._news.subscribe(callback)

    # ---------------------------------------------------------------- loading

    def open(self) -> None:
        """Let plain ``dtale.show`` use this session, and import D-Tale while the kernel is idle."""
        self._plain_show.install()
        self._preload.start()
        self.adopt_plain_dtale()

    def adopt_plain_dtale(self) -> None:
        """Stop servers that plain D-Tale runs in this process, keeping their frames and ports.

        They share D-Tale's state with us, so they would serve what is shown here without a guard.
        """
        if "dtale.app" not in sys.modules:
            return
        for server in self.wiring.plain_servers.stop(self.ports):
            try:
                self._open_ports().bind(server.port)
            except PortUnavailableError as error:
                where = f"its port is lost: {error.what}"
            else:
                where = f"port {server.port} and its frames are kept, below new links."
            self.happened(f"The server of a plain dtale.show() was stopped; {where}")

    def close(self) -> None:
        """Free every port and put D-Tale back as it was."""
        self._preload.stop()
        self.stop()
        self._plain_show.uninstall()
        patches.undo()

    @property
    def serves(self) -> bool:
        """Whether plain ``dtale.show`` is served here, and not through Colab or ngrok."""
        return self._plain_show.serves

    @property
    def loaded(self) -> bool:
        """Whether D-Tale is imported, so that a frame can be shown at once."""
        return self.frames.loaded

    def load(self) -> None:
        """Import D-Tale if it is not yet imported, and raise what the import raises."""
        self._plain_show.install()
        self._preload.complete()

    def new_link(self) -> None:
        """Give this kernel a new slug; links with the old one stop working at once."""
        with self._lock:
            self.slug = notebook.new_slug()
            self._slugs.add(self.slug)
            self.pages.links.revoke(*self.pages.links.living())  # this also announces the slug
        self.frames.forget_roots()
        self._note("New links: the old ones are dead.")

    # ------------------------------------------------------------------ ports

    def ensure(self, port: int | None = None, *, force: bool = False) -> None:
        """Bind `port`, or any port of the range if there is none yet.

        Parameters
        ----------
        port
            A port, which URLs name from now on.
        force
            Whether to take it from its holder.

        Raises
        ------
        PortUnavailableError
            Says who has the port.
        """
        if port is None:
            self._open_ports().ensure(self.settings().search_order)
        elif force:
            self.take_over(port).require()
        else:
            self.bind(port)
        self._plain_show.announce()

    def bind(self, port: int) -> None:
        """Serve on `port`, which URLs name from now on; other ports stay, for open tabs.

        Raises
        ------
        PortUnavailableError
            Says who has the port.
        """
        self._open_ports().bind(port)
        self._plain_show.announce()

    def take_over(
        self, port: int | None = None, *, deadline_seconds: float = deadlines.TAKEOVER
    ) -> Outcome:
        """Get a port, by default the ingress port, and be the notebook in front there.

        Parameters
        ----------
        port
            The port.
        deadline_seconds
            Time-out, after which the outcome is `dtale_magics.outcome.Refused`.

        Returns
        -------
        dtale_magics.outcome.Outcome
            What happened; a refusal is an outcome, not an error.
        """
        wanted = self.settings().ingress_port if port is None else port
        self.adopt_plain_dtale()
        outcome = self._open_ports().take(wanted, deadline_seconds)
        self._plain_show.announce()
        return outcome

    def release(self, port: int | None = None) -> Outcome:
        """Let the notebook that was in front before us be in front again.

        Parameters
        ----------
        port
            The port, by default the ingress port.

        Returns
        -------
        dtale_magics.outcome.Outcome
            What happened; a refusal is an outcome, not an error.
        """
        wanted = self.settings().ingress_port if port is None else port
        outcome = self._open_ports().release(wanted)
        self._plain_show.announce()
        return outcome

    def settings_changed(self) -> None:
        """Have the next request use the settings as they are then."""
        self.wiring.forget_policy()

    def set_range(self, chosen: PortRange | None) -> None:
        """Look for ports in `chosen` from now on; None returns to the configured range."""
        self._range = chosen
        self._news.tell()

    def stop(self) -> tuple[int, ...]:
        """Free every port; frames are kept, and can be shown again under the same links.

        Returns
        -------
        tuple of int
            The ports that were freed.
        """
        with self._lock:
            freed = self.ports
            ports, self._ports = self._ports, None
            if ports is not None:
                ports.stop()
        self._plain_show.announce()
        if freed:
            self.happened(
                f"Stopped; port {', '.join(map(str, freed))} is free again.", routine=True
            )
        return freed

    # --------------------------------------------------------------- internal

    def _open_ports(self) -> Ports:
        with self._lock:
            if self._ports is None or not self._ports.alive:
                self._ports = self.wiring.open()
            return self._ports

    def happened(self, text: str, routine: bool = False) -> None:  # noqa: FBT001, FBT002 (a callback)
        """Pass on an event, or (if `text` is empty) the news that something changed elsewhere."""
        self._plain_show.announce()
        if text:
            self._news.add(text, routine=routine)
        else:
            self._news.tell()

    def _note(self, text: str) -> None:
        """Log what the user has just typed, which is not news to the user."""
        self._news.add(text, routine=True)
        self.tell_siblings()

    def _status(self, ingress_holder: PortHolder | None) -> Status:
        now = self.settings()
        base = self.base_url
        ports = self.ports
        ours = ingress_holder is not None and ingress_holder.kind == "this kernel"
        return Status(
            owner=self.owner,
            # Asked only once: each question costs 0.25 s while the Jupyter server is busy.
            label=ingress_holder.label if ingress_holder and ours else notebook.name(),
            pid=os.getpid(),
            range=now.range,
            port=self.port,
            ports=ports,
            url=base and f"{base}/",
            ingress_port=now.ingress_port,
            holds_ingress=ours,
            ingress_holder=ingress_holder,
            frames=self.frames.all(),
            open_access=now.open_access,
        )

    def report(self) -> dict[str, Any]:
        """Report to a sibling that lists all kernels; it finds the ingress port's holder itself."""
        return {**self.status_here().as_dict(), "responding": True}

    def _load_dtale(self) -> None:
        self.frames.viewer.app(f"/{self.slug}")
        self.assets.compress()

    def _prepare_to_show(self) -> None:
        self.load()
        self.adopt_plain_dtale()
        self.ensure()

    def _was_plain(self, url: str) -> bool:
        """Whether a plain D-Tale of this process that we have stopped was at that URL."""
        return self._wiring is not None and url in self._wiring.plain_servers.urls


class _Current:
    """The session of this process; a forked child gets one of its own."""

    session: Session | None = None
    pid = 0
    lock = threading.Lock()


def current() -> Session:
    """Return the session of this process; the first call makes it."""
    with _Current.lock:
        if _Current.session is None or _Current.pid != os.getpid():
            _Current.session, _Current.pid = Session(), os.getpid()
        return _Current.session


def renew(config: Callable[[], Mapping[str, Any]]) -> Session:
    """Make a fresh session the current one; the extension does so when it is loaded."""
    with _Current.lock:
        _Current.session, _Current.pid = Session(config), os.getpid()
        return _Current.session
