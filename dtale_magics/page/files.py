"""Our own pages: one file each, with scripts and styles below a path that names their version."""

from __future__ import annotations

import functools
import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

FOLDER = "_pod/"
"""Path of the files below a page's address; D-Tale has no such path."""

_DIRECTORY = Path(__file__).with_name("static")
_KINDS = {".css": "text/css", ".js": "text/javascript"}
_VERSION_IN_PAGE = "{version}"
_DIGITS = 16

_FOREVER = "private, max-age=31536000, immutable"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Pages have no inline scripts, and names of notebooks are inserted as text."""


def page(request: Request, name: str) -> Response:
    """Answer with one of the pages, for example ``page``."""
    response = _compressed(request, _content(f"{name}.html"), "text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    return response.make_conditional(request)


def file(request: Request, path: str) -> Response | None:
    """Answer with the file of ``_pod/<version>/<name>``; None if there is none."""
    version, _, name = path.removeprefix(FOLDER).partition("/")
    if name not in _names() or Path(name).suffix not in _KINDS:
        return None
    response = _compressed(request, _content(name), _KINDS[Path(name).suffix])
    # A sibling that has another version of this package may have made the page.
    response.headers["Cache-Control"] = _FOREVER if version == _version() else "no-store"
    return response


def _compressed(request: Request, content: bytes, kind: str) -> Response:
    response = Response(content, mimetype=kind)
    response.vary.add("Accept-Encoding")
    if request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(content, 6, mtime=0))
        response.content_encoding = "gzip"
    return response


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _DIRECTORY.iterdir())


@functools.cache
def _version() -> str:
    digest = hashlib.sha256()
    for name in sorted(_names()):
        digest.update((_DIRECTORY / name).read_bytes())
    return digest.hexdigest()[:_DIGITS]


@functools.cache
def _content(name: str) -> bytes:
    text = (_DIRECTORY / name).read_text(encoding="utf-8")
    if name.endswith(".html"):
        text = text.replace(_VERSION_IN_PAGE, _version())
    return text.encode()
