"""The one path of a request, which every rule looks at and D-Tale is given.

One path has many spellings: ``//shutdown``, ``/%2fshutdown``, ``/x/../shutdown``. A rule that
compares one spelling, before a router that understands another one, is a side door. So the path is
made canonical before any rule, and nothing that comes later sees another form of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_OTHER_SPELLINGS = ("REQUEST_URI", "RAW_URI", "PATH_TRANSLATED", "werkzeug.request")


def canonical(path_info: str) -> str | None:
    """Return the canonical form of a path, None if it has none.

    Empty segments count for nothing, as they do for Werkzeug's router. Segments that are dots are
    refused and not resolved: browsers resolve them before they ask. What is left to be resolved
    here comes from a client that wants to be elsewhere than it says, or from a value in which a
    slash is encoded, such as a column's name.

    Parameters
    ----------
    path_info
        As PEP 3333 has it: decoded once, each character a byte.
    """
    if not path_info.startswith("/"):  # of CONNECT, or OPTIONS *
        return None
    try:
        path_info.encode("latin-1").decode("utf-8")  # D-Tale would see other characters than we do
    except UnicodeError:
        return None
    segments = path_info.split("/")
    if not {".", ".."}.isdisjoint(segments):
        return None
    end = "/" if path_info.endswith("/") else ""
    return f"/{'/'.join(filter(None, segments))}{end}".replace("//", "/")


def set_path(environ: WSGIEnvironment, root: str, path: str) -> None:
    """Have whoever is given `environ` see `path` below `root`, and no other spelling."""
    for key in _OTHER_SPELLINGS:
        environ.pop(key, None)
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = root, path
