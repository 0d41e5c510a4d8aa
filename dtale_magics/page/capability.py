"""The capability of the pod's page: kept for the user, and the same in every kernel.

It outlives kernels and pods, because people bookmark the page. So it is kept on disk, beside the
secret of the static files, and each kernel looks there for every request: a link that was replaced
is dead in all of them at once. The file is read again only if the system says that it has changed.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, NamedTuple

from dtale_magics.errors import UsageError
from dtale_magics.serving import user_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FILE = "page-link"
_BYTES = 16
"""These are 128 random bits."""

_FORM = re.compile("pod-[0-9a-f]{32}")
"""It has the form of a slug: a kernel looks for such segments in the path of each connection."""


class _Seen(NamedTuple):
    """What changes with the file, or with its permissions."""

    inode: int
    modified: int
    changed: int


class Capability:
    """The first path segment of the pod's page.

    Parameters
    ----------
    where
        Its directory; by default the user's own (`dtale_magics.serving.user_cache`).
    """

    def __init__(self, where: Path | None = None) -> None:
        self._where = where
        self._known: tuple[_Seen | None, str | None] = (None, None)

    def current(self) -> str | None:
        """Return the current one; None if there is none yet, or others could have read it."""
        try:
            status = self._path.lstat()
        except OSError:
            return None
        seen = _Seen(status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        known, capability = self._known
        if seen != known:
            capability = self._read()
            self._known = (seen, capability)
        return capability

    def made(self) -> str:
        """Return it, and make it if there is none; two calls at once get the same one.

        Raises
        ------
        dtale_magics.errors.UsageError
            When it cannot be kept.
        """
        found = self._read()
        if found is None:
            self._write(user_cache.write)  # it leaves what somebody has written meanwhile
            found = self._read()
        return found or self.replaced()  # others could have read it, or it is damaged

    def replaced(self) -> str:
        """Replace it by a new one, and return the one that is then kept.

        Raises
        ------
        dtale_magics.errors.UsageError
            When it cannot be kept; then the old one stays valid.
        """
        return self._keep(user_cache.replace)

    def _keep(self, write: Callable[[Path, bytes], None]) -> str:
        self._write(write)
        found = self._read()
        if found is None:
            raise self._not_kept("other users could read it there")
        return found

    def _write(self, write: Callable[[Path, bytes], None]) -> None:
        try:
            write(self._path, f"pod-{secrets.token_hex(_BYTES)}".encode())
        except OSError as error:
            raise self._not_kept(error.strerror or str(error)) from error

    def _not_kept(self, why: str) -> UsageError:
        return UsageError(
            f"The link of the pod's page cannot be kept in {self._path.parent}: {why}.",
            "Set XDG_CACHE_HOME to a directory of yours that lasts, for all kernels, and restart "
            "them.",
        )

    def _read(self) -> str | None:
        try:
            content = user_cache.read(self._path)
        except OSError:
            return None
        text = (content or b"").decode("ascii", "replace")
        return text if _FORM.fullmatch(text) else None

    @property
    def _path(self) -> Path:
        return (self._where or user_cache.directory()) / _FILE
