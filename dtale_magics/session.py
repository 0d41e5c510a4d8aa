"""The kernel's one D-Tale, and the one door to it; safe to call from any thread."""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtale_magics import settings
from dtale_magics.errors import SettingError
from dtale_magics.once import once
from dtale_magics.serving.assets import Assets
from dtale_magics.system import notebook
from dtale_magics.viewer.plain_show import HOST, PlainShow
from dtale_magics.viewer.sources import LAZY_ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.wrappers import Request, Response

    from dtale_magics.news import Event, News
    from dtale_magics.outcome import Outcome
    from dtale_magics.pod.peers import Frame
    from dtale_magics.pod.ports import Ports
    from dtale_magics.reach.reachability import Reachability
    from dtale_magics.reach.verdict import Verdict
    from dtale_magics.serving import guard
    from dtale_magics.settings import PortRange, Settings
    from dtale_magics.state import FrameInfo, PortHolder, Status
    from dtale_magics.viewer.show_options import ShowOptions
    from dtale_magics.viewer.viewer import Viewer

_SLUG_BYTES = 16
"""128 random bits: the slug is a capability."""

_CLUSTER = ("JUPYTERHUB_SERVICE_PREFIX", "KUBERNETES_SERVICE_HOST")
"""Environment by which a Hub or Kubernetes shows itself."""

_POLICY_SECONDS = 1.0
"""How long what holds for requests is kept; a change of a setting or a port counts at once."""

