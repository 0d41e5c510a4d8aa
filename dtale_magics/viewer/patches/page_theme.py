"""The grid follows the theme of the notebook's page, unless somebody has chosen a theme.

The page puts its theme into the address of the grid. ``--theme`` and a choice in D-Tale's own menu
take precedence.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask, Response, request

if TYPE_CHECKING:
    from types import ModuleType

ARGUMENT = "page-theme"
FUNCTION = "page_theme"
"""Name of the function that D-Tale's templates call."""

_DEFAULT = "light"
_THEMES = {"light", "dark"}
_CHOSEN = "dtale_magics_theme_is_chosen"
_CHOICE = "dtale.update_theme"
"""The route of D-Tale's menu."""


def in_template(source: str) -> str:
    """Have a template call our function wherever it uses D-Tale's theme."""
    for typed in ("{{ theme }}", "{{theme}}"):
        source = source.replace(typed, f"{{{{ {FUNCTION}(theme) }}}}")
    return source


def install(app: Flask, state: ModuleType) -> None:
    """Install the theme in one of D-Tale's apps.

    Parameters
    ----------
    app
        The app, as D-Tale built it.
    state
        ``dtale.global_state``.
    """

    def page_theme(theme: str) -> str:
        wanted = request.args.get(ARGUMENT, "")
        if theme != _DEFAULT or wanted not in _THEMES or state.get_app_settings().get(_CHOSEN):
            return theme
        data_id = (request.view_args or {}).get("data_id")
        settings = (state.get_settings(data_id) if data_id else None) or {}
        return theme if settings.get("theme") else wanted

    def note_choice(response: Response) -> Response:
        if request.endpoint == _CHOICE and response.status_code == HTTPStatus.OK:
            state.set_app_settings({_CHOSEN: True})
        return response

    app.jinja_env.globals[FUNCTION] = page_theme
    app.after_request(note_choice)
