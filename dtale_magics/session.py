"""The kernel's one D-Tale, and the one door to it; safe to call from any thread."""

from __future__ import annotations

import os
import re
import secrets
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtale_magics import settings
from dtale_magics.errors import PortUnavailableError
from dtale_magics.once import once
from dtale_magics.serving.assets import Assets
from dtale_magics.system import notebook
from dtale_magics.viewer import patches
from dtale_magics.viewer.frames.sources import LAZY_ROWS
from dtale_magics.viewer.plain_show import HOST, PlainShow
from dtale_magics.viewer.preload import Preload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIApplication

    from dtale_magics.door import Door
    from dtale_magics.news import Event, News
    from dtale_magics.outcome import Outcome
    from dtale_magics.page.pages import Pages
    from dtale_magics.pod.front import Place
    from dtale_magics.pod.ports import Ports
    from dtale_magics.reach.reachability import Reachability
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.settings import PortRange, Settings
    from dtale_magics.state import Cell, FrameInfo, PortHolder, Status
    from dtale_magics.viewer.show_options import ShowOptions
    from dtale_magics.viewer.viewer import Viewer

_SLUG_BYTES = 16
"""128 random bits: the slug is a capability."""

TAKEOVER_SECONDS = 5.0
"""How long a takeover may take before it is refused, by default."""


