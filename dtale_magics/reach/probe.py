"""Asks a URL whose D-Tale answers there, from the kernel's side.

Environment proxies are not used: they answer for themselves, and loopback, the pod and the ingress
of the cluster are not behind them.
"""

from __future__ import annotations

import json
import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dtale_magics.reach import finding
from dtale_magics.serving import identity
from dtale_magics.system import http

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dtale_magics.reach.finding import Finding

SECONDS = 2.5
"""How long all probes together may take; a check has three seconds."""

_OUR_404 = b"There is nothing to see without the full link."
"""What every D-Tale with this extension says to those without the link."""

_STATUSES: dict[int, type[Finding]] = {
    401: finding.SignIn,
    403: finding.SignIn,
    502: finding.BadGateway,
    503: finding.Unavailable,
    504: finding.GatewayTimeout,
}


@dataclass(frozen=True)
class Question:
    """Whom to ask for where.

    Attributes
    ----------
    base
        URL before the slug.
    owner
        Whose D-Tale it ought to be.
    others
        The siblings' names by their owner ids.
    headers
        To send along.
    """

    base: str
    owner: str
    others: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def ask_all(
    questions: Sequence[Question],
    seconds: float = SECONDS,
    found: Callable[[int, Finding], None] = lambda *_: None,
) -> list[Finding]:
    """Ask at the same time; what has not answered after `seconds` has timed out.

    Parameters
    ----------
    questions
        Any number.
    seconds
        For all together.
    found
        Called with the index of a question and its answer, as they come.
    """
    answers: queue.SimpleQueue[tuple[int, Finding]] = queue.SimpleQueue()
    deadline = time.monotonic() + seconds

    def answer(index: int, question: Question) -> None:
        answers.put((index, ask(question, seconds)))

    for index, question in enumerate(questions):
        # Not a pool: its threads are waited for, and the system's resolver has no deadline.
        threading.Thread(
            target=answer, args=(index, question), name="dtale_magics probe", daemon=True
        ).start()
    findings: dict[int, Finding] = {}
    while len(findings) < len(questions):
        try:
            index, one = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        findings[index] = one
        found(index, one)
    for index in set(range(len(questions))) - set(findings):
        findings[index] = finding.TimedOut()
        found(index, findings[index])
    return [findings[index] for index in range(len(questions))]


def ask(question: Question, seconds: float = SECONDS) -> Finding:
    """Ask one; returns whatever happened as a type, and raises nothing of the network's."""
    url = question.base + identity.path([question.owner, *question.others])
    headers = {"Accept": "application/json", **question.headers}
    started = time.monotonic()
    try:
        answer = http.fetch(url, seconds, headers=headers)
    except http.FAILURES as error:
        return _failure(error, urlsplit(url).hostname or "")
    return _judge(question, answer, int(1000 * (time.monotonic() - started)))


def _judge(question: Question, answer: http.Answer, milliseconds: int) -> Finding:
    status, headers, body = answer
    said = _identity(body) if status == 200 else None  # noqa: PLR2004 (OK)
    if said is not None:
        if said["owner"] != question.owner:
            known = question.others.get(str(said["owner"]))
            return finding.OtherDtale() if known is None else finding.AnotherNotebook(known)
        asked = urlsplit(question.base).path
        seen = f"{said.get('prefix')}{said.get('unknown')}"
        if said.get("unknown") or seen.rstrip("/") != asked.rstrip("/"):
            return finding.WrongPrefix(asked, seen)
        return finding.Ours(milliseconds)
    if 300 <= status < 400:  # noqa: PLR2004 (redirections)
        where = urlsplit(headers.get("Location", ""))
        return finding.SignIn(f"{where.netloc}{where.path}")
    if status == 404:  # noqa: PLR2004 (not found)
        return finding.OtherDtale() if _OUR_404 in body else finding.NoRoute()
    if b'type="password"' in body.lower():
        return finding.SignIn()
    kind = _STATUSES.get(status)
    return finding.SomethingElse(status) if kind is None else kind()


def _identity(body: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(body)
    except ValueError:
        return None
    known = isinstance(said, dict) and said.get("protocol") == identity.PROTOCOL and "owner" in said
    return said if known else None


def _failure(error: Exception, host: str) -> Finding:
    match error:
        case ssl.SSLCertVerificationError():
            return finding.BadCertificate(error.verify_message)
        case ssl.SSLError():
            return finding.Unreachable(f"TLS: {error.reason or error}")
        case socket.gaierror():
            return finding.NameNotFound(host)
        case ConnectionRefusedError():
            return finding.Refused()
        case TimeoutError():
            return finding.TimedOut()
        case OSError() if error.strerror:
            return finding.Unreachable(error.strerror)
    return finding.Unreachable(type(error).__name__)
