"""What the Hub is told, and that no Hub can disturb D-Tale."""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from dtale_magics.serving.activity import Activity
from tests.support import plain_http
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from tests.support.kernels import StartKernel

TOKEN = "token-of-ada"
SECONDS = 30.0


class Hub:
    """Answers every report with `status`, or not at all."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.reports: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self._end = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hub.authorizations.append(self.headers["Authorization"])
                hub.reports.append(json.loads(body))
                if hub.status is None:
                    hub._end.wait(SECONDS)
                    return
                self.send_response(hub.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                hub.reports.append({})
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def environ(self) -> dict[str, str]:
        """What JupyterHub sets for a named server."""
        return {
            "JUPYTERHUB_ACTIVITY_URL": f"http://127.0.0.1:{self._server.server_port}/activity",
            "JUPYTERHUB_API_TOKEN": TOKEN,
            "JUPYTERHUB_SERVER_NAME": "second",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._server.shutdown()
        self._thread.join(SECONDS)
        self._server.server_close()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as one:
        yield one


def _ended(activity: Activity) -> bool:
    return activity._thread is not None and not activity._thread.is_alive()


def test_a_report_is_what_the_single_user_server_sends(hub: Hub) -> None:
    before = datetime.now(timezone.utc)
    Activity(hub.environ).note()
    wait_until(lambda: hub.reports)
    when = hub.reports[0]["last_activity"]
    assert hub.reports == [{"servers": {"second": {"last_activity": when}}, "last_activity": when}]
    assert hub.authorizations == [f"token {TOKEN}"]
    assert when.endswith("Z")
    moment = datetime.fromisoformat(when.replace("Z", "+00:00"))
    assert before <= moment <= datetime.now(timezone.utc)


def test_reports_keep_the_interval_of_jupyterhub(hub: Hub) -> None:
    intervals = {"often": "1", "rarely": "", "never": "0"}
    activities = [
        Activity(
            {
                **hub.environ,
                "JUPYTERHUB_SERVER_NAME": name,
                "JUPYTERHUB_ACTIVITY_INTERVAL": interval,
            }
        )
        for name, interval in intervals.items()
    ]

    def use_all() -> bool:
        for activity in activities:
            activity.note()
        return len(hub.reports) >= 4

    begin = time.monotonic()
    wait_until(use_all)
    seconds = time.monotonic() - begin
    servers = [name for report in hub.reports for name in report["servers"]]
    assert servers.count("rarely") == 1
    assert servers.count("never") == 0
    assert 3 <= servers.count("often") <= 1 + seconds


@pytest.mark.parametrize("status", [403, 500, 302, None])
def test_a_hub_that_does_not_take_it(
    hub: Hub, status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    hub.status = status
    activity = Activity(
        {**hub.environ, "JUPYTERHUB_ACTIVITY_INTERVAL": "0.001"},
        answer_seconds=30.0 if status else 1.0,
    )
    with caplog.at_level(logging.DEBUG, "dtale_magics"):
        activity.note()
        wait_until(lambda: _ended(activity))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert (str(status) if status else "Timeout") in caplog.text
    assert TOKEN not in caplog.text
    wait_until(lambda: hub.reports)
    assert len(hub.reports) == 1  # the redirect was not followed
    hub.status = 200
    activity.note()
    wait_until(lambda: len(hub.reports) == 2)


def test_one_report_at_a_time_to_a_silent_hub(hub: Hub) -> None:
    hub.status = None
    activity = Activity({**hub.environ, "JUPYTERHUB_ACTIVITY_INTERVAL": "0.001"})
    activity.note()
    wait_until(lambda: hub.reports)
    for _ in range(100):
        activity.note()
        time.sleep(0.002)
    assert len(hub.reports) == 1


def test_no_hub_and_an_unusable_token(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    alone = Activity({})
    alone.note()
    assert alone._thread is None
    broken = Activity({**hub.environ, "JUPYTERHUB_API_TOKEN": f"{TOKEN}\n"})
    broken.note()
    wait_until(lambda: _ended(broken))
    assert "ValueError" in caplog.text
    assert TOKEN not in caplog.text


def test_only_the_use_of_d_tale_counts(hub: Hub, start_kernel: StartKernel) -> None:
    hub.status = None  # and nobody in the grid waits for it
    kernel = start_kernel(environ=hub.environ)
    kernel.run("%load_ext dtale_magics\nimport pandas as pd\n%dtale pd.DataFrame({'a': [7]})")
    status = kernel.status()
    strange = status["url"].replace(status["url"].rstrip("/")[-8:], "00000000")
    assert plain_http.request(f"{strange}dtale/main/1").status == 404
    assert plain_http.request(f"{status['url']}_magics/state").status == 403
    before = datetime.now(timezone.utc)
    frame = f"{status['url']}dtale/main/{status['frames'][0]['data_id']}"
    assert [row["a"] for row in plain_http.grid(frame)] == [7]
    wait_until(lambda: hub.reports)
    # Had an earlier request counted, its report would have been the only one for five minutes.
    when = datetime.fromisoformat(hub.reports[0]["last_activity"].replace("Z", "+00:00"))
    assert when >= before
