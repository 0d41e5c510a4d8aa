"""A plain D-Tale (one without this extension) that has a port: prove that it is one, shut it down.

A 200 from ``/health`` proves nothing: we would take a server that answers everything for D-Tale,
and call a stranger's own ``/shutdown``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psutil

from dtale_magics.state import Frame
from dtale_magics.system import holders, http

_MAX_BYTES = 4_000_000
_REQUEST_SECONDS = 2.0
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?\S{0,20}|unknown")
_PROOF = ("dtale.get_processes", "dtale.view_main", "shutdown", "version_info", "health_check")
"""Endpoints that D-Tale's site map names (dtale.app of 1.9 to 3.22)."""


@dataclass(frozen=True)
class PlainDtale:
    """A plain D-Tale of this user.

    Attributes
    ----------
    host, port
        Where it answers.
    pid, command, since
        Its process.
    frames
        What it shows, and would lose.
    """

    host: str
    port: int
    pid: int
    command: str
    since: float
    frames: tuple[Frame, ...]


def prove(port: int, deadline: float) -> PlainDtale | None:
    """Return the plain D-Tale that has `port`, or None if anything else has it.

    Parameters
    ----------
    port
        The port in question.
    deadline
        ``time.monotonic()`` at which the attempt ends.
    """
    found = [holder for holder in holders.find(port) if holder.listening]
    pids = {holder.pid for holder in found}
    if len(pids) != 1 or None in pids or not holders.same_user(port):
        return None
    holder = found[0]
    assert holder.pid is not None
    if holder.pid == os.getpid():  # the user's own server beside ours: not for us to shut down
        return None
    with contextlib.suppress(psutil.Error):
        if psutil.Process(holder.pid).uids().real == os.getuid():
            host = _host(holder.address)
            frames = _frames_of_dtale(host, port, deadline)
            if frames is not None:
                since = holder.since or 0.0
                return PlainDtale(host, port, holder.pid, holder.command, since, frames)
    return None


def shut_down(dtale: PlainDtale, deadline: float) -> bool:
    """Ask it to shut down, and wait until it has; False if it still listens at `deadline`."""
    theirs = {one.inode for one in holders.listening_sockets(dtale.port)}
    # It may stop before it answers.
    with contextlib.suppress(*http.FAILURES):
        _get(dtale.host, dtale.port, "/shutdown", deadline)
    # Wait for its sockets to go, not for the port to be free: we or a sibling may already have it.
    while theirs & {one.inode for one in holders.listening_sockets(dtale.port)}:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def _frames_of_dtale(host: str, port: int, deadline: float) -> tuple[Frame, ...] | None:
    try:
        if _get(host, port, "/health", deadline) != b"ok":
            return None
        version = _get(host, port, "/version-info", deadline).decode()
        site_map: Any = json.loads(_get(host, port, "/site-map", deadline))
        links = site_map if isinstance(site_map, list) else None
        if links is None or not _VERSION.fullmatch(version.strip()):
            return None
        if not set(_PROOF) <= {str(endpoint) for _, endpoint in links}:
            return None
        processes: Any = json.loads(_get(host, port, "/dtale/processes", deadline))
        return tuple(
            Frame(
                str(one["name"] or ""),
                str(one["data_id"]),
                int(one["rows"]),
                int(one["columns"]),
            )
            for one in processes["data"]
        )
    except (*http.FAILURES, TypeError, KeyError, RecursionError):
        return None


def _host(address: str) -> str:
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared, not bound)
    return wildcard.get(address, address).removeprefix("::ffff:")


def _get(host: str, port: int, path: str, deadline: float) -> bytes:
    """Fetch `path`; `ValueError` if the answer is not OK."""
    name = f"[{host}]" if ":" in host else host
    seconds = min(deadline - time.monotonic(), _REQUEST_SECONDS)
    answer = http.fetch(f"http://{name}:{port}{path}", seconds, max_bytes=_MAX_BYTES)
    if answer.status != HTTPStatus.OK:
        raise ValueError(f"status {answer.status}")
    return answer.body
