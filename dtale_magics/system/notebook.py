"""What the user calls this kernel: the name of its notebook."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from pathlib import Path

from dtale_magics import deadlines
from dtale_magics.system import http, jupyter_server

_SLUG_BYTES = 16
"""These are 128 random bits: the slug is a capability."""

_SESSIONS = "api/sessions?no_track_activity=1"
"""Without the parameter, the server would count this as use, and a page that asks for names would
keep it from being culled."""

_heard: dict[str, str] = {}
"""What the server last called a kernel, by the kernel's id."""


def name() -> str:
    """Return the name of this kernel's notebook, or whatever comes nearest to it.

    The Jupyter server knows it even after a rename; the environment has the name at the start.
    """
    kernel_id = _kernel_id()
    from_server = _name_from_server(kernel_id) if kernel_id else None
    session = os.environ.get("JPY_SESSION_NAME")
    if from_server or session:
        return from_server or Path(session or "").name
    return f"kernel {kernel_id[:8]}" if kernel_id else f"terminal {os.getpid()}"


def new_slug() -> str:
    """Make a first path segment that nobody can guess; its readable front is for people."""
    stem = Path(os.environ.get("JPY_SESSION_NAME", "")).name.removesuffix(".ipynb").lower()
    readable = re.sub(r"[^a-z0-9]+", "-", stem)[:24].strip("-") or "dtale"
    return f"{readable}-{secrets.token_hex(_SLUG_BYTES)}"


def _kernel_id() -> str | None:
    """Id of this kernel, from the name of its connection file; None in a terminal."""
    application = sys.modules.get("ipykernel.kernelapp")
    if application is None or not application.IPKernelApp.initialized():
        return None
    connection_file = application.IPKernelApp.instance().connection_file
    return Path(connection_file).stem.removeprefix("kernel-")


def _name_from_server(kernel_id: str) -> str | None:
    timeout = deadlines.KNOWN_NAME if kernel_id in _heard else deadlines.SERVER_NAME
    for server in jupyter_server.running():
        try:
            answer = http.fetch(f"{server.url}{_SESSIONS}", timeout, headers=server.headers)
            for session in json.loads(answer.body):
                if session["kernel"]["id"] == kernel_id:
                    _heard[kernel_id] = Path(session["path"]).name
                    return _heard[kernel_id]
        except (*http.FAILURES, KeyError, TypeError):
            continue  # a server that ended without tidying up, or that does not let us in
    return _heard.get(kernel_id)
