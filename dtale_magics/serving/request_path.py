"""The canonical path of a request, the only one that our rules and D-Tale see.

One path has many spellings: ``//shutdown``, ``/%2fshutdown``, ``/x/../shutdown``. A rule that
checks one spelling in front of a router that understands another is a side door. So the path is
made canonical before any rule is applied, and nothing after that sees another form of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_OTHER_SPELLINGS = ("REQUEST_URI", "RAW_URI", "PATH_TRANSLATED", "werkzeug.request")


def canonical(path_info: str) -> str | None:
    """Return the canonical form of a path, or None if it has none.

    Empty segments are ignored, as Werkzeug's router ignores them. Dot segments are refused rather
    than resolved: browsers resolve them before they ask, so one that arrives here comes from a
    client that pretends to ask for another path, or from a value with an encoded slash, such as a
    column's name.

    Parameters
    ----------
    path_info
        As in PEP 3333: decoded once, each character a byte.
    """
    if not path_info.startswith("/"):  # the target of CONNECT, or OPTIONS *
        return None
    try:
        path_info.encode("latin-1").decode("utf-8")  # otherwise D-Tale would see other characters
    except UnicodeError:
        return None
    segments = path_info.split("/")
    if not {".", ".."}.isdisjoint(segments):
        return None
    end = "/" if path_info.endswith("/") else ""
    return f"/{'/'.join(filter(None, segments))}{end}".replace("//", "/")


def set_path(environ: WSGIEnvironment, root: str, path: str) -> None:
    """Make `environ` show `path` below `root`, and no other spelling."""
    for key in _OTHER_SPELLINGS:
        environ.pop(key, None)
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = root, path
