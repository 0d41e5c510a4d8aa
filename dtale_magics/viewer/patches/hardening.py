"""Changes to D-Tale's app before it is served: no tracebacks, no foreign code, no ghost frames."""

from __future__ import annotations

import inspect
import json
import re
from importlib import metadata
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, abort, jsonify, request

from dtale_magics.errors import UnsafeDtaleError
from dtale_magics.viewer.patches import filters

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

OLDEST = (3, 22)
"""The release that closed the last known hole: filters that ran code without custom filters."""

MAX_BODY = 256 * 2**20
"""Maximum body of a request, for those who have the link; an upload of 63 MB is known to work."""

_GIVEN = filters.Notebook()

ENABLE_HTML = "enable_html"
"""Show option and setting by which a column's cells may be rendered as HTML from the grid."""

_GONE = "<!doctype html><meta charset=utf-8><title>Not found</title><p>There is nothing here.</p>"
_FAILED = (
    "<!doctype html><meta charset=utf-8><title>Failed</title><p>D-Tale failed on this request. "
    "The notebook's log has the details, if logging of dtale_magics is on.</p>"
)


def check_version() -> None:
    """Refuse a D-Tale with known holes.

    Raises
    ------
    UnsafeDtaleError
        Says which version is needed.
    """
    found = metadata.version("dtale")
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise UnsafeDtaleError(
            f"D-Tale {found} lets whoever reaches it run code; {needed} no longer does.",
            f"Install it and restart the kernel: %pip install 'dtale>={needed}'",
        )


def harden(app: Flask, state: ModuleType, query: ModuleType, views: ModuleType) -> None:
    """Harden one of D-Tale's apps.

    Parameters
    ----------
    app
        The app, as D-Tale built it.
    state, query, views
        ``dtale.global_state``, ``dtale.query`` and ``dtale.views``.
    """

    def allowed(flag: str) -> bool:
        keys = [*state.keys()]  # allowing it for one frame allows it for the whole kernel
        return any(state.load_flag(key, flag, False) for key in keys)

    def custom_filters_allowed() -> bool:
        return allowed("enable_custom_filters")

    def context_variables() -> set[str]:
        instances = [instance for _, instance in [*state.items()]]
        return {name for one in instances for name in (one.context_variables or {})}

    def refuse_unknown_frame() -> None:
        # D-Tale would make an empty frame with that id, which breaks its list of frames.
        data_id = (request.view_args or {}).get("data_id")
        is_page = request.endpoint == "dtale.view_main"  # it redirects to a frame that exists
        if data_id is not None and not is_page and not state.contains(data_id):
            abort(404)

    def refuse_new_filters() -> Response | None:
        if request.endpoint != "dtale.update_settings" or custom_filters_allowed():
            return None
        updates = _json(request.args.get("settings"))
        current = state.get_settings((request.view_args or {})["data_id"]) or {}
        if not filters.brings_new(updates, current):
            return None
        return _refusal("Filters as text, and switches, are for whoever runs the notebook.")

    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.view_functions["shutdown"] = lambda: abort(404)  # our server answers it before D-Tale
    app.before_request(refuse_unknown_frame)
    app.before_request(refuse_new_filters)
    app.before_request(lambda: _refuse_html(allowed))
    app.before_request(_refuse_unknown_dataset)
    app.after_request(without_traceback)
    app.register_error_handler(404, lambda _: (_GONE, 404))
    app.register_error_handler(500, lambda _: (_FAILED, 500))
    filters.install(query, custom_filters_allowed, context_variables, _GIVEN)
    _GIVEN.follow(views)


def documented_options() -> None:
    """Document an option that D-Tale leaves out, in the form that D-Tale uses.

    :param enable_html: If true, columns can be rendered as HTML from the grid
    :type enable_html: bool, optional
    """


_NO_HTML = (
    "Cells that are rendered as HTML can show anything, in everybody's browser. That is off; "
    "whoever runs the notebook can allow it: %dtale df --enable-html"
)


def _refuse_html(allowed: Callable[[str], bool]) -> Response | None:
    """Leave it to the notebook whether cells are rendered as HTML."""
    formats: Any = None
    if request.endpoint == "dtale.update_formats":
        formats = {"": _json(request.args.get("format"))}
    elif request.endpoint == "dtale.update_settings":
        formats = _json(request.args.get("settings")).get("columnFormats")
    return _refusal(_NO_HTML) if renders_html(formats) and not allowed(ENABLE_HTML) else None


def renders_html(formats: Any) -> bool:
    """Whether one of these column formats switches *Render as HTML* on."""
    found = formats.values() if isinstance(formats, dict) else ()
    cells = [one.get("fmt") for one in found if isinstance(one, dict)]
    return any(isinstance(cell, dict) and cell.get("html") for cell in cells)


def without_traceback(response: Response) -> Response:
    """Leave an error's message in the answer, and take the traceback out.

    D-Tale puts the traceback beside the error; its charts put it into the page, also sent as JSON.
    """
    if response.mimetype != "application/json" or response.is_streamed:
        return response
    if response.content_encoding:  # D-Tale compresses after us: hooks run in reverse order
        return response
    body = response.get_data()
    if _MARK not in body:
        return response
    try:
        answer = json.loads(body)
    except ValueError:
        return response
    if isinstance(answer, dict) and "error" in answer and "traceback" in answer:
        answer["traceback"] = ""
    elif isinstance(answer, dict) and "response" in answer:  # what Dash answers to its page
        _empty_components(answer)
    response.set_data(json.dumps(answer))
    return response


_MARK = b'"traceback"'


def _empty_components(value: Any) -> None:
    """Empty the components in which a chart's page shows a traceback."""
    if isinstance(value, list):
        for one in value:
            _empty_components(one)
    elif isinstance(value, dict):
        properties = value.get("props")
        if isinstance(properties, dict) and properties.get("className") == "traceback":
            properties["children"] = None
        for one in value.values():
            _empty_components(one)


def _refuse_unknown_dataset() -> Response | None:
    """Keep D-Tale from calling anything that the module of its data sets merely imports."""
    from dtale import datasets

    if request.endpoint != "dtale.dataset_upload":
        return None
    found = getattr(datasets, request.args.get("dataset", ""), None)
    if inspect.isfunction(found) and found.__module__ == datasets.__name__:
        return None
    return _refusal("There is no such data set.")


def _refusal(error: str) -> Response:
    response: Response = jsonify(success=False, error=error)
    response.status_code = 403
    return response


def _json(text: str | None) -> dict[str, Any]:
    try:
        read = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
