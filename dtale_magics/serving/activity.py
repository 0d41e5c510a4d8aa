"""Tells the Hub that D-Tale is in use, so that an idle-culler does not end the pod meanwhile.

The Hub sees what goes through its proxy and the notebook server. Somebody who works in a grid that
an ingress leads to straight is idle for it.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVAL_SECONDS = 300.0
"""As often as JupyterHub's own servers report, unless ``JUPYTERHUB_ACTIVITY_INTERVAL`` is set."""

ANSWER_SECONDS = 10.0
"""How long the Hub may be silent."""

logger = logging.getLogger(__name__)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for the Hub and for nobody it may point to."""

    def redirect_request(self, *_: object) -> None:
        """Take the redirect as the answer."""


class Activity:
    """Reports of one kernel; without a Hub it does nothing.

    Parameters
    ----------
    environ
        Where JupyterHub says where it is, by default this process's environment.
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
        """Say that somebody uses D-Tale now; takes microseconds, and never fails.

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
        # The Hub is inside the cluster: the environment's proxies are for what is outside.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
        try:
            request = urllib.request.Request(self._url, body, headers)  # noqa: S310 (the Hub's own)
            opener.open(request, timeout=self._answer_seconds).close()
        except urllib.error.HTTPError as error:
            error.close()
            logger.warning("the Hub did not take the activity: HTTP %d", error.code)
        except Exception as error:  # noqa: BLE001 (the grid works without it)
            # Not its text, in which http.client quotes a header that cannot be sent.
            logger.warning("the Hub could not be told the activity: %s", type(error).__name__)
        else:
            logger.debug("told the Hub the activity of %s", when)


def _interval(text: str) -> float:
    """Seconds between two reports; 0 switches them off, as in JupyterHub."""
    try:
        return max(0.0, float(text)) if text else INTERVAL_SECONDS
    except ValueError:
        return INTERVAL_SECONDS
