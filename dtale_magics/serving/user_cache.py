"""What is kept on disk for all kernels of a user: secrets.

The directory may lie where others can write. A file counts if it is this user's and nobody else
could have read or written it; it appears whole or not at all.
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
    """Where it is kept; need not exist."""
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
    """Write a file unless it is there already: of two at once, the first one's is kept."""
    with _draft(path, content) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, path)


def replace(path: Path, content: bytes) -> None:
    """Write a file in the place of what is there: of two at once, the last one's is kept."""
    with _draft(path, content) as draft:
        draft.replace(path)


@contextlib.contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """Write a file beside `path`, which is gone at the end if it was not moved."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}-{secrets.token_hex(8)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        draft.write_bytes(content)
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def secret(where: Path | None = None) -> bytes:
    """Return random bytes that are this user's for good, or for this process where that fails.

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
