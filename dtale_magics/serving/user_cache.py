"""Secrets that are kept on disk for all kernels of a user.

The directory may be in a place where others can write. A file counts only if it is this user's and
nobody else could have read or written it. A file appears as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECRET = "assets-secret"  # noqa: S105 (the name of its file)
_SECRET_BYTES = 32


def directory() -> Path:
    """Return the directory for them; it need not exist."""
    from platformdirs import user_cache_path

    return user_cache_path("dtale_magics", appauthor=False)


def read(path: Path) -> bytes | None:
    """Read a file; None when there is none.

    Raises
    ------
    PermissionError
        When others could have read or written it.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if hasattr(os, "getuid") and (status.st_mode & 0o077 or status.st_uid != os.getuid()):
        raise PermissionError(path)
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    """Write a file unless it exists; of two writers at once, the first one wins."""
    with _draft(path, content) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, path)


def replace(path: Path, content: bytes) -> None:
    """Write a file, replacing what is there; of two writers at once, the last one wins."""
    with _draft(path, content) as draft:
        draft.replace(path)


@contextlib.contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """Write a file beside `path`; at the end it is removed, unless it was moved."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}-{secrets.token_hex(8)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_bytes(content)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def secret(where: Path | None = None) -> bytes:
    """Return random bytes that stay this user's, or only this process's if they cannot be kept.

    Parameters
    ----------
    where
        Their directory; by default `directory`.
    """
    fresh = secrets.token_bytes(_SECRET_BYTES)
    try:
        path = (where or directory()) / _SECRET
        kept = read(path)
        if kept is None:
            write(path, fresh)
            kept = read(path)
    except OSError:
        return fresh
    return kept if kept is not None and len(kept) == _SECRET_BYTES else fresh