class Session:
    """What this kernel's D-Tale can do: show, bind, take over, stop, status.

    Parameters
    ----------
    config
        Gives the traits of ``c.DtaleMagics`` by name.
    """

    def __init__(self, config: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._range: PortRange | None = None
        self._ports: Ports | None = None
        self.owner = secrets.token_hex(8)
        self.slug = _new_slug()
        self._slugs = {self.slug}
        self._plain_urls: set[str] = set()
        self._listening: frozenset[int] = frozenset()
        """On which ports this process listened when it was last looked for a plain D-Tale in it."""
        self.assets = Assets()
        self._plain_show = PlainShow(self)
        self._preload = Preload(self._load_dtale)
        self.panel_api: WSGIApplication | None = None
        """Answers the panel's clicks; whoever shows panels sets it."""
        self.on_use: Callable[[], None] = lambda: None
        """Called whenever somebody uses D-Tale; whoever shows panels sets it."""
        self.is_watched: Callable[[], bool] = lambda: False
        """Whether a page shows a panel; whoever shows panels sets it."""
        self.is_busy: Callable[[], bool] = lambda: False
        """Whether a cell runs; whoever knows the kernel sets it."""

    # What %load_ext does not need is imported and made when it is first asked for.

    @once
    def reach(self) -> Reachability:
        """Tell what is known of the ways to this kernel."""
        from dtale_magics.reach.reachability import Reachability  # noqa: PLC0415

        return Reachability(self)

    @once
    def _viewer(self) -> Viewer:
        from dtale_magics.viewer.viewer import Viewer  # noqa: PLC0415

        return Viewer(lambda: self.base_url, self.assets)

    @once
    def _door(self) -> Door:
        from dtale_magics.door import Door  # noqa: PLC0415

        return Door(self)

    @once
    def pages(self) -> Pages:
        """Give what leads here besides the slug: the pod's page, links that can only look."""
        from dtale_magics.page.pages import Pages  # noqa: PLC0415 (not at %load_ext)

        return Pages(self, notebook.name)

    @once
    def _news(self) -> News:
        from dtale_magics.news import News  # noqa: PLC0415

        return News()

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
        """Local URL of this kernel's D-Tale without a trailing slash."""
        port = self.port
        return None if port is None else f"http://{HOST}:{port}/{self.slug}"

    @property
    def public_url(self) -> str | None:
        """The URL by which a reader gets here, with the slug: what a page confirmed, or best known.

        A path where only the page knows the host, as below jupyter-server-proxy.
        """
        base = None if self.port is None else self.reach.best_base()
        return self.base_url if base is None else f"{base}/{self.slug}"

    def is_own_url(self, url: str) -> bool:
        """Whether `url` is, or once was, under this kernel's slug, on whatever port."""
        return any(f"/{slug}" in url for slug in self._slugs) or url in self._plain_urls

    def frame_moved(self, old: str, new: str) -> None:
        """Hear that D-Tale gave a frame another data id."""
        self._viewer.shown.places.moved(old, new)
        self.pages.links.moved(old, new)

    def settings(self) -> Settings:
        """Resolve the settings that hold now; `SettingError` when one cannot be used."""
        return settings.resolve(self._config(), override=self._range)

    def option(self, name: str) -> Any:
        """Return what ``c.DtaleMagics`` has under that name; None if it is not set."""
        return self._config().get(name)

    def is_exposed(self) -> bool:
        """Whether the ingress port is of use: to a Hub, to a cluster, or by a setting."""
        now, config = self.settings(), self._config()
        chosen = config.get("ingress_port") or os.environ.get("DTALE_INGRESS_PORT")
        in_cluster = settings.in_cluster()
        return bool(now.ingress_url or now.exposed_ports or chosen or in_cluster)

    def frames(self) -> tuple[FrameInfo, ...]:
        """Return what D-Tale shows, oldest first."""
        return self._viewer.shown.frames()

    def status(self) -> Status:
        """Return the state of this kernel's D-Tale; `SettingError` for unusable settings."""
        self.adopt_plain_dtale()
        ingress_port = self.settings().ingress_port
        return self._status(self._holder(ingress_port))

    def status_here(self) -> Status:
        """Return what is known without asking a sibling: who else has the ingress port is not."""
        return self._status(self._own_place(self.settings().ingress_port))

    def kernels(self) -> list[dict[str, Any]]:
        """Return the status of every D-Tale of this user in this pod, as `Status.as_dict` does.

        Of a kernel that does not answer, only what the system knows (``"responding": False``).
        """
        from dtale_magics.pod import peers  # noqa: PLC0415 (not at %load_ext)

        own = [self.report()] if self.ports else []
        return own + peers.statuses()

    def check(self, changed: Callable[[], None] = lambda: None) -> Verdict:
        """Find out by which URL this kernel's D-Tale is seen, within three seconds.

        Parameters
        ----------
        changed
            Called whenever more is known, which ``reach.verdict()`` then says.
        """
        from dtale_magics.pod import peers  # noqa: PLC0415 (not at %load_ext)

        def tell() -> None:
            self._news.tell()
            changed()

        return self.reach.check(tell, siblings=peers.statuses, pages=self.is_watched())

    def events(self) -> tuple[Event, ...]:
        """Return the last events of this kernel's D-Tale, oldest first."""
        return self._news.events

    def tell_siblings(self) -> None:
        """Let the siblings know that something changed here."""
        if self.ports:
            self._open_ports().happened("")

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called, from whatever thread, after each change here or at a sibling.

        Returns
        -------
        callable
            Ends the subscription.
        """
        self._open_ports()  # siblings tell their changes to those they can see
        return self._news.subscribe(callback)

    # ---------------------------------------------------------------- loading

    def open(self) -> None:
        """Let plain ``dtale.show`` use this session, and import D-Tale while the kernel is idle."""
        self._plain_show.install()
        self._preload.start()
        self.adopt_plain_dtale()

    def adopt_plain_dtale(self) -> None:
        """Stop servers that plain D-Tale runs in this process; their frames and ports go on here.

        They share D-Tale's state with us, and so would serve without a guard what is shown here.
        """
        if "dtale.app" not in sys.modules:
            return
        from dtale_magics.system import holders  # noqa: PLC0415 (not at %load_ext)
        from dtale_magics.viewer import plain_server  # noqa: PLC0415 (not at %load_ext)

        listening = holders.own_ports()
        if listening <= self._listening:  # to look for servers takes 50 ms
            return
        self._listening = listening
        for server in plain_server.stop_servers():
            self._plain_urls.add(server.base_url)
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
        """Whether plain ``dtale.show`` is served here, and not by Colab's or ngrok's ways."""
        return self._plain_show.serves

    @property
    def loaded(self) -> bool:
        """Whether D-Tale is imported, so that a frame can be shown at once."""
        return "dtale.app" in sys.modules and self._viewer.loaded

    def load(self) -> None:
        """Import D-Tale if that is still to be done, and raise what the import raises."""
        self._plain_show.install()
        self._preload.complete()

    # ----------------------------------------------------------------- frames

    def show(  # noqa: PLR0913 (what can be asked for, by keyword)
        self,
        frame: Any,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        cell: Cell | None = None,
        anonymous: bool = False,
        reset: bool = False,
        rows: int | None = None,
        typed: str = "",
        progress: Callable[[int, int, str], None] | None = None,
    ) -> tuple[Any, FrameInfo]:
        """Show a frame, in place if an earlier run of the cell has shown it.

        Parameters
        ----------
        frame
            Whatever `dtale_magics.viewer.frames.sources` reads.
        name
            Variable or expression that it came from.
        options
            D-Tale's show options by keyword.
        cell
            The cell that shows it; without one, `name` alone tells which frame it is.
        anonymous
            Whether nothing but the expression `name` leads to the frame; of such ones, the last few
            are kept.
        reset
            Whether to leave out what earlier shows of it left: filters, sorting, options.
        rows
            How many rows to show; by default all that are in memory, and of a lazy source as many
            as the setting `rows` says.
        typed
            The expression that `name` stands for, in full, for what an error says to type.
        progress
            Called before D-Tale analyses a column: with its number, how many there are, its name.

        Returns
        -------
        tuple
            D-Tale's instance, and the frame as `status` lists it.

        Raises
        ------
        FrameRefusedError, PortUnavailableError, SettingError
            Nothing has changed then.
        """
        self.load()
        self.adopt_plain_dtale()
        self.ensure()
        # Not under the lock: D-Tale may analyse for many seconds, while the port has to move.
        instance = self._viewer.show(
            frame,
            name,
            dict(options or {}),
            cell=cell,
            anonymous=anonymous,
            reset=reset,
            kept_expressions=self.settings().kept_expressions,
            progress=progress,
            rows=rows,
            typed=typed,
            lazy_rows=self._config().get("rows") or LAZY_ROWS,
        )
        shown = next(one for one in self.frames() if one.data_id == instance._data_id)  # noqa: SLF001
        self._did(f"Showing {shown}.")
        return instance, shown

    def follow(
        self,
        frame: FrameInfo,
        value: Any,
        options: Mapping[str, Any],
        *,
        rows: int | None = None,
    ) -> FrameInfo:
        """Show the value that a frame has now, in its place, as `show` does.

        No port is bound for that: where there is none, nobody looks.
        """
        self._viewer.show(
            value,
            frame.name,
            dict(options),
            kept_expressions=self.settings().kept_expressions,
            rows=rows,
            lazy_rows=self._config().get("rows") or LAZY_ROWS,
            data_id=frame.data_id,
        )
        shown = next(one for one in self.frames() if one.data_id == frame.data_id)
        self.happened(f"{shown.name} has changed and is shown anew.")
        return shown

    def show_options(self) -> ShowOptions:
        """Read the show options of the installed D-Tale."""
        self.load()
        return self._viewer.show_options()

    def tidy(self, cell: Cell) -> None:
        """Forget the frames that a cell showed once and in its last run did not."""
        if self._viewer.shown.tidy(cell):
            self.happened("")

    def find(self, *names: str) -> tuple[FrameInfo, ...]:
        """Find the frames that names mean, of each the one that was shown last at the end.

        Raises
        ------
        UnknownFrameError
            Names the frames there are.
        """
        found = [frame for name in names for frame in self._viewer.shown.find_all(name)]
        return tuple({frame.data_id: frame for frame in found}.values())

    def drop(self, *names: str) -> tuple[FrameInfo, ...]:
        """Forget frames: every one of each name, and every one at all for the name ``all``.

        Raises
        ------
        UnknownFrameError
            Names the frames there are; none is forgotten then.
        """
        dropped = self.frames() if names == ("all",) else self.find(*names)
        for frame in dropped:
            self._viewer.shown.drop(frame.data_id)
            self._did(f"Forgot {frame}.")
        return dropped

    def why_gone(self, data_id: str) -> str:
        """Say why there is no frame of that id any more; empty if that is not known."""
        return self._viewer.shown.why_gone(data_id)

    def data(self, frame: FrameInfo) -> Any:
        """Return a frame as its grid has it: filtered, sorted and edited, with its own index."""
        return self._viewer.shown.data(frame.data_id)

    def head(self, frame: FrameInfo, rows: int) -> Any:
        """Return the first rows of a frame as the user had it; None if it is gone."""
        return self._viewer.shown.head(frame.data_id, rows)

    def edited(self, frame: FrameInfo) -> Any:
        """Return all rows of a frame with what was edited in its grid; None if nothing was.

        What a later run of its cell replaced is there until something else is edited.
        """
        return self._viewer.shown.edited(frame.data_id)

    def edits(self, frame: FrameInfo) -> int:
        """Count what was edited in a frame's grid since its cell has run."""
        return self._viewer.shown.edits(frame.data_id)

    def new_link(self) -> None:
        """Give this kernel a new slug; links with the old one are dead from now on."""
        with self._lock:
            self.slug = _new_slug()
            self._slugs.add(self.slug)
            self.pages.links.revoke(*self.pages.links.living())
            self.answer_to_links()
        self._viewer.forget_roots()
        self._did("New links: the old ones are dead.")

    def answer_to_links(self) -> None:
        """Have siblings pass on what names this kernel's slug, or a link that can only look."""
        with self._lock:
            if self._ports is not None:
                looks = [link.slug for link in self.pages.links.living()]
                self._ports.answer_to(self.slug, *looks)

    # ------------------------------------------------------------------ ports

    def ensure(self, port: int | None = None, *, force: bool = False) -> None:
        """Bind `port`, or any port of the range if there is none yet.

        Parameters
        ----------
        port
            A port, which URLs name from now on.
        force
            Whether to take it from whoever has it.

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
        self, port: int | None = None, *, deadline_seconds: float = TAKEOVER_SECONDS
    ) -> Outcome:
        """Get a port, by default the ingress port, and be the notebook in front there.

        Parameters
        ----------
        port
            The port.
        deadline_seconds
            After so long the answer is `dtale_magics.outcome.Refused`.

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
        """Let the notebook that was in front before be in front again, by default at the ingress.

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
        """Have the next request meet the settings as they are then."""
        self._door.forget_policy()

    def set_range(self, chosen: PortRange | None) -> None:
        """Look for ports in `chosen` from now on; None returns to the configured range."""
        self._range = chosen
        self._news.tell()

    def stop(self) -> tuple[int, ...]:
        """Free every port; frames are kept, and shown again under the same links afterwards.

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
                self._ports = self._door.open()
            return self._ports

    def mount(self, root: str, prefix: str) -> WSGIApplication | None:
        """Give D-Tale's app for a public root; None while D-Tale is not loaded."""
        return self._viewer.app(root, prefix) if self.loaded else None

    def happened(self, text: str, routine: bool = False) -> None:  # noqa: FBT001, FBT002 (a callback)
        """Pass an event on, or the news that something changed elsewhere."""
        self._plain_show.announce()
        if text:
            self._news.add(text, routine=routine)
        else:
            self._news.tell()

    def _did(self, text: str) -> None:
        """Enter what the user has just typed, which is no news to the user."""
        self._news.add(text, routine=True)
        self.tell_siblings()

    def _status(self, ingress_holder: PortHolder | None) -> Status:
        from dtale_magics.state import Status  # noqa: PLC0415 (not at %load_ext)

        now = self.settings()
        base = self.base_url
        ports = self.ports
        return Status(
            owner=self.owner,
            label=notebook.name(),
            pid=os.getpid(),
            range=now.range,
            port=self.port,
            ports=ports,
            url=base and f"{base}/",
            ingress_port=now.ingress_port,
            holds_ingress=ingress_holder is not None and ingress_holder.kind == "this kernel",
            ingress_holder=ingress_holder,
            frames=self.frames(),
            open_access=now.open_access,
        )

    def report(self) -> dict[str, Any]:
        """Report to a sibling that lists all: who has the ingress port it finds out itself."""
        return {**self.status_here().as_dict(), "responding": True}

    def shown(self) -> dict[str, Any]:
        """Say what the pod's page shows of this kernel."""
        return {
            "owner": self.owner,
            "pid": os.getpid(),
            "ports": list(self.ports),
            "slug": self.slug,
            "open_access": self._door.policy().open_access,
            "frames": self.frames(),
        }

    def _load_dtale(self) -> None:
        self._viewer.app(f"/{self.slug}")
        self.assets.compress()

    def _own_place(self, port: int) -> PortHolder | None:
        """Return ourselves if we are in front at `port`."""
        if port not in self.ports:
            return None
        from dtale_magics.pod import front  # noqa: PLC0415 (not at %load_ext)

        place = front.in_front(port)
        return self._own_holder(port, place) if place and place.owner == self.owner else None

    @staticmethod
    def _own_holder(port: int, place: Place) -> PortHolder:
        from dtale_magics.state import PortHolder  # noqa: PLC0415 (not at %load_ext)

        return PortHolder(port, "this kernel", notebook.name(), os.getpid(), place.since)

    def _holder(self, port: int) -> PortHolder | None:
        from dtale_magics.pod import front, ports  # noqa: PLC0415 (not at %load_ext)
        from dtale_magics.serving import listener  # noqa: PLC0415 (not at %load_ext)
        from dtale_magics.state import PortHolder  # noqa: PLC0415
        from dtale_magics.system import holders  # noqa: PLC0415 (not at %load_ext)

        place = front.in_front(port)
        if place is not None:
            own = place.owner == self.owner
            return self._own_holder(port, place) if own else ports.holder(port, place)
        found = holders.find(port)
        if not found or (not found[0].listening and listener.could_bind(port)):
            return None  # connections that our own kind has left in TIME_WAIT do not count
        mine = found[0].pid == os.getpid()
        label = "another server in this notebook" if mine else str(found[0])
        return PortHolder(port, "process", label, found[0].pid, found[0].since)


def _new_slug() -> str:
    return f"{_readable_part()}-{secrets.token_hex(_SLUG_BYTES)}"


def _readable_part() -> str:
    """Make the front of the slug from the notebook's name, for the eye only."""
    stem = Path(os.environ.get("JPY_SESSION_NAME", "")).name.removesuffix(".ipynb").lower()
    return re.sub(r"[^a-z0-9]+", "-", stem)[:24].strip("-") or "dtale"


class _Current:
    """The session of this process; a forked child gets one of its own."""

    session: Session | None = None
    pid = 0
    lock = threading.Lock()


def current() -> Session:
    """Return the session of this process, which exists from the first call on."""
    with _Current.lock:
        if _Current.session is None or _Current.pid != os.getpid():
            _Current.session, _Current.pid = Session(), os.getpid()
        return _Current.session


def renew(config: Callable[[], Mapping[str, Any]]) -> Session:
    """Make a fresh session the current one; the extension does so when it is loaded."""
    with _Current.lock:
        _Current.session, _Current.pid = Session(config), os.getpid()
        return _Current.session