_IMPORT_SWITCH_SECONDS = 0.0002

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
        self._last_policy: guard.Policy
        self._policy_ports: tuple[int, ...] = ()
        self._policy_until = 0.0
        self._assets = Assets()
        self._plain_show = PlainShow(self)
        self._preload: threading.Thread | None = None
        self._preload_error: BaseException | None = None

    # What %load_ext does not need is imported and made when it is first asked for.

    @once
    def reach(self) -> Reachability:
        """Tell what is known of the ways to this kernel."""
        from dtale_magics.reach.reachability import Reachability  # noqa: PLC0415

        return Reachability(self)

    @once
    def _viewer(self) -> Viewer:
        from dtale_magics.viewer.viewer import Viewer  # noqa: PLC0415

        return Viewer(lambda: self.base_url, self._assets)

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

    def is_own_url(self, url: str) -> bool:
        """Whether `url` is, or once was, under this kernel's slug, on whatever port."""
        return any(f"/{slug}" in url for slug in self._slugs)

    def settings(self) -> Settings:
        """Resolve the settings that hold now; `SettingError` when one cannot be used."""
        return settings.resolve(self._config(), override=self._range)

    def frames(self) -> tuple[FrameInfo, ...]:
        """Return what D-Tale shows, oldest first."""
        return self._viewer.frames()

    def status(self) -> Status:
        """Return the state of this kernel's D-Tale; `SettingError` for unusable settings."""
        ingress_port = self.settings().ingress_port
        return self._status(self._holder(ingress_port))

    def kernels(self) -> list[dict[str, Any]]:
        """Return the status of every D-Tale of this user in this pod, as `Status.as_dict` does.

        Of a kernel that does not answer, only what the system knows (``"responding": False``).
        """
        from dtale_magics.pod import ports  # noqa: PLC0415 (not at %load_ext)

        own = [self._report()] if self.ports else []
        return own + ports.statuses()

    def check(self, changed: Callable[[], None] = lambda: None) -> Verdict:
        """Find out by which URL this kernel's D-Tale is seen, within three seconds.

        Parameters
        ----------
        changed
            Called whenever more is known, which ``reach.verdict()`` then says.
        """
        controller = sys.modules.get("dtale_magics.frontend.controller")
        pages = controller is not None and controller.is_watched(self)

        def tell() -> None:
            self._news.tell()
            changed()

        return self.reach.check(tell, pages=pages)

    def events(self) -> tuple[Event, ...]:
        """Return the last events of this kernel's D-Tale, oldest first."""
        return self._news.events

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
        """Let plain ``dtale.show`` use this session, and import D-Tale in the background."""
        self._plain_show.install()
        self._preload = threading.Thread(
            target=self._load_dtale, name="dtale_magics preload", daemon=True
        )
        self._preload.start()

    def close(self) -> None:
        """Free every port and put D-Tale back as it was."""
        self.stop()
        self._plain_show.uninstall()

    @property
    def loading(self) -> bool:
        """Whether D-Tale is still being imported."""
        return self._preload is not None and self._preload.is_alive()

    def wait_until_loaded(self) -> None:
        """Wait for the import of D-Tale, and raise what it raised."""
        if self._preload is not None:
            self._preload.join()
        if self._preload_error is not None:
            raise self._preload_error

    # ----------------------------------------------------------------- frames

    def show(  # noqa: PLR0913 (each is one thing that can be said of a show)
        self,
        frame: Any,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        reset: bool = False,
        rows: int | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> tuple[Any, FrameInfo]:
        """Show a frame, in place if `name` is shown already.

        Parameters
        ----------
        frame
            Whatever `dtale_magics.viewer.sources` reads.
        name
            Variable or expression that it came from.
        options
            D-Tale's show options by keyword.
        reset
            Whether to leave out what earlier shows of it left: filters, sorting, options.
        rows
            How many rows to show; by default all that are in memory, and of a lazy source as many
            as the setting `rows` says.
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
        self.wait_until_loaded()
        self.ensure()
        # Not under the lock: D-Tale may analyse for many seconds, while the port has to move.
        instance = self._viewer.show(
            frame,
            name,
            dict(options or {}),
            reset=reset,
            progress=progress,
            rows=rows,
            lazy_rows=self._config().get("rows") or LAZY_ROWS,
        )
        shown = next(one for one in self.frames() if one.data_id == instance._data_id)  # noqa: SLF001
        self._open_ports().happened(f"Showing {shown}.")
        return instance, shown

    def show_options(self) -> ShowOptions:
        """Read the show options of the installed D-Tale."""
        self.wait_until_loaded()
        return self._viewer.show_options()

    def drop(self, *names: str) -> tuple[FrameInfo, ...]:
        """Forget frames, every one for the name ``all``.

        Raises
        ------
        UnknownFrameError
            Names the frames there are; none is forgotten then.
        """
        if names == ("all",):
            names = tuple(frame.data_id for frame in self.frames())
        ids = dict.fromkeys(self._viewer.find(name).data_id for name in names)
        dropped = tuple(map(self._viewer.drop, ids))
        for frame in dropped:
            self._open_ports().happened(f"Forgot {frame}.")
        return dropped

    def data(self, name: str) -> Any:
        """Return a frame as its grid has it, filtered and edited.

        Raises
        ------
        UnknownFrameError
            Names the frames there are.
        """
        return self._viewer.data(name)

    def new_link(self) -> None:
        """Give this kernel a new slug; links with the old one are dead from now on."""
        with self._lock:
            self.slug = _new_slug()
            self._slugs.add(self.slug)
        self._viewer.forget_roots()
        self._happened("New links: the old ones are dead.")

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
            self._open_ports().ensure(self.settings().range.ports)
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
        """Get a port, by default the ingress port, from whoever has it.

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
        outcome = self._open_ports().take(wanted, deadline_seconds)
        self._plain_show.announce()
        return outcome

    def release(
        self, port: int | None = None, *, deadline_seconds: float = TAKEOVER_SECONDS
    ) -> Outcome:
        """Give a port, by default the ingress port, back to the notebook that had it before."""
        wanted = self.settings().ingress_port if port is None else port
        outcome = self._open_ports().release(wanted, deadline_seconds)
        self._plain_show.announce()
        return outcome

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
            self._happened(f"Stopped; port {', '.join(map(str, freed))} is free again.")
        return freed

    # --------------------------------------------------------------- internal

    def _open_ports(self) -> Ports:
        with self._lock:
            if self._ports is None or not self._ports.alive:
                from dtale_magics.frontend.actions import Actions  # noqa: PLC0415 (not at %load_ext)
                from dtale_magics.pod.ports import Ports  # noqa: PLC0415 (not at %load_ext)
                from dtale_magics.serving.activity import Activity  # noqa: PLC0415 (not at %load_ext)
                from dtale_magics.serving.web import Web  # noqa: PLC0415

                web = Web(
                    self.owner,
                    lambda: self.slug,
                    self._viewer.app,
                    self._policy,
                    self._answer_outsider,
                    self._stop_soon,
                    Actions(self),
                    Activity().note,
                    self._assets,
                )
                self._ports = Ports(
                    self.owner,
                    web,
                    self._describe,
                    {"status": self._report, "check": lambda: self.check().as_dict()},
                    lambda: self.settings().range,
                    self._happened,
                )
            return self._ports

    def _happened(self, text: str) -> None:
        """Pass an event on, or the news that something changed elsewhere."""
        self._plain_show.announce()
        if text:
            self._news.add(text)
        else:
            self._news.tell()

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
            holds_ingress=now.ingress_port in ports,
            ingress_holder=ingress_holder,
            frames=self.frames(),
            open_access=now.open_access,
        )

    def _report(self) -> dict[str, Any]:
        """Report to a sibling that lists all: who has the ingress port it finds out itself."""
        status = self._status(None)
        own = self._own_holder(status.ingress_port) if status.holds_ingress else None
        holder = None if own is None else dataclasses.asdict(own)
        return {**status.as_dict(), "ingress_holder": holder, "responding": True}

    def _describe(self) -> tuple[str, tuple[Frame, ...]]:
        from dtale_magics.pod.peers import Frame  # noqa: PLC0415 (not at %load_ext)

        frames = (Frame(one.name, one.data_id, one.rows, one.columns) for one in self.frames())
        return notebook.name(), tuple(frames)

    def settings_changed(self) -> None:
        """Have the next request meet the settings as they are then."""
        self._policy_until = 0.0

    def _policy(self) -> guard.Policy:
        """Return what holds for requests; read again for each would be dear."""
        ports = self.ports
        if time.monotonic() > self._policy_until or self._policy_ports != ports:
            self._policy_until = time.monotonic() + _POLICY_SECONDS
            self._last_policy, self._policy_ports = self._read_policy(), ports
        return self._last_policy

    def _read_policy(self) -> guard.Policy:
        from dtale_magics.reach import public_urls  # noqa: PLC0415 (not at %load_ext)
        from dtale_magics.serving import guard  # noqa: PLC0415 (not at %load_ext)

        try:
            now = self.settings()
        except SettingError:  # shown wherever settings are; the default is the strict one
            now = settings.resolve(environ={})
        urls = [os.environ.get(f"JUPYTERHUB_PUBLIC{part}_URL", "") for part in ("", "_HUB")]
        in_cluster = any(name in os.environ for name in _CLUSTER)
        prefixes = public_urls.prefixes(now, self.ports)
        return guard.policy(now, prefixes, tuple(urls), in_cluster=in_cluster)

    def _answer_outsider(self, request: Request) -> Response | None:
        """Give a plain D-Tale of this user what it asks for before it takes a port."""
        from werkzeug.wrappers import Response  # noqa: PLC0415 (not at %load_ext)

        from dtale_magics.pod import visitor  # noqa: PLC0415

        ports = self._ports
        if request.path not in ("/health", "/shutdown") or ports is None:
            return None
        if not visitor.is_plain_dtale(request):
            return None
        if request.path == "/shutdown":
            ports.give_up(int(request.environ["SERVER_PORT"]))
            return Response("Server shutting down...")
        return Response("ok")

    def _stop_soon(self) -> None:
        """Stop from a request of the very server that stops."""
        threading.Thread(target=self.stop, name="dtale_magics stop", daemon=True).start()

    def _load_dtale(self) -> None:
        # An import reads thousands of files and gives up the GIL for each; beside a cell that
        # computes, it would wait a whole switch interval to get it back.
        interval = sys.getswitchinterval()
        sys.setswitchinterval(min(interval, _IMPORT_SWITCH_SECONDS))
        try:
            self._viewer.app(f"/{self.slug}")
            self._assets.compress()
        except BaseException as error:  # noqa: BLE001 (shown to whoever needs D-Tale)
            self._preload_error = error
        finally:
            sys.setswitchinterval(interval)

    def _own_holder(self, port: int) -> PortHolder:
        from dtale_magics.state import PortHolder  # noqa: PLC0415 (not at %load_ext)

        since = None if self._ports is None else self._ports.since(port)
        return PortHolder(port, "this kernel", notebook.name(), os.getpid(), since)

    def _holder(self, port: int) -> PortHolder | None:
        if port in self.ports:
            return self._own_holder(port)
        from dtale_magics.pod import ports  # noqa: PLC0415 (not at %load_ext)
        from dtale_magics.serving import listener  # noqa: PLC0415 (not at %load_ext)
        from dtale_magics.state import PortHolder  # noqa: PLC0415
        from dtale_magics.system import holders  # noqa: PLC0415 (not at %load_ext)

        sibling = ports.sibling_with(port)
        if sibling is not None:
            return sibling
        found = holders.find(port)
        if not found or (not found[0].listening and listener.could_bind(port)):
            return None  # connections that our own kind has left in TIME_WAIT do not count
        return PortHolder(port, "process", str(found[0]), found[0].pid, found[0].since)


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
