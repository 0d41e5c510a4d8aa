"""Random bytes that belong to a user, the same in each of this user's kernels."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BYTES = 32
_NAME = "assets-secret"


def read(directory: Path | None = None) -> bytes:
    """Return random bytes that are this user's for good, or for this process where that fails.

    Parameters
    ----------
    directory
        Where they are kept; by default the user's cache directory.
    """
    if directory is None:
        from platformdirs import user_cache_path  # noqa: PLC0415 (not at %load_ext)

        directory = user_cache_path("dtale_magics", appauthor=False)
    path = directory / _NAME
    fresh = secrets.token_bytes(_BYTES)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _kept(path) or _keep(path, fresh)
    except OSError:
        return fresh


def _kept(path: Path) -> bytes | None:
    """Read the secret, unless others could have read or written it too."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if hasattr(os, "getuid") and (status.st_mode & 0o077 or status.st_uid != os.getuid()):
        raise PermissionError(path)
    kept = path.read_bytes()
    return kept if len(kept) == _BYTES else None


def _keep(path: Path, fresh: bytes) -> bytes:
    """Write the secret whole or not at all; of two kernels at once, the first one's is kept."""
    draft = path.with_name(f"{path.name}-{secrets.token_hex(8)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_bytes(fresh)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return _kept(path) or fresh
