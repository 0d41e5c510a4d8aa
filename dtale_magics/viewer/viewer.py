"""The real D-Tale: its apps below the kernel's slug, and its frames.

The only module that imports dtale, and only when it is needed: that takes seconds.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import logging
import secrets
import sys
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dtale_magics.errors import FrameRefusedError, UnknownFrameError, UsageError
from dtale_magics.state import FrameInfo
from dtale_magics.viewer import column_analysis, hardening, option_check
from dtale_magics.viewer.carry_over import carry_over, columns_to_lock
from dtale_magics.viewer.show_options import ShowOptions
from dtale_magics.viewer.store import CHART_ID, default_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from flask import Flask, Response

    from dtale_magics.serving.assets import Assets
    from dtale_magics.viewer.column_analysis import ColumnAnalysis

logger = logging.getLogger(__name__)

_STAGING = "loading"
"""Id under which D-Tale analyses a frame before it takes its place; not a number, so that it does
not count when D-Tale looks for the next one."""

_ASKED_FOR_AGAIN = {"text/html", "application/json"}


@dataclass
class _Shown:
    """What we know of a frame beside D-Tale's instance, which a store may pickle."""

    name: str
    """That the user sees."""
    analysis: ColumnAnalysis
    """Of what was shown last."""


_SHOWN: dict[str, _Shown] = {}
"""By data id, for the whole process, as D-Tale's store is; D-Tale may have forgotten some."""


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

    @property
    def loaded(self) -> bool:
        """Whether D-Tale is imported, and not just being imported by another thread."""
        spec = getattr(_dtale("app", load=False), "__spec__", None)
        return spec is not None and not getattr(spec, "_initializing", False)

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
            data_id, former = self._find(name, state)
            kept = None if reset else former
            loaded, analysis = self._load(frame, name, options, kept, progress)
            if former is None:
                data_id = state.new_data_inst(instance=loaded)
                state.set_name(data_id, _unambiguous(name, state))
            else:
                if not reset:
                    carry_over(former, loaded, options)
                loaded.name = former.name
                state.new_data_inst(data_id, loaded)
            _SHOWN[data_id] = _Shown(name, analysis)
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
                self._name_of(data_id, instance),
                data_id,
                len(instance.data),
                len(instance.dtypes),
                base and f"{base}/dtale/main/{data_id}",
            )
            for data_id, instance in _items(state)
            if data_id not in {_STAGING, CHART_ID}
            and instance.data is not None
            and instance.dtypes is not None
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
        return ShowOptions.read(config.build_show_options({}), (app.show, views.startup))

    def moved(self, old: str, new: str) -> None:
        """Keep what we know of a frame that was given another data id."""
        if old in _SHOWN:
            _SHOWN[new] = _SHOWN.pop(old)

    def _name_of(self, data_id: str, instance: Any) -> str:
        shown = _SHOWN.get(data_id)
        return shown.name if shown is not None else str(instance.name or f"data {data_id}")

    def _find(self, name: str, state: Any) -> tuple[Any, Any]:
        """Find id and instance of the frame shown as `name`; (None, None) if there is none."""
        for data_id in [key for key, shown in _SHOWN.items() if shown.name == name]:
            if state.contains(data_id):
                return data_id, state.get_data_inst(data_id)
            del _SHOWN[data_id]
        return None, None

    def _load(
        self,
        frame: Any,
        name: str,
        options: dict[str, Any],
        former: Any,
        progress: Callable[[int, int, str], None] | None,
    ) -> tuple[Any, ColumnAnalysis]:
        """Let D-Tale analyse `frame` aside, so that a failure leaves no trace."""
        state, views, config = _dtale("global_state"), _dtale("views"), _dtale("config")
        if frame is None:
            raise FrameRefusedError(
                name, f"{name} is None.", "Assign a frame first, or check what the call returned."
            )
        given = {key: value for key, value in options.items() if key != "open_browser"}
        if former is not None and "locked" not in given:
            given["locked"] = columns_to_lock(former, frame)
        known = next((shown.analysis for shown in _SHOWN.values() if shown.name == name), None)
        accepted = inspect.signature(views.startup).parameters
        keywords = {
            key: value for key, value in config.build_show_options(given).items() if key in accepted
        }
        try:
            with (
                column_analysis.spared(views, known) as analysis,
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
            with contextlib.suppress(KeyError):  # a store needs no `pop`
                del default_store(state).store[_STAGING]
        return loaded, analysis

    def _build_app(self, root: str, prefix: str) -> Flask:
        # With no handler at all, logging prints into the notebook.
        logging.getLogger("dtale").addHandler(logging.NullHandler())
        app: Flask = _dtale("app").build_app(
            url=self._base_url(), reaper_on=False, app_root=root or None
        )
        app.config["SECRET_KEY"] = self._secret_key
        app.after_request(_let_be_asked_for_changes)  # hooks run in reverse order: after the others
        hardening.harden(app, _dtale("global_state"), _dtale("query"))
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


def _dtale(module: str, *, load: bool = True) -> Any:
    """Return one of D-Tale's modules; None if it is not imported and `load` is false."""
    name = f"dtale.{module}"
    if not load:
        return sys.modules.get(name)
    if "dtale" not in sys.modules:
        hardening.check_version()
    return importlib.import_module(name)


def _items(state: Any) -> list[tuple[str, Any]]:
    """List D-Tale's frames; a store of the user's that cannot be read has none."""
    try:
        return [(str(key), instance) for key, instance in state.items()]
    except Exception:
        logger.exception("D-Tale's store cannot be read")
        return []


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
    taken = {state.convert_name_to_url_path(instance.name) for _, instance in _items(state)}
    candidates = itertools.chain(
        [name, f"{name} frame"], (f"{name} frame {number}" for number in itertools.count(2))
    )
    for candidate in candidates:
        path = state.convert_name_to_url_path(candidate)
        if path not in taken and not path.replace("_", "").isdigit() and path.strip("_"):
            return candidate
    raise AssertionError  # the candidates never end
