"""What the Hub is told, and that no Hub can disturb D-Tale."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone

import pytest

from dtale_magics.serving.activity import Activity
from tests.support.activity_hub import TOKEN, ActivityHub
from tests.support.waiting import wait_until


def _ended(activity: Activity) -> bool:
    return activity._thread is not None and not activity._thread.is_alive()


def test_a_report_is_what_the_single_user_server_sends(activity_hub: ActivityHub) -> None:
    before = datetime.now(timezone.utc)
    Activity(activity_hub.environ).note()
    wait_until(lambda: activity_hub.reports)
    when = activity_hub.reports[0]["last_activity"]
    assert activity_hub.reports == [
        {"servers": {"second": {"last_activity": when}}, "last_activity": when}
    ]
    assert activity_hub.authorizations == [f"token {TOKEN}"]
    assert when.endswith("Z")
    moment = datetime.fromisoformat(when.replace("Z", "+00:00"))
    assert before <= moment <= datetime.now(timezone.utc)


def test_reports_keep_the_interval_of_jupyterhub(activity_hub: ActivityHub) -> None:
    intervals = {"often": "1", "rarely": "", "never": "0"}
    activities = [
        Activity(
            {
                **activity_hub.environ,
                "JUPYTERHUB_SERVER_NAME": name,
                "JUPYTERHUB_ACTIVITY_INTERVAL": interval,
            }
        )
        for name, interval in intervals.items()
    ]

    def use_all() -> bool:
        for activity in activities:
            activity.note()
        return len(activity_hub.reports) >= 4

    begin = time.monotonic()
    wait_until(use_all)
    seconds = time.monotonic() - begin
    servers = [name for report in activity_hub.reports for name in report["servers"]]
    assert servers.count("rarely") == 1
    assert servers.count("never") == 0
    assert 3 <= servers.count("often") <= 1 + seconds


@pytest.mark.parametrize("status", [403, 500, 302, None])
def test_a_hub_that_does_not_take_it(
    activity_hub: ActivityHub, status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    activity_hub.status = status
    activity = Activity(
        {**activity_hub.environ, "JUPYTERHUB_ACTIVITY_INTERVAL": "0.001"},
        answer_seconds=30.0 if status else 1.0,
    )
    with caplog.at_level(logging.DEBUG, "dtale_magics"):
        activity.note()
        wait_until(lambda: _ended(activity))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert (str(status) if status else "Timeout") in caplog.text
    assert TOKEN not in caplog.text
    wait_until(lambda: activity_hub.reports)
    assert len(activity_hub.reports) == 1  # the redirect was not followed
    activity_hub.status = 200
    activity.note()
    wait_until(lambda: len(activity_hub.reports) == 2)


def test_one_report_at_a_time_to_a_silent_hub(activity_hub: ActivityHub) -> None:
    activity_hub.status = None
    activity = Activity({**activity_hub.environ, "JUPYTERHUB_ACTIVITY_INTERVAL": "0.001"})
    activity.note()
    wait_until(lambda: activity_hub.reports)
    for _ in range(100):
        activity.note()
        time.sleep(0.002)
    assert len(activity_hub.reports) == 1


def test_no_hub_and_an_unusable_token(
    activity_hub: ActivityHub, caplog: pytest.LogCaptureFixture
) -> None:
    alone = Activity({})
    alone.note()
    assert alone._thread is None
    broken = Activity({**activity_hub.environ, "JUPYTERHUB_API_TOKEN": f"{TOKEN}\n"})
    broken.note()
    wait_until(lambda: _ended(broken))
    assert "ValueError" in caplog.text
    assert TOKEN not in caplog.text
