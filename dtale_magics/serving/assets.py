"""D-Tale's static files, for browsers to fetch once.

D-Tale compresses its seven megabytes of JavaScript again for every visitor, and has browsers ask
again and again whether they have changed. Here a kernel compresses them once and serves them
below a path that names their version. A browser that has them never asks again, not even for
another kernel on the same port or after a restart.

That path is the same for all kernels of a user with the same D-Tale, and nobody else can guess it.
It leads to these files and to nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import importlib.util
import mimetypes
import os
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dtale_magics.serving import user_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.wrappers import Response

PATH = "/dtale/static/"
"""D-Tale's path of its static files."""

OWN_SCRIPTS = ("magics/exact.js", "magics/place.js", "magics/embedded.js")
"""Scripts of our own that D-Tale's pages also load."""

_OWN = {name: Path(__file__).parents[1] / "viewer" / Path(name).name for name in OWN_SCRIPTS}

_FOREVER = "private, max-age=31536000, immutable"
"""See RFC 8246; RFC 2616 used a year for "never expires"."""

_OF_FIRST_PAGE = (
    "dist/dtale_bundle.js",
    "dist/base_styles_bundle.js",
    "dist/polyfills_bundle.js",
    "css/main.css",
)

_COMPRESSIBLE = {
    "application/javascript",
    "application/json",
    "application/vnd.ms-fontobject",
    "font/otf",
    "font/ttf",
    "image/svg+xml",
    "image/vnd.microsoft.icon",
    "text/css",
    "text/html",
    "text/javascript",
}


def _brotli(pieces: Iterable[bytes]) -> bytes:
    import brotli

    packer = brotli.Compressor(quality=_QUALITY, lgwin=_WINDOW_BITS)
    return b"".join([*map(packer.process, pieces), packer.finish()])


def _gzip(pieces: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(6, wbits=zlib.MAX_WBITS | 16)  # with gzip's head
    return b"".join([*map(packer.compress, pieces), packer.flush()])


_CODINGS = {"br": _brotli, "gzip": _gzip}
"""How files are compressed, best first; in pieces, or megabytes of the heap would stay taken."""

_BEST = "br"

_QUALITY, _WINDOW_BITS = 6, 18
"""Of Brotli: as quick as gzip, and a tenth smaller. The best takes half a minute and 100 MB."""

_MIN_BYTES = 500  # smaller answers gain nothing

_PIECE = 64 * 1024


class _Stamp(NamedTuple):
    """What changes with a file's content."""

    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


class Assets:
    """The static files of the installed D-Tale.

    Parameters
    ----------
    folder
        Where they are; by default in the installed D-Tale, which is not imported for this.
    secret
        What the path is derived from; by default the user's (`dtale_magics.serving.user_cache`).
    """

    def __init__(self, folder: Path | None = None, secret: bytes | None = None) -> None:
        self._folder = folder
        self._secret = secret
        self._lock = threading.Lock()
        self._packing = threading.Lock()
        self._compressed: dict[tuple[str, str], bytes] = {}

    @property
    def token(self) -> str:
        """First path segment, below which the static files are served."""
        with self._lock:
            return self._token

    def url(self, prefix: str, name: str) -> str | None:
        """Path of a file for browsers below a public prefix; None if there is no such file."""
        return f"{prefix}/{self.token}{PATH}{name}" if name in self._files else None

    def compress(self) -> threading.Thread:
        """Compress what the first page needs, before anybody waits for it."""

        def work() -> None:
            with contextlib.suppress(AttributeError, OSError):  # for this thread alone, on Linux
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
            for name in _OF_FIRST_PAGE:
                with contextlib.suppress(OSError):  # an installation without it
                    self._packed(name, _BEST)

        thread = threading.Thread(target=work, name="dtale_magics compress", daemon=True)
        thread.start()
        return thread

    def redirect(self, prefix: str, path: str) -> WSGIApplication | None:
        """Redirect from a kernel's own path of a static file to the one that all kernels share.

        Parameters
        ----------
        prefix
            Public prefix.
        path
            Path below the slug, with its leading slash.

        Returns
        -------
        WSGIApplication or None
            None when D-Tale itself has to answer.
        """
        url = self.url(prefix, path.removeprefix(PATH)) if path.startswith(PATH) else None
        if url is None:
            return None
        from werkzeug.wrappers import Response

        return Response(status=308, headers={"Location": url, "Cache-Control": _FOREVER})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request below the token (PEP 3333)."""
        return self._answer(environ)(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Response:
        from werkzeug.wrappers import Request, Response

        request = Request(environ)
        if request.method not in ("GET", "HEAD"):
            return Response(status=405, headers={"Allow": "GET, HEAD"})
        name = request.path.removeprefix(PATH)
        stamp = self._files.get(name) if request.path.startswith(PATH) else None
        if stamp is None:
            return Response(status=404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        packs = kind in _COMPRESSIBLE and stamp.size >= _MIN_BYTES
        accepted = [one for one in _CODINGS if request.accept_encodings.quality(one) > 0]
        coding = accepted[0] if packs and accepted else ""
        try:
            fresh = _Stamp.of(self._path(name)) == stamp
            packed = self._packed(name, coding) if coding and fresh else None
            size = (self._path(name)).stat().st_size
        except OSError:  # removed since, by an update of D-Tale
            return Response(status=404)
        response = Response(packed or self._pieces(name), mimetype=kind)
        response.content_length = len(packed) if packed else size
        if not fresh:  # the path names another version
            response.headers["Cache-Control"] = "no-store"
            return response
        response.headers["Cache-Control"] = _FOREVER
        response.vary.add("Accept-Encoding")
        if coding:
            response.content_encoding = coding
        response.set_etag(f"{stamp.modified:x}-{stamp.size:x}-{coding or 'plain'}")
        return response.make_conditional(request)

    def _packed(self, name: str, coding: str) -> bytes:
        with self._packing:  # once, however many visitors wait for it
            if (name, coding) not in self._compressed:
                self._compressed[name, coding] = _CODINGS[coding](self._pieces(name))
            return self._compressed[name, coding]

    def _pieces(self, name: str) -> Iterator[bytes]:
        """Read a file while it is sent: the largest have megabytes, and many may ask at once."""
        with (self._path(name)).open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    def _path(self, name: str) -> Path:
        return _OWN[name] if name in _OWN else self._root / name

    @functools.cached_property
    def _root(self) -> Path:
        if self._folder is not None:
            return self._folder
        found = importlib.util.find_spec("dtale")
        places = (found and found.submodule_search_locations) or [os.devnull]
        return Path(places[0], "static")

    @functools.cached_property
    def _files(self) -> Mapping[str, _Stamp]:
        root = self._root
        return {
            path.relative_to(root).as_posix(): _Stamp.of(path)
            for path in sorted(root.rglob("*"))
            if path.is_file()
        } | {name: _Stamp.of(path) for name, path in _OWN.items()}

    @functools.cached_property
    def _token(self) -> str:
        secret = self._secret if self._secret is not None else user_cache.secret()
        listing = repr(sorted(self._files.items())).encode()
        return hmac.digest(secret, listing, hashlib.sha256).hex()[:32]
