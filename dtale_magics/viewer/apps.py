"""D-Tale's applications, one for each public root.

This module imports dtale, and only when it is needed, because that takes seconds.
"""

from __future__ import annotations

import importlib
import logging
import secrets
import sys
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from dtale_magics.viewer.patches import filters, hardening, page_policy, page_theme

if TYPE_CHECKING:
    from collections.abc import Callable

    from dtale_magics.serving.assets import Assets

_ASKED_FOR_AGAIN = {"text/html", "application/json"}


class Apps:
    """D-Tale's WSGI applications, by their public root.

    D-Tale writes its root into pages and scripts, so each root needs an app of its own; all of them
    share D-Tale's state.

    Parameters
    ----------
    base_url
        Returns the local URL that D-Tale's instances show, without a trailing slash.
    assets
        D-Tale's static files.
    """

    def __init__(self, base_url: Callable[[], str | None], assets: Assets) -> None:
        self._base_url = base_url
        self._assets = assets
        self._lock = threading.RLock()
        self._apps: dict[str, Flask] = {}
        self._secret_key = secrets.token_hex(32)
        self._signs_in = False
        """Whether D-Tale also asks for a name and a password."""

    def of(self, root: str, prefix: str = "") -> Flask:
        """Return the app for a root, built once; `prefix` is the part of it before the slug."""
        signs_in = dtale("global_state").get_auth_settings()["active"]
        with self._lock:
            if signs_in != self._signs_in:  # an app has sign-in pages only if built with it on
                self._signs_in = signs_in
                self._apps.clear()
            if root not in self._apps:
                self._apps[root] = self._build(root, prefix)
            return self._apps[root]

    def forget(self) -> None:
        """Drop all apps, because the roots have changed."""
        with self._lock:
            self._apps.clear()

    def _build(self, root: str, prefix: str) -> Flask:
        # Without any handler, logging would print into the notebook.
        logging.getLogger("dtale").addHandler(logging.NullHandler())
        app: Flask = dtale("app").build_app(
            url=self._base_url(), reaper_on=False, app_root=root or None
        )
        app.config["SECRET_KEY"] = self._secret_key
        app.after_request(_let_be_asked_for_changes)  # runs last: hooks run in reverse order
        state, query, views = dtale("global_state"), dtale("query"), dtale("views")
        hardening.harden(app, state, query, views)
        filters.quote_values(dtale("column_filters"))
        charts, layout = dtale("dash_application.views"), dtale("dash_application.layout.layout")
        page_policy.install(app, charts, layout)
        page_theme.install(app, state)
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
    """Let a browser reuse pages and data that have not changed since it last asked for them.

    It has to ask each time. The ETag is made from the content, so another kernel's answer at the
    same URL never passes for this one. Answers that are not asked for again, such as exports, are
    not stored.
    """
    reads = request.method in {"GET", "HEAD"} and response.status_code == HTTPStatus.OK
    if not reads or response.is_streamed or response.mimetype not in _ASKED_FOR_AGAIN:
        response.headers.setdefault("Cache-Control", "no-store")
        return response
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("*")  # when going back, browsers ignore no-cache, but not this
    response.add_etag(weak=True)  # weak, because the answer is compressed afterwards
    response.make_conditional(request)
    return response


def dtale(module: str, *, load: bool = True) -> Any:
    """Return one of D-Tale's modules; None if it is not imported and `load` is false."""
    name = f"dtale.{module}"
    if not load:
        return sys.modules.get(name)
    if "dtale" not in sys.modules:
        hardening.check_version()
    return importlib.import_module(name)
