"""The Jupyter server that started this kernel, found by its file in the runtime directory."""

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
        This user's token for it.
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
        """Headers that it requires to answer."""
        return {"Authorization": f"token {self.token}"} if self.token else {}


def running() -> Iterator[JupyterServer]:
    """List the servers of this user's runtime directory; some may have ended."""
    from jupyter_core.paths import jupyter_runtime_dir

    for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
        try:
            said = json.loads(path.read_text())
            # A Hub's single-user server accepts the Hub's token instead of one of its own.
            token = said.get("token") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
            yield JupyterServer(int(said["pid"]), str(said["url"]), str(token))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def of_this_kernel() -> JupyterServer | None:
    """Find the server that is this kernel's parent; None for a kernel without one.

    Two servers of a user that share a home volume are both process 1 of their pods and write the
    same file. So on a Hub, the base path in it has to be this server's; if it is not, the Hub's
    environment variables say where the server is.
    """
    parent = os.environ.get("JPY_PARENT_PID", "")
    if not parent:
        return None
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "").rstrip("/")
    for one in running():
        if str(one.pid) == parent and (not prefix or one.base_path == prefix):
            return one
    return _of_the_hub(int(parent), prefix) if parent.isdigit() else None


def _of_the_hub(pid: int, prefix: str) -> JupyterServer | None:
    url = os.environ.get("JUPYTERHUB_SERVICE_URL", "")
    parts = urlsplit(url)
    if not prefix or not parts.hostname:
        return None
    everywhere = parts.hostname in {"0.0.0.0", "::"}  # noqa: S104 (compared, not bound)
    netloc = f"127.0.0.1:{parts.port or 80}" if everywhere else parts.netloc
    token = os.environ.get("JUPYTERHUB_API_TOKEN", "")
    return JupyterServer(pid, f"{parts.scheme}://{netloc}{prefix}/", token)
