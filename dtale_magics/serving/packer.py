"""Files compressed as well as Brotli can, once for all kernels of a user.

The seven megabytes of D-Tale's script take it half a minute of a processor and 100 MB, which a
kernel has not to spare: ``python -m dtale_magics.serving.packer FILE TARGET ...`` does it in a
process of its own, of the lowest priority, which outlives the kernel that started it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dtale_magics.serving import user_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_QUALITY, _WINDOW_BITS = 11, 24
_FORGET_SECONDS = 30 * 24 * 3600
_DIGEST_BYTES = hashlib.sha256().digest_size
_LOCK = "packing"


def start(jobs: Iterable[tuple[Path, Path]]) -> subprocess.Popen[bytes]:
    """Start to compress files; if another process is at it, this one waits and finds them done.

    Parameters
    ----------
    jobs
        Each a file, and the one that `read` is to find.
    """
    return subprocess.Popen(  # noqa: S603 (what runs is ours)
        [sys.executable, "-m", __name__, *(str(path) for job in jobs for path in job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parent,  # no module there that would be imported by mistake
        start_new_session=True,  # an interrupted cell does not interrupt it
    )


def read(target: Path) -> bytes | None:
    """Return what was compressed; None when it is not there, not whole or not to be trusted."""
    try:
        kept = user_cache.read(target) or b""
    except OSError:
        return None
    digest, packed = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
    # A browser keeps what it gets for a year: what a full disk has left of it would be kept, too.
    return packed if hashlib.sha256(packed).digest() == digest else None


def _pack(source: Path, target: Path) -> None:
    import brotli

    packed = brotli.compress(source.read_bytes(), quality=_QUALITY, lgwin=_WINDOW_BITS)
    target.unlink(missing_ok=True)
    user_cache.write(target, hashlib.sha256(packed).digest() + packed)
    _forget_former(target)


def _forget_former(target: Path) -> None:
    """Remove what earlier versions of the file, and writers that were killed, have left over."""
    family = target.name.partition("-")[0]
    with contextlib.suppress(OSError):  # they cost a little room, and no more
        for path in target.parent.glob(f"{family}-*"):
            if path != target and path.stat().st_mtime < time.time() - _FORGET_SECONDS:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Wait until no other process of this user is at it."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main(arguments: list[str]) -> None:
    """Compress each file into its target."""
    if hasattr(os, "nice"):
        os.nice(19)
    paths = [Path(one) for one in arguments]
    with _alone(paths[1].parent):
        for source, target in zip(paths[::2], paths[1::2], strict=True):
            if read(target) is None:
                _pack(source, target)


if __name__ == "__main__":
    main(sys.argv[1:])
