"""The Jupyter server that started this kernel, as it describes itself in the runtime directory."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class JupyterServer:
    """A running Jupyter server.

    Attributes
    ----------
    pid
        Its process.
    url
        Where it listens, with its base path and a trailing slash.
    token
        What lets this user in.
    """

    pid: int
    url: str
    token: str

    @property
    def base_path(self) -> str:
        """Path of `url` without a trailing slash, ``/user/ada`` for example."""
        return urlsplit(self.url).path.rstrip("/")

    @property
    def headers(self) -> dict[str, str]:
        """What to send so that it answers."""
        return {"Authorization": f"token {self.token}"} if self.token else {}


def running() -> Iterator[JupyterServer]:
    """List the servers of this user's runtime directory; some may have ended."""
    from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 (not at %load_ext)

    for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
        try:
            said = json.loads(path.read_text())
            # A Hub's single-user server believes the Hub's token instead of one of its own.
            token = said.get("token") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
            yield JupyterServer(int(said["pid"]), str(said["url"]), str(token))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def of_this_kernel() -> JupyterServer | None:
    """Find the server that is this kernel's parent; None for a kernel without one."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    return next((one for one in running() if str(one.pid) == parent), None) if parent else None
