"""Whose D-Tale answers here: ``GET <prefix>/_magics/who/<owner id>[.<owner id>…]``.

A 200 proves nothing, and without a capability two kernels answer everything alike. So whoever wants
to know where a URL leads asks for random owner ids: a kernel that has one of them says so, and
every other server gives the answer that it gives to everything.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from werkzeug.wrappers import Response

PATH = "/_magics/who/"

PROTOCOL = 1
"""Version of the answer."""

MAX_OWNERS = 64
"""Maximum number of owners in one question."""

_ASKED = re.compile(r"(.*)/_magics/who/([0-9a-f]{16}(?:\.[0-9a-f]{16}){0,63})")
_OWNER = re.compile("[0-9a-f]{16}")


def is_owner(text: str) -> bool:
    """Whether `text` is an owner id, which one can ask for."""
    return _OWNER.fullmatch(text) is not None


def path(owners: Iterable[str]) -> str:
    """Return what to append to a base URL to ask whether one of `owners` answers there."""
    return PATH + ".".join([*owners][:MAX_OWNERS])


def answer(environ: Mapping[str, Any], owner: str, prefix: str, rest: str) -> Response | None:
    """Answer if the request asks for `owner`.

    Parameters
    ----------
    environ
        The request (PEP 3333).
    owner
        Random public id of this kernel's D-Tale.
    prefix, rest
        The path, split into the public prefix that the server recognised and what follows.

    Returns
    -------
    werkzeug.wrappers.Response or None
        JSON with ``protocol``, ``owner`` and ``prefix``, the path under which this server believes
        it is seen: pages make their links with it, so it has to be the asker's. None if the request
        asks for others.
    """
    from werkzeug.wrappers import Request, Response

    asked = _ASKED.fullmatch(rest)
    if asked is None or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        return None
    if owner not in asked[2].split("."):
        return None
    # A prefix that we do not know is reported as unknown: D-Tale would answer 404 below it.
    said = {"protocol": PROTOCOL, "owner": owner, "prefix": prefix, "unknown": asked[1]}
    response = Response(json.dumps(said), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    origin = environ.get("HTTP_ORIGIN")
    if origin:
        # Pages of every origin may read it. The origin is named because with "*" browsers do not
        # send the cookies of an ingress that asks for a sign-in.
        response.headers["Access-Control-Allow-Origin"] = Request(dict(environ)).headers["Origin"]
        response.headers["Access-Control-Allow-Credentials"] = "true"
    else:
        response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Vary"] = "Origin"
    return response
