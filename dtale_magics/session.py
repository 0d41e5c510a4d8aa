"""The kernel's one D-Tale, and the one door to it; safe to call from any thread."""

from __future__ import annotations

import os
import re
import secrets
import threading
from typing import TYPE_CHECKING, Any

from dtale_magics import notebook, settings
from dtale_magics.errors import PortUnavailableError
from dtale_magics.plain_show import HOST, PlainShow
from dtale_magics.state import FrameInfo, PortHolder, Status
from dtale_magics.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from werkzeug.wrappers import Request, Response

    from dtale_magics.listener import Listener
    from dtale_magics.news import Event, News
    from dtale_magics.outcome import Outcome, Party
    from dtale_magics.peers import Identity
    from dtale_magics.server import Server
    from dtale_magics.settings import PortRange, Settings
    from dtale_magics.show_options import ShowOptions

_SLUG_BYTES = 16


class Session:
    """What this kernel's D-Tale can do: show, bind, stop, status.

    Parameters
    ----------
    config
        Gives the traits of ``c.DtaleMagics`` by name.
    """

    def __init__(self, config: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._range: PortRange | None = None
        self._server: Server | None = None
        self._listeners: dict[int, Listener] = {}  # the last one is the one that URLs name
        self.owner = secrets.token_hex(8)
        self._label = os.path.basename(os.environ.get("JPY_SESSION_NAME", "")) or "dtale"  # noqa: PTH119
        readable = re.sub(r"[^a-z0-9]+", "-", self._label.removesuffix(".ipynb").lower()).strip("-")
        self.slug = f"{readable[:24] or 'dtale'}-{secrets.token_hex(_SLUG_BYTES)}"
        self._viewer = Viewer(lambda: self.base_url)
        self._plain_show = PlainShow(self)
        self._preload: threading.Thread | None = None
        self._preload_error: BaseException | None = None

    # ------------------------------------------------------------------ state

    @property
    def ports(self) -> tuple[int, ...]:
        """Every bound port, the one that URLs name last."""
        return tuple(self._listeners)

    @property
    def port(self) -> int | None:
        """The port that URLs name; None while nothing is bound."""
        ports = self.ports
        return ports[-1] if ports else None

    @property
    def base_url(self) -> str | None:
        """Local URL of this kernel's D-Tale without a trailing slash."""
        port = self.port
        return None if port is None else f"http://{HOST}:{port}/{self.slug}"

    def is_own_url(self, url: str) -> bool:
        """Whether `url` is under this kernel's slug, on whatever port."""
        return f"/{self.slug}" in url

    def settings(self) -> Settings:
        """Resolve the settings that hold now; `SettingError` when one cannot be used."""
        return settings.resolve(self._config(), override=self._range)

    def frames(self) -> tuple[FrameInfo, ...]:
        """Return what D-Tale shows, oldest first."""
        return self._viewer.frames()

    def status(self) -> Status:
        """Return the state of this kernel's D-Tale; `SettingError` for unusable settings."""
        now = self.settings()
        base = self.base_url
        return Status(
            owner=self.owner,
            label=notebook.name(),
            pid=os.getpid(),
            range=now.range,
            port=self.port,
            ports=self.ports,
            url=base and f"{base}/",
            ingress_port=now.ingress_port,
            holds_ingress=now.ingress_port in self.ports,
            ingress_holder=self._holder(now.ingress_port),
            frames=self.frames(),
        )

    def kernels(self) -> list[dict[str, Any]]:
        """Return the status of every D-Tale of this user in this pod."""
        return [self.status().as_dict()] if self.ports else []

    def frame_url(self, frame: FrameInfo) -> str:
        """URL of the grid for a frame in the notebook, as the user's browser sees it.

        On a Hub, the single-user server's proxy leads to the port.
        """
        hub_prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
        path = f"{self.slug}/dtale/iframe/{frame.data_id}"
        if hub_prefix:
            return f"{hub_prefix.rstrip('/')}/proxy/{self.port}/{path}"
        return f"http://{HOST}:{self.port}/{path}"

    # ---------------------------------------------------------------- actions

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

    def show(
        self,
        frame: Any,
        name: str,
        options: Mapping[str, Any] | None = None,
        port: int | None = None,
    ) -> tuple[Any, FrameInfo]:
        """Show a frame, in place if `name` is shown already.

        Parameters
        ----------
        frame
            Whatever ``dtale.show`` takes.
        name
            Variable or expression that it came from.
        options
            D-Tale's show options by keyword.
        port
            Port to bind; by default what is bound, or the first free one of the range.

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
        self.ensure(port)
        # Not under the lock: D-Tale may analyse for many seconds, while the port has to move.
        instance = self._viewer.show(frame, name, dict(options or {}))
        shown = next(one for one in self.frames() if one.data_id == instance._data_id)  # noqa: SLF001
        return instance, shown

    def show_options(self) -> ShowOptions:
        """Read the show options of the installed D-Tale."""
        self.wait_until_loaded()
        return self._viewer.show_options()

    def ensure(self, port: int | None = None, *, force: bool = False) -> None:
        """Bind `port`, or any port of the range if there is none yet.

        Raises
        ------
        PortUnavailableError
            Says who has the port.
        """
        del force
        with self._lock:
            if port is not None:
                self.bind(port)
            elif not self._listeners:
                from dtale_magics import listener  # noqa: PLC0415 (not at %load_ext)

                self._serve(listener.reserve(self.settings().range.ports))

    def bind(self, port: int) -> None:
        """Serve on `port`, which URLs name from now on; other ports stay, for open tabs.

        Raises
        ------
        PortUnavailableError
            Says who has the port.
        """
        from dtale_magics import listener  # noqa: PLC0415 (not at %load_ext)

        with self._lock:
            if port in self._listeners:
                self._listeners[port] = self._listeners.pop(port)
                self._plain_show.announce()
            else:
                self._serve(listener.reserve([port]))

    def set_range(self, chosen: PortRange | None) -> None:
        """Look for ports in `chosen` from now on; None returns to the configured range."""
        with self._lock:
            self._range = chosen

    def drop(self, name: str) -> FrameInfo:
        """Forget a frame; `UnknownFrameError` names those there are."""
        return self._viewer.drop(name)

    def stop(self) -> tuple[int, ...]:
        """Free every port; frames are kept, and shown again under the same links afterwards.

        Returns
        -------
        tuple of int
            The ports that were freed.
        """
        with self._lock:
            freed, self._listeners = self.ports, {}
            server, self._server = self._server, None
            if server is not None:
                server.stop()
            self._plain_show.announce()
            return freed

    # --------------------------------------------------------------- internal

    def _serve(self, listener: Listener) -> None:
        from dtale_magics.actions import Actions  # noqa: PLC0415 (not at %load_ext)
        from dtale_magics.server import Server  # noqa: PLC0415
        from dtale_magics.web import Web  # noqa: PLC0415

        if self._server is None or not self._server.alive:
            web = Web(
                self.slug,
                self._viewer.app,
                self._prefixes,
                self._answer_outsider,
                self._stop_soon,
                Actions(self),
            )
            self._server = Server(web)
        self._server.add(listener)
        self._listeners[listener.port] = listener
        self._plain_show.announce()

    def _prefixes(self) -> list[str]:
        """Public prefixes that jupyter-server-proxy puts before our paths."""
        roots = {os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "").rstrip("/"), ""}
        return [f"{root}/proxy/{port}" for root in roots for port in self.ports]

    def _answer_outsider(self, request: Request) -> Response | None:
        del request
        return None

    def _stop_soon(self) -> None:
        """Stop from a request of the very server that stops."""
        threading.Thread(target=self.stop, name="dtale_magics stop", daemon=True).start()

    def _load_dtale(self) -> None:
        try:
            self._viewer.app(f"/{self.slug}")
        except BaseException as error:  # noqa: BLE001 (shown to whoever needs D-Tale)
            self._preload_error = error

    def _holder(self, port: int) -> PortHolder | None:
        from dtale_magics import holders  # noqa: PLC0415 (psutil, not at %load_ext)

        if port in self.ports:
            return PortHolder(port, "this kernel", notebook.name(), os.getpid())
        found = holders.find(port)
        if not found:
            return None
        return PortHolder(port, "process", str(found[0]), found[0].pid, found[0].since)


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
