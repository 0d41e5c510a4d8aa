"""Whose D-Tale answers here: ``GET <prefix>/_magics/who/<owner id>[.<owner id>…]``.

A 200 proves nothing, and two kernels answer alike for everything without a capability. So whoever
wants to know where a URL leads asks by owner ids, which are random: a kernel that has one of them
says so, and everybody else gives the answer that it gives to everything.
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
    """Whether `text` is an owner id, by which one can ask."""
    return _OWNER.fullmatch(text) is not None


def path(owners: Iterable[str]) -> str:
    """Return what to append to a base URL, to ask whether one of `owners` answers there."""
    return PATH + ".".join([*owners][:MAX_OWNERS])


def answer(environ: Mapping[str, Any], owner: str, prefix: str, rest: str) -> Response | None:
    """Answer if it is `owner` who is asked for.

    Parameters
    ----------
    environ
        Of the request (PEP 3333).
    owner
        Random public id of this kernel's D-Tale.
    prefix, rest
        The path, split into the public prefix that the server recognised and what follows.

    Returns
    -------
    werkzeug.wrappers.Response or None
        JSON with ``protocol``, ``owner`` and ``prefix``, the path under which this server believes
        to be seen: links of pages are made with it, so it has to be the asker's. None for whoever
        does not know the id.
    """
    from werkzeug.wrappers import Request, Response

    asked = _ASKED.fullmatch(rest)
    if asked is None or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        return None
    if owner not in asked[2].split("."):
        return None
    # A prefix that we do not know stays in front: D-Tale would answer 404 below it.
    said = {"protocol": PROTOCOL, "owner": owner, "prefix": prefix, "unknown": asked[1]}
    response = Response(json.dumps(said), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    origin = environ.get("HTTP_ORIGIN")
    if origin:
        # Pages of every origin may read it. With an origin by name, browsers send the cookies of
        # an ingress that asks for a sign-in, which with "*" they do not.
        response.headers["Access-Control-Allow-Origin"] = Request(dict(environ)).headers["Origin"]
        response.headers["Access-Control-Allow-Credentials"] = "true"
    else:
        response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Vary"] = "Origin"
    return response
