"""Make plain ``dtale.show()`` use this kernel's server.

To find out where it runs, D-Tale calls functions of its own module ``dtale.app``. While the
extension is loaded, these are replaced as soon as anybody imports ``dtale.app``; afterwards they
are put back.
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
    """What has to be known about the kernel's server."""

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
        """Bind `port`, or any port if it is None; with `force`, take it from its holder."""

    def is_own_url(self, url: str) -> bool:
        """Whether `url` is, or once was, under this kernel's slug."""

    def frame_moved(self, old: str, new: str) -> None:
        """Be told that a frame was given another data id."""


class PlainShow:
    """The replacements, installed once for each session."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._undo: list[Callable[[], None]] = []
        self._finder = _ImportHook(self._patch)

    def install(self) -> None:
        """Replace now if D-Tale is imported, otherwise as part of its import; only once."""
        if self._undo or self._finder in sys.meta_path:
            return
        module = sys.modules.get(_TARGET)
        # Another thread may just be importing it: then the hook, and not we, has to patch it.
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
            # D-Tale's own check goes through the environment's proxies and believes any 200.
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

        # D-Tale draws its key from NumPy's global generator. That would take numbers out of the
        # sequence that the user has seeded, whenever an app happens to be built.
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
        views.DtaleData._url = _CurrentUrl(serving)  # noqa: SLF001 (D-Tale keeps the URL there)
        self._undo.append(lambda: delattr(views.DtaleData, "_url"))
        substitutes.install(views, state, self._replace)
        self.announce()

    def _replace_everywhere(self, app: ModuleType, name: str, replacement: object) -> None:
        """Replace a function, also in D-Tale's other modules that have imported it."""
        original = getattr(app, name)
        _exchange(name, original, replacement)
        self._undo.append(lambda: _exchange(name, replacement, original))

    def _replace(self, module: ModuleType, name: str, replacement: object) -> None:
        original = getattr(module, name)
        setattr(module, name, replacement)
        self._undo.append(lambda: setattr(module, name, original))


def _exchange(name: str, old: object, new: object) -> None:
    """Set `name` to `new` in each of D-Tale's modules where it is `old`."""
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

    Suppose that a cell runs ``import dtale; dtale.show(df)`` while a thread of ours is importing
    D-Tale. If that thread patched only after its import, the cell would call the unpatched
    ``show``. Patched under the lock, the module is never seen in any other state.
    """

    def __init__(self, imported: Callable[[ModuleType], None]) -> None:
        self._imported = imported

    # Other threads may be iterating over `sys.meta_path`. If the list changed meanwhile, they could
    # skip a finder and not find a module that exists. So both methods put a new list in its place.

    def install(self) -> None:
        """Put this finder first on `sys.meta_path`."""
        sys.meta_path = [self, *sys.meta_path]

    def uninstall(self) -> None:
        """Remove it from `sys.meta_path`."""
        sys.meta_path = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find ``dtale.app`` by the other finders, and wrap its execution."""
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
        # importlib.util.find_spec would deadlock: it waits for the package, which another thread
        # may be importing, while we hold the lock that every import needs.
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None
