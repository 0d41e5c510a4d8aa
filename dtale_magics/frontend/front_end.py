"""Who asked for the running cell: a page, a console, or a program that runs notebooks."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

CELL_ID = ("cellId", "cell_id")
"""Key of the cell's id in the metadata of requests from JupyterLab, Notebook 7 and VS Code."""

_OF_A_PROGRAM = re.compile(r"_\d+_\d+$")
"""End of the ids of jupyter_client's messages: process and count. Pages use other ids."""


def _request(shell: InteractiveShell | None) -> dict[str, Any]:
    kernel = getattr(shell, "kernel", None)
    return {} if kernel is None else kernel.get_parent("shell") or {}


def is_page(shell: InteractiveShell | None) -> bool:
    """Whether there may be a page, and not only nbclient or papermill.

    Those accept no input; pages do. Voilà runs a notebook by nbclient, but shows a page afterwards.
    """
    return _is_voila() or bool(_request(shell).get("content", {}).get("allow_stdin", True))


def is_console(shell: InteractiveShell | None) -> bool:
    """Whether only text can be shown: ``jupyter console``, qtconsole, a terminal.

    A console accepts input, uses jupyter_client, and its requests come from no cell.
    """
    if not hasattr(shell, "kernel"):
        return True
    request = _request(shell)
    header, metadata = request.get("header", {}), request.get("metadata", {})
    if header.get("msg_type") != "execute_request" or not is_page(shell):
        return False
    if any(name in metadata for name in CELL_ID) or "google.colab" in sys.modules or _is_voila():
        return False
    return _OF_A_PROGRAM.search(str(header.get("msg_id", ""))) is not None


def _is_voila() -> bool:
    return any(name.startswith("VOILA_") for name in os.environ)


def why_no_panel() -> str:
    """Say why a page may show no panel, and what to do about it."""
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return (
            "This page shows no panel. Databricks shows a port of the driver below "
            "/driver-proxy/o/<organisation>/<cluster>/<port>: set c.DtaleMagics.proxy_url to "
            "/driver-proxy/o/<organisation>/<cluster>/{port}, and open the link below it."
        )
    if any(name.startswith("VSCODE_") for name in os.environ):
        return (
            "This page shows no panel: VS Code loads anywidget from the network, which may be "
            'blocked (setting "jupyter.widgetScriptSources").'
        )
    return (
        "This page shows no panel. Install anywidget where the Jupyter server runs, start the "
        "server again and reload the page: pip install anywidget"
    )
