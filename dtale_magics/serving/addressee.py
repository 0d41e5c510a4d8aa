"""Whom a request is meant for: the kernel whose capability or owner id is in its path."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_REQUEST = re.compile(rb"[A-Z]+ (\S+) HTTP/\d")
_SLUG = re.compile(rb"(?<=/)(?:[a-z0-9-]{0,25}-)?[0-9a-f]{32}(?=[/?#]|$)")
_WHO = re.compile(rb"/_magics/who/([0-9a-f.]+)(?:[?#]|$)")
_MAX_NAMES = 64


def names_in(head: bytes) -> list[str] | None:
    """List the capabilities and owner ids that the path of a request names.

    Parameters
    ----------
    head
        Beginning of the request (RFC 9112).

    Returns
    -------
    list of str or None
        They may follow any public prefix. None if this is not a request.
    """
    request = _REQUEST.match(head)
    if request is None:
        return None
    target = request[1]
    path = re.split(rb"[?#]", target, maxsplit=1)[0]
    if b"%" in path:
        path = unquote_to_bytes(path)
    found = _SLUG.findall(path)
    who = _WHO.search(path)
    if who is not None:
        found += who[1].split(b".")
    return [one.decode() for one in found[:_MAX_NAMES] if one]
