"""D-Tale's pages run D-Tale's scripts and no others, whatever values are shown in them.

Anybody who has the link can name frames and set themes, titles and formats, which everybody else
who has it then sees. D-Tale writes some of these values into its pages unescaped. Here they are
escaped, and a Content-Security-Policy allows only the inline scripts of D-Tale's own source: they
are marked when the source is read, before any value is in it, and the policy lists their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, request
from jinja2 import BaseLoader

from dtale_magics.serving.assets import OWN_SCRIPTS
from dtale_magics.viewer.patches import page_theme
from dtale_magics.viewer.patches import undoing as patches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from jinja2 import Environment

_MARK = f'<script data-mark="{secrets.token_hex(16)}"'
"""Marks D-Tale's scripts; it must not leave the process, or a value could contain it."""

_MARKED = re.compile(re.escape(_MARK) + r"([^>]*)>(.*?)</script>", re.DOTALL)
_UNQUOTED = re.compile(r"(?<=\bvalue=)({{[^{}]*}})")
_BUNDLE = re.compile(r"<script[^>]*dist/dtale_bundle\.js")
_OURS = "".join(
    f"<script src=\"{{{{ url_for('static', filename='{name}') }}}}\"></script>\n"
    for name in OWN_SCRIPTS
)
"""These tags are put in front of D-Tale's own bundle."""

_EXPORTS = frozenset({"dtale/html_export.html"})
"""Templates of pages that are saved as files, and so have no headers."""

_EXPORTED = "{{ polyfills_js|safe }}"
"""The place where the scripts of such a file begin."""

_ALWAYS = "script-src-attr 'none'; object-src 'none'; base-uri 'none'; form-action 'self'"
_NO_SCRIPTS = f"script-src 'none'; {_ALWAYS}"
_CHARTS = "/dtale/charts"


def install(app: Flask, charts: ModuleType, layout: ModuleType) -> None:
    """Restrict the scripts of one of D-Tale's apps.

    Parameters
    ----------
    app
        The app, as D-Tale built it.
    charts, layout
        ``dtale.dash_application.views`` and ``dtale.dash_application.layout.layout``.
    """
    if app.jinja_env.loader is not None:
        app.jinja_env.loader = _OwnScripts(app.jinja_env.loader)
    app.extensions[__name__] = True
    app.after_request(restrict_scripts)
    if not getattr(charts.base_layout, "escapes", False):
        patches.replace(charts, "base_layout", _escaping(layout))


def restrict_scripts(response: Response) -> Response:
    """State in the answer's headers which scripts may run in it."""
    if response.mimetype == "application/json":
        return response
    policy = _NO_SCRIPTS
    if response.mimetype == "text/html" and not response.is_streamed:
        hashes: dict[str, None] = {}

        def unmark(found: re.Match[str]) -> str:
            attributes, script = found.groups()
            if " src=" not in attributes:
                digest = hashlib.sha256(script.encode()).digest()
                hashes[f"'sha256-{base64.b64encode(digest).decode()}'"] = None
            return f"<script{attributes}>{script}</script>"

        body = response.get_data(as_text=True)
        response.set_data(_MARKED.sub(unmark, body))
        sources = ["'self'", *hashes]
        if request.path.startswith(_CHARTS):
            sources.append("'unsafe-eval'")  # Plotly's regl compiles code; most charts do not
        policy = f"script-src {' '.join(sources)}; worker-src 'self' blob:; {_ALWAYS}"
    response.headers.add("Content-Security-Policy", policy)
    return response


class _OwnScripts(BaseLoader):
    """Loads D-Tale's templates with their scripts marked and every attribute quoted."""

    def __init__(self, loader: BaseLoader) -> None:
        self._loader = loader

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Read a template's source as Jinja asks for it."""
        source, filename, current = self._loader.get_source(environment, template)
        source = _UNQUOTED.sub(r'"\1"', source)
        source = _BUNDLE.sub(lambda bundle: _OURS + bundle[0], source)
        if template in _EXPORTS:
            source = source.replace(_EXPORTED, f"{_exact_numbers()}{_EXPORTED}")
        else:
            source = page_theme.in_template(source)
            source = source.replace("<script", _MARK)
        return source, filename, current


def _exact_numbers() -> str:
    """Return ``exact.js`` for a file that has to contain its own scripts."""
    script = (Path(__file__).parents[1] / "exact.js").read_text(encoding="utf-8")
    return f"{{% raw %}}{script}{{% endraw %}}\n"


class _EscapedState:
    """``dtale.global_state`` as the page of the charts reads it, with every text escaped."""

    def __init__(self, state: ModuleType) -> None:
        self._state = state

    def keys(self) -> list[Any]:
        return [*self._state.keys()]

    def get_name(self, data_id: Any) -> Any:
        return _escaped(self._state.get_name(data_id))

    def get_app_settings(self) -> dict[str, Any]:
        return {key: _escaped(value) for key, value in self._state.get_app_settings().items()}


def _escaped(value: Any) -> Any:
    return html.escape(value) if isinstance(value, str) else value


def _escaping(layout: ModuleType) -> Callable[..., str]:
    """Make an escaping version of D-Tale's function that formats the page of the charts."""
    original = layout.base_layout
    source = original.__code__
    constants = tuple(
        one.replace("<script", _MARK) if isinstance(one, str) else one for one in source.co_consts
    )
    values = {**original.__globals__, "global_state": _EscapedState(layout.global_state)}
    plain = types.FunctionType(source, values)
    marking = types.FunctionType(source.replace(co_consts=constants), values)

    def base_layout(app_root: Any, **parts: Any) -> str:
        if __name__ not in current_app.extensions:  # an app that the user made
            return str(plain(app_root, **parts))
        ours = {name: parts[name].replace("<script", _MARK) for name in ("scripts", "renderer")}
        return str(marking(app_root, **{**parts, **ours}))

    base_layout.escapes = True  # type: ignore[attr-defined]
    return base_layout
