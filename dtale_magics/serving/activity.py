"""Tells the Hub that D-Tale is in use, so that an idle-culler does not end the pod meanwhile.

The Hub sees what goes through its proxy and the notebook server. To the Hub, somebody who works in
a grid straight through an ingress looks idle.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING

from dtale_magics.system import http

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVAL_SECONDS = 300.0
"""The interval of JupyterHub's own servers, unless ``JUPYTERHUB_ACTIVITY_INTERVAL`` is set."""

ANSWER_SECONDS = 10.0
"""How long the Hub may be silent."""

logger = logging.getLogger(__name__)


class Activity:
    """Reports of one kernel; without a Hub it does nothing.

    Parameters
    ----------
    environ
        Variables in which JupyterHub says where it is; by default this process's environment.
    answer_seconds
        How long the Hub may be silent.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._url = environ.get("JUPYTERHUB_ACTIVITY_URL", "")
        self._token = environ.get("JUPYTERHUB_API_TOKEN", "")
        self._server = environ.get("JUPYTERHUB_SERVER_NAME", "")
        self._interval = _interval(environ.get("JUPYTERHUB_ACTIVITY_INTERVAL", ""))
        self._answer_seconds = answer_seconds
        self._lock = threading.Lock()
        self._next = time.monotonic()
        self._thread: threading.Thread | None = None

    def note(self) -> None:
        """Report that somebody is using D-Tale now; takes microseconds and never fails.

        A report that failed is not repeated: the next use after the interval is reported.
        """
        if not (self._url and self._token and self._interval) or time.monotonic() < self._next:
            return
        with self._lock:
            if time.monotonic() < self._next or (self._thread and self._thread.is_alive()):
                return
            self._next = time.monotonic() + self._interval
            self._thread = threading.Thread(
                target=self._report,
                args=(datetime.now(timezone.utc),),
                name="dtale_magics activity",
                daemon=True,
            )
            self._thread.start()

    def _report(self, moment: datetime) -> None:
        """Send what JupyterHub's single-user server sends."""
        when = moment.isoformat().replace("+00:00", "Z")
        last = {"last_activity": when}
        body = json.dumps({"servers": {self._server: last}, **last}).encode()
        headers = {"Authorization": f"token {self._token}", "Content-Type": "application/json"}
        try:
            answer = http.fetch(
                self._url, self._answer_seconds, method="POST", headers=headers, body=body
            )
        except Exception as error:  # noqa: BLE001 (the grid works without it)
            # Not its text: there, http.client quotes a header that it cannot send.
            logger.warning("the Hub could not be told the activity: %s", type(error).__name__)
            return
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:  # a redirect, too: the token is the Hub's
            logger.warning("the Hub did not take the activity: HTTP %d", answer.status)
        else:
            logger.debug("told the Hub the activity of %s", when)


def _interval(text: str) -> float:
    """Seconds between two reports; 0 switches them off, as in JupyterHub."""
    try:
        return max(0.0, float(text)) if text else INTERVAL_SECONDS
    except ValueError:
        return INTERVAL_SECONDS
