"""Make plain ``dtale.show()`` use this kernel's server.

D-Tale asks functions of its own module ``dtale.app`` where it runs. They are replaced while the
extension is loaded, at the moment ``dtale.app`` is imported by whomever, and put back afterwards.
"""

from __future__ import annotations

import functools
import importlib.abc
import secrets
import sys
from typing import TYPE_CHECKING, Any, Protocol

from dtale_magics.viewer.patches import instance_api, store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_TARGET = "dtale.app"
HOST = "127.0.0.1"


class Serving(Protocol):
    """What has to be known of the kernel's server."""

    @property
    def base_url(self) -> str | None:
        """Local URL without a trailing slash; None while nothing is bound."""

    @property
    def public_url(self) -> str | None:
        """The same as a reader sees it."""

    @property
    def port(self) -> int | None:
        """Port of that URL."""

    def ensure(self, port: int | None, *, force: bool) -> None:
        """Bind a port, `port` if one is given, taken from its holder if `force` is set."""

    def is_own_url(self, url: str) -> bool:
        """Whether `url` is, or once was, under this kernel's slug."""

    def frame_moved(self, old: str, new: str) -> None:
        """Hear that a frame was given another data id."""


class PlainShow:
    """The replacements, installed once for each session."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._undo: list[Callable[[], None]] = []
        self._finder = _ImportHook(self._patch)

    def install(self) -> None:
        """Replace now if D-Tale is imported, otherwise as part of its import; once."""
        if self._undo or self._finder in sys.meta_path:
            return
        module = sys.modules.get(_TARGET)
        # A module that is being imported by another thread is patched by nobody if we are late.
        spec = getattr(module, "__spec__", None)
        if module is not None and not getattr(spec, "_initializing", False):
            self._patch(module)
        else:
            self._finder.install()

    def uninstall(self) -> None:
        """Put back what was replaced."""
        self._finder.uninstall()
        while self._undo:
            self._undo.pop()()

    @property
    def serves(self) -> bool:
        """Whether D-Tale is served by us."""
        app = sys.modules.get(_TARGET)
        return app is not None and _is_ours(app)

    def announce(self) -> None:
        """Tell D-Tale where it is now: ``dtale.app.ACTIVE_HOST`` and ``ACTIVE_PORT``."""
        module = sys.modules.get(_TARGET)
        if module is not None and self._undo:
            port = self._serving.port
            module.ACTIVE_HOST = None if port is None else HOST  # type: ignore[attr-defined]
            module.ACTIVE_PORT = port  # type: ignore[attr-defined]

    def _patch(self, app: ModuleType) -> None:
        if self._undo:
            return
        from dtale_magics.viewer.frames import substitutes  # with pandas, as D-Tale is here

        views = sys.modules["dtale.views"]
        serving = self._serving
        is_up = views.is_up
        startup_url = app.build_startup_url_and_app_root
        initialize = app.initialize_process_props

        is_ours = functools.partial(_is_ours, app)

        def initialize_process_props(
            host: str | None = None,
            port: object = None,
            force: bool = False,  # noqa: FBT001, FBT002 (D-Tale's signature)
        ) -> None:
            if not is_ours():
                initialize(host, port, force)
                return
            serving.ensure(int(str(port)) if port else None, force=bool(force))
            self.announce()

        def is_up_or_ours(base: str) -> Any:
            # D-Tale's own check goes through environment proxies and believes any 200.
            if not is_ours():
                return is_up(base)
            if base == f"http://{HOST}:{serving.port}" or serving.is_own_url(base):
                return serving.port is not None
            return is_up(base)

        def build_startup_url_and_app_root(app_root: str | None = None) -> tuple[str, str | None]:
            base = serving.base_url
            if base is None or not is_ours():
                url, root = startup_url(app_root)
                return url, root
            if app.JUPYTER_SERVER_PROXY:
                _, root = startup_url(app_root)
                root = f"{root}/{base.rpartition('/')[2]}"
                return root, root
            return base, None

        # D-Tale draws its key from NumPy's global generator: that would take numbers out of the
        # sequence that the user has seeded, at whatever moment an app is built.
        self._replace(app, "build_secret_key", secrets.token_hex)
        self._replace(app, "initialize_process_props", initialize_process_props)
        self._replace(app, "is_up", is_up_or_ours)
        self._replace(views, "is_up", is_up_or_ours)
        self._replace(app, "build_startup_url_and_app_root", build_startup_url_and_app_root)
        state = sys.modules["dtale.global_state"]
        self._undo.append(store.install(state, serving.frame_moved))
        self._undo.append(instance_api.install(views.DtaleData, serving, app))
        self._replace_everywhere(app, "show", instance_api.checked_show(app.show, is_ours))
        chart = store.without_cleanup(app.offline_chart, state)
        self._replace_everywhere(app, "offline_chart", chart)
        views.DtaleData._url = _CurrentUrl(serving)  # noqa: SLF001 (where D-Tale keeps it)
        self._undo.append(lambda: delattr(views.DtaleData, "_url"))
        substitutes.install(views, state, self._replace)
        self.announce()

    def _replace_everywhere(self, app: ModuleType, name: str, replacement: object) -> None:
        """Replace a function also where D-Tale's other modules have imported it."""
        original = getattr(app, name)
        _exchange(name, original, replacement)
        self._undo.append(lambda: _exchange(name, replacement, original))

    def _replace(self, module: ModuleType, name: str, replacement: object) -> None:
        original = getattr(module, name)
        setattr(module, name, replacement)
        self._undo.append(lambda: setattr(module, name, original))


def _exchange(name: str, old: object, new: object) -> None:
    """Set `name` to `new` in every module of D-Tale's that has `old` there."""
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] == "dtale" and getattr(module, name, None) is old:
            setattr(module, name, new)


def _is_ours(app: Any) -> bool:
    """Whether D-Tale is served by us: Colab and ngrok give addresses that we cannot know."""
    return not (app.USE_COLAB or app.USE_NGROK)


class _CurrentUrl:
    """``DtaleData._url``, which follows the kernel when its port changes."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        url = instance.__dict__.get("_url")
        current = self._serving.base_url
        if current and isinstance(url, str) and self._serving.is_own_url(url):
            return current
        return url

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__["_url"] = value


class _ImportHook(importlib.abc.MetaPathFinder):
    """Calls back as part of the import of ``dtale.app``, under the import lock.

    A thread of ours that patched after its own import would be too late for a cell that says
    ``import dtale; dtale.show(df)`` while it ran.
    """

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self._imported = imported

    # Other threads may be walking the list: in one that is changed under their eyes they would
    # miss a finder, and with it a module that is there.

    def install(self) -> None:
        """Be asked first."""
        sys.meta_path = [self, *sys.meta_path]

    def uninstall(self) -> None:
        """Be asked no more."""
        sys.meta_path = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find ``dtale.app`` as everybody would, and wrap its execution."""
        if fullname != _TARGET:
            return None
        spec = self._find_with_others(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self._imported(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _find_with_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        # Not by importlib.util.find_spec: that waits for the package, which another thread may be
        # importing, while we have the lock that every import needs.
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None
