"""The real D-Tale: its apps below the kernel's slug, and its frames.

The only module that imports dtale, and only when it is needed: that takes seconds.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import logging
import secrets
import sys
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import FrameRefusedError, UnknownFrameError, UsageError
from dtale_magics.state import FrameInfo
from dtale_magics.viewer import column_analysis, hardening, option_check, page_policy
from dtale_magics.viewer.carry_over import carry_over, columns_to_lock
from dtale_magics.viewer.show_options import ShowOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from flask import Flask, Response

    from dtale_magics.serving.assets import Assets

_STAGING = "loading"
"""Id under which D-Tale analyses a frame before it takes its place; not a number, so that it does
not count when D-Tale looks for the next one."""

_ASKED_FOR_AGAIN = {"text/html", "application/json"}

_NAME = "_dtale_magics_name"
"""Attribute of D-Tale's instance with the name that the user sees; it goes where the frame goes."""

_ANALYSIS = "_dtale_magics_analysis"
"""Attribute of D-Tale's instance with the `ColumnAnalysis` of what was shown last."""


class Viewer:
    """D-Tale in this kernel.

    Parameters
    ----------
    base_url
        Gives the local URL that D-Tale's instances show, without a trailing slash.
    assets
        D-Tale's static files.
    """

    def __init__(self, base_url: Callable[[], str | None], assets: Assets) -> None:
        self._base_url = base_url
        self._assets = assets
        self._lock = threading.RLock()
        self._apps: dict[str, Flask] = {}
        self._secret_key = secrets.token_hex(32)

    def app(self, root: str, prefix: str = "") -> Flask:
        """D-Tale's WSGI application for a public root, built once for each.

        D-Tale writes its root into pages and scripts, therefore one app for each; all of them share
        D-Tale's state. `prefix` is what stands before the slug in `root`.
        """
        with self._lock:
            if root not in self._apps:
                self._apps[root] = self._build_app(root, prefix)
            return self._apps[root]

    def forget_roots(self) -> None:
        """Drop the apps of every root: the roots have changed."""
        with self._lock:
            self._apps.clear()

    def show(
        self,
        frame: Any,
        name: str,
        options: dict[str, Any],
        *,
        reset: bool = False,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> Any:
        """Show `frame` as `name`, in place if that name is shown already.

        Parameters
        ----------
        frame
            Whatever ``dtale.show`` takes.
        name
            Variable or expression; the frame's identity from one call to the next.
        options
            D-Tale's show options by keyword, only those that the user gave.
        reset
            Whether to leave out what earlier shows of it left.
        progress
            See `column_analysis.followed`.

        Returns
        -------
        dtale.views.DtaleData
            D-Tale's handle on the frame.

        Raises
        ------
        FrameRefusedError
            When D-Tale cannot show it. Frames that were shown before are as they were.
        """
        state, views = _dtale("global_state"), _dtale("views")
        with self._lock:
            data_id, former = _find(name, state)
            loaded = self._load(frame, name, options, None if reset else former, progress)
            setattr(loaded, _NAME, name)
            if former is None:
                data_id = state.new_data_inst(instance=loaded)
                state.set_name(data_id, _unambiguous(name, state))
            else:
                if not reset:
                    carry_over(former, loaded, options)
                loaded.name = former.name
                state.new_data_inst(data_id, loaded)
        instance = views.DtaleData(data_id, self._base_url())
        if options.get("open_browser"):
            instance.open_browser()
        return instance

    def frames(self) -> tuple[FrameInfo, ...]:
        """List what D-Tale has, also what plain ``dtale.show`` brought, oldest first."""
        state = _dtale("global_state", load=False)
        if state is None:
            return ()
        base = self._base_url()
        return tuple(
            FrameInfo(
                getattr(instance, _NAME, None) or instance.name or f"data {data_id}",
                data_id,
                len(instance.data),
                len(instance.dtypes),
                base and f"{base}/dtale/main/{data_id}",
            )
            for data_id, instance in list(state.items())
            if data_id != _STAGING and instance.data is not None and instance.dtypes is not None
        )

    def find(self, name: str) -> FrameInfo:
        """Find a frame by the name that the user sees or by its data id.

        Raises
        ------
        UnknownFrameError
            Names the frames that there are.
        """
        frames = self.frames()
        for frame in frames:
            if name in (frame.name, frame.data_id):
                return frame
        known = ", ".join(frame.name for frame in frames)
        hint = f"There are: {known}." if known else "There is none yet; show one with: %dtale df"
        raise UnknownFrameError(name, f"D-Tale has no frame {name!r}.", hint)

    def drop(self, name: str) -> FrameInfo:
        """Forget a frame, which `find` finds."""
        with self._lock:
            frame = self.find(name)
            _dtale("global_state").cleanup(frame.data_id)
        return frame

    def data(self, name: str) -> Any:
        """Return a frame, which `find` finds, as its grid has it: filtered and edited."""
        frame = self.find(name)
        return _dtale("views").DtaleData(frame.data_id, self._base_url()).view_data

    def show_options(self) -> ShowOptions:
        """Read the show options of the installed D-Tale."""
        app, views, config = _dtale("app"), _dtale("views"), _dtale("config")
        names = {**config.build_show_options({}), hardening.ENABLE_HTML: False}
        documented = (app.show, views.startup, hardening.documented_options)
        return ShowOptions.read(names, documented)

    def _load(
        self,
        frame: Any,
        name: str,
        options: dict[str, Any],
        former: Any,
        progress: Callable[[int, int, str], None] | None,
    ) -> Any:
        """Let D-Tale analyse `frame` aside, so that a failure leaves no trace."""
        state, views, config = _dtale("global_state"), _dtale("views"), _dtale("config")
        if frame is None:
            raise FrameRefusedError(
                name, f"{name} is None.", "Assign a frame first, or check what the call returned."
            )
        given = {key: value for key, value in options.items() if key != "open_browser"}
        if former is not None and "locked" not in given:
            given["locked"] = columns_to_lock(former, frame)
        accepted = inspect.signature(views.startup).parameters
        keywords = {
            key: value for key, value in config.build_show_options(given).items() if key in accepted
        }
        try:
            with (
                column_analysis.spared(views, getattr(former, _ANALYSIS, None)) as analysis,
                column_analysis.followed(views, progress),
                option_check.before_analysis(views, options, name),
            ):
                views.startup(self._base_url(), data=frame, data_id=_STAGING, **keywords)
            loaded = state.get_data_inst(_STAGING)
        except UsageError:
            raise
        except Exception as error:
            raise _refused(frame, name, error) from error
        finally:
            state.store.pop(_STAGING, None)
        setattr(loaded, _ANALYSIS, analysis)
        if hardening.ENABLE_HTML in options:
            html = {hardening.ENABLE_HTML: options[hardening.ENABLE_HTML]}
            loaded.settings = {**loaded.settings, **html}
        return loaded

    def _build_app(self, root: str, prefix: str) -> Flask:
        # With no handler at all, logging prints into the notebook.
        logging.getLogger("dtale").addHandler(logging.NullHandler())
        app: Flask = _dtale("app").build_app(
            url=self._base_url(), reaper_on=False, app_root=root or None
        )
        app.config["SECRET_KEY"] = self._secret_key
        app.after_request(_let_be_asked_for_changes)  # hooks run in reverse order: after the others
        state, query, views = _dtale("global_state"), _dtale("query"), _dtale("views")
        hardening.harden(app, state, query, views)
        charts, layout = _dtale("dash_application.views"), _dtale("dash_application.layout.layout")
        page_policy.install(app, charts, layout)
        dtale_url_for = app.url_for

        def keep_root(response: Response) -> Response:
            location = response.location
            own = (f"{root}/", f"{prefix}/{self._assets.token}/")
            if location and location.startswith("/") and not location.startswith(own):
                response.location = root + location
            return response

        def url_for(endpoint: str, *args: Any, **values: Any) -> str:
            asset = values.get("filename") if endpoint == "static" else None
            shared = asset and self._assets.url(prefix, asset)
            return shared or dtale_url_for(endpoint, *args, **values)

        app.after_request(keep_root)
        app.url_for = url_for  # type: ignore[method-assign]
        app.jinja_env.globals["url_for"] = url_for
        return app


def _let_be_asked_for_changes(response: Response) -> Response:
    """Spare a browser what it has: a page or data that it asks for again and that is the same.

    It has to ask each time, and another kernel's answer at the same URL never passes for this one,
    as the ETag is that of the content. What is not asked for again, as exports, is not kept.
    """
    from flask import request  # noqa: PLC0415 (not before a frame is shown)

    reads = request.method in {"GET", "HEAD"} and response.status_code == HTTPStatus.OK
    if not reads or response.is_streamed or response.mimetype not in _ASKED_FOR_AGAIN:
        response.headers.setdefault("Cache-Control", "no-store")
        return response
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("*")  # going back, browsers ignore no-cache, but not this
    response.add_etag(weak=True)  # it is compressed afterwards
    response.make_conditional(request)
    return response


def preload() -> None:
    """Import D-Tale; takes seconds the first time."""
    _dtale("app")


def _dtale(module: str, *, load: bool = True) -> Any:
    """Return one of D-Tale's modules; None if it is not imported and `load` is false."""
    name = f"dtale.{module}"
    if not load:
        return sys.modules.get(name)
    if "dtale" not in sys.modules:
        hardening.check_version()
    # The package first: to wait for it with the lock of one of its modules in hand is a deadlock
    # with a cell that imports dtale meanwhile, which Python ends by an ImportError in either.
    importlib.import_module("dtale")
    return importlib.import_module(name)


def _find(name: str, state: ModuleType) -> tuple[Any, Any]:
    """Find id and instance of the frame that was shown as `name`; (None, None) if there is none."""
    for data_id, instance in list(state.items()):
        if getattr(instance, _NAME, None) == name:
            return data_id, instance
    return None, None


def _refused(frame: Any, name: str, error: Exception) -> FrameRefusedError:
    kind = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
    hint = "D-Tale takes pandas objects, numpy arrays, lists, dicts and xarray.Dataset."
    for method in ("to_pandas", "to_dataframe", "compute", "to_frame"):
        if callable(getattr(frame, method, None)) and "must be one of" in str(error):
            hint = f"Convert it first: %dtale {name}.{method}()"
            break
    if "duplicated column names" in str(error):
        hint = f"Rename them, or leave them out: %dtale {name}.loc[:, ~{name}.columns.duplicated()]"
    reason = str(error).partition("\n")[0] or type(error).__name__
    return FrameRefusedError(name, f"D-Tale cannot show {name} ({kind}): {reason}", hint)


def _unambiguous(name: str, state: ModuleType) -> str:
    """Make a name for D-Tale whose URL form leads to this frame alone.

    D-Tale drops punctuation from names in URLs, so that ``my_df`` and ``mydf`` meet, and looks a
    name up before an id, so that ``_1`` would take the place of frame 1.
    """
    taken = {state.convert_name_to_url_path(instance.name) for _, instance in state.items()}
    candidates = itertools.chain(
        [name, f"{name} frame"], (f"{name} frame {number}" for number in itertools.count(2))
    )
    for candidate in candidates:
        path = state.convert_name_to_url_path(candidate)
        if path not in taken and not path.replace("_", "").isdigit() and path.strip("_"):
            return candidate
    raise AssertionError  # the candidates never end
