"""Browsers, as the soak needs them: they ask the ingress port without end and judge each answer."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tests.support import plain_http

if TYPE_CHECKING:
    from typing_extensions import Self

_CLIENTS = 4
_PAUSE_SECONDS = 0.02
_TIMEOUT_SECONDS = 5.0
_INSTANT_SECONDS = 0.2
"""A request that began so shortly after a kill may still have met the killed process."""


class Target:
    """The frame of a kernel.

    Parameters
    ----------
    url
        Of its page.
    marks
        What the frame has contained, in whatever order.
    """

    def __init__(self, url: str, marks: set[str]) -> None:
        self._parts = urlsplit(plain_http.data_url(url, "0-2"))
        self.marks = marks

    def ask(self, port: int) -> plain_http.Response:
        """Ask for the frame's data on `port`."""
        url = self._parts._replace(netloc=f"127.0.0.1:{port}").geturl()
        return plain_http.request(url, timeout=_TIMEOUT_SECONDS)

    def is_own(self, answer: plain_http.Response) -> bool:
        return {row["mark"] for row in _rows(answer)} <= self.marks

    def is_newest(self, answer: plain_http.Response, mark: str) -> bool:
        return {row["mark"] for row in _rows(answer)} == {mark}


def _rows(answer: plain_http.Response) -> list[dict[str, str]]:
    return list(json.loads(answer.body)["results"].values())


class _Failure(NamedTuple):
    began: float
    ended: float
    what: str


class Clients:
    """Some clients of the ingress port.

    Parameters
    ----------
    port
        Which they ask for the frames in `targets`.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.targets: list[Target] = []
        self.asked = 0
        self.excused = 0
        self._instants: list[float] = []
        self._failures: list[_Failure] = []
        self._wrong: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_SECONDS)

    def excuse(self, now: float) -> None:
        """Expect that requests fail which are in the hands of a kernel at this moment."""
        self._instants.append(now)

    def require(self) -> None:
        """Raise `AssertionError` if an answer was wrong or a request was lost without excuse."""
        failures, self._failures = self._failures, []
        lost = [failure for failure in failures if not self._is_excused(failure)]
        self.excused += len(failures) - len(lost)
        assert not self._wrong, self._wrong[:3]
        assert not lost, f"{len(lost)} lost of {self.asked}: {lost[0].what}"

    def _is_excused(self, failure: _Failure) -> bool:
        began, ended = failure.began - _INSTANT_SECONDS, failure.ended
        return any(began <= instant <= ended for instant in self._instants)

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE_SECONDS):
            targets = self.targets
            if not targets:
                continue
            target = random.choice(targets)
            began = time.monotonic()
            try:
                answer = target.ask(self._port)
                if answer.status >= 500:
                    raise ConnectionError(f"{answer.status}: {answer.text[:200]}")
                if answer.status == 200 and not target.is_own(answer):
                    self._wrong.append(answer.text[:300])
            except (OSError, http.client.HTTPException) as error:
                self._failures.append(_Failure(began, time.monotonic(), repr(error)))
            self.asked += 1
