"""Asks at a URL, from the kernel's side, whose D-Tale answers there.

The environment's proxies are not used: they would answer for themselves, and loopback, the pod and
the cluster's ingress are not behind them.
"""

from __future__ import annotations

import json
import queue
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dtale_magics import deadlines
from dtale_magics.reach import causes
from dtale_magics.reach.finding import Finding
from dtale_magics.serving import identity, web
from dtale_magics.system import http

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Question:
    """Whom to ask for, and where.

    Attributes
    ----------
    base
        The URL, without the slug.
    owner
        Owner id of the D-Tale that should be there.
    others
        The siblings' names by their owner ids.
    headers
        Headers to send.
    """

    base: str
    owner: str
    others: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def ask_all(
    questions: Sequence[Question],
    seconds: float = deadlines.PROBE,
    found: Callable[[int, Finding], None] = lambda *_: None,
) -> list[Finding]:
    """Ask all questions at the same time; those not answered after `seconds` have timed out.

    Parameters
    ----------
    questions
        Any number of questions.
    seconds
        Deadline for all of them together.
    found
        Called with the index of a question and its finding, as they arrive.
    """
    answers: queue.SimpleQueue[tuple[int, Finding]] = queue.SimpleQueue()
    deadline = time.monotonic() + seconds

    def answer(index: int, question: Question) -> None:
        answers.put((index, ask(question, seconds)))

    for index, question in enumerate(questions):
        # Not a pool: it would wait for its threads, and the system's resolver has no deadline.
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
        findings[index] = Finding(causes.TIMED_OUT)
        found(index, findings[index])
    return [findings[index] for index in range(len(questions))]


def ask(question: Question, seconds: float = deadlines.PROBE) -> Finding:
    """Ask one question; whatever happens is returned as a finding, and no network error raised."""
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
    said = _identity(body) if status == HTTPStatus.OK else None
    if said is not None:
        if said["owner"] != question.owner:
            known = question.others.get(str(said["owner"]))
            if known is None:
                return Finding(causes.OTHER_DTALE)
            return Finding(causes.ANOTHER_NOTEBOOK, label=known)
        asked = urlsplit(question.base).path
        seen = f"{said.get('prefix')}{said.get('unknown')}"
        if said.get("unknown") or seen.rstrip("/") != asked.rstrip("/"):
            return Finding(causes.WRONG_PREFIX, asked=asked, seen=seen)
        return Finding(causes.OURS, milliseconds)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        where = urlsplit(headers.get("Location", ""))
        return Finding(causes.SIGN_IN, where=f"{where.netloc}{where.path}")
    if status == HTTPStatus.NOT_FOUND and web.NOT_FOUND in body:
        return Finding(causes.OTHER_DTALE)
    if b'type="password"' in body.lower():
        return Finding(causes.SIGN_IN)
    cause = causes.BY_STATUS.get(status)
    return Finding(causes.SOMETHING_ELSE, status=status) if cause is None else Finding(cause)


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
            return Finding(causes.BAD_CERTIFICATE, why=error.verify_message)
        case ssl.SSLError():
            return Finding(causes.UNREACHABLE, why=f"TLS: {error.reason or error}")
        case socket.gaierror():
            return Finding(causes.NAME_NOT_FOUND, host=host)
        case ConnectionRefusedError():
            return Finding(causes.REFUSED)
        case TimeoutError():
            return Finding(causes.TIMED_OUT)
        case OSError() if error.strerror:
            return Finding(causes.UNREACHABLE, why=error.strerror)
    return Finding(causes.UNREACHABLE, why=type(error).__name__)
