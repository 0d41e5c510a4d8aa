"""Clicks, and who hears of what, with a session that does as it is told."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import Client

from dtale_magics.errors import SettingError
from dtale_magics.frontend.panel import controller as controllers
from dtale_magics.frontend.panel.actions import Actions
from dtale_magics.frontend.panel.controller import Controller
from dtale_magics.outcome import (
    Free,
    GivenBack,
    InFront,
    Outcome,
    Party,
    Refused,
    ReplacedPlainDtale,
    Steered,
)
from dtale_magics.serving.guard import HEADER
from dtale_magics.settings import PortRange
from tests.frontend.panel_session import FakeSession
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAIN = Party("train.ipynb", 20)


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def client(session: FakeSession) -> Iterator[Client]:
    yield Client(Actions(session))
    controllers.retire(session)


@pytest.mark.parametrize(
    ("outcome", "undo"),
    [
        (Free(40000), None),
        (Steered(40000, TRAIN), None),  # there is nobody who could be in front instead
        (InFront(40000, TRAIN), "Undo: train.ipynb in front again"),
        (ReplacedPlainDtale(40000, TRAIN), None),  # nothing brings its frames back
    ],
)
def test_a_takeover_is_told_and_can_be_taken_back(
    session: FakeSession, outcome: Outcome, undo: str | None
) -> None:
    session.outcome = outcome
    one = Controller(session)
    one.act("take")
    activity = one.view().activity
    assert activity.said
    assert activity.said.ok
    assert "port 40000" in activity.said.text.lower()
    assert (activity.undo.label if activity.undo else None) == undo
    assert not activity.doing


def test_a_refusal_says_who_and_what_to_do(session: FakeSession) -> None:
    session.outcome = Refused(40000, "nginx has it.", "Ask its owner.")
    one = Controller(session)
    one.act("take")
    said = one.view().activity.said
    assert said
    assert (said.ok, said.hint) == (False, "Ask its owner.")
    assert "nginx has it." in said.text
    assert one.view().activity.undo is None


def test_giving_back_can_be_undone(session: FakeSession) -> None:
    session.outcome = GivenBack(40000, TRAIN)
    one = Controller(session)
    one.act("release")
    undo = one.view().activity.undo
    assert undo
    assert (undo.action, undo.label) == ("take", "Undo: take port 40000 again")


def test_whatever_goes_wrong_is_shown(session: FakeSession) -> None:
    session.outcome = RuntimeError("boom")
    one = Controller(session)
    one.act("take")
    said = one.view().activity.said
    assert said
    assert not said.ok
    assert "RuntimeError: boom" in said.text
    assert said.hint
    session.broken = SettingError("DTALE_MIN_PORT", "x", "DTALE_MIN_PORT is 'x'.", "Use a number.")
    view = one.view()
    assert view.ingress
    assert (view.server.text, view.ingress.text) == ("DTALE_MIN_PORT is 'x'.", "Use a number.")
    assert view.button is None


def test_the_range_is_checked_and_can_be_taken_back(session: FakeSession) -> None:
    one = Controller(session)
    one.act("range", "40010 40000")
    said = one.view().activity.said
    assert said
    assert not said.ok
    assert session.range == PortRange(40000, 40009)
    one.act("range", "40100–40110")
    assert session.range == PortRange(40100, 40110)
    undo = one.view().activity.undo
    assert undo
    one.act(undo.action, undo.value)
    assert session.range == PortRange(40000, 40009)


def test_a_click_that_comes_on_two_ways_counts_once(session: FakeSession) -> None:
    one = Controller(session)
    one.act("take", click="a")
    one.act("take", click="a")
    assert session.calls == ["take"]
    one.act("take", click="b")
    assert session.calls == ["take", "take"]


def test_clicks_do_not_pile_up(session: FakeSession) -> None:
    session.gate = threading.Event()
    one = Controller(session)
    first = threading.Thread(target=one.act, args=("take",))
    first.start()
    wait_until(lambda: session.calls)
    one.act("take")
    assert one.state()["activity"]["doing"] == "Taking ingress port 40000 …"
    session.gate.set()
    first.join(10)
    assert session.calls == ["take"]


def test_watchers_hear_of_changes_and_cost_nothing_afterwards(session: FakeSession) -> None:
    one = Controller(session)
    heard: list[dict[str, Any]] = []
    changed = threading.Event()

    def hear(state: dict[str, Any]) -> None:
        heard.append(state)
        changed.set()

    stops = [one.watch(hear), one.watch(lambda _: None)]
    session.happen("a sibling came")
    assert changed.wait(10)
    assert heard[-1]["news"] == "a sibling came"
    for stop in stops:
        stop()
    assert not one.watched
    assert session.subscribers == []
    wait_until(
        lambda: "dtale_magics panel" not in {thread.name for thread in threading.enumerate()}
    )


def test_a_retired_panel_says_so_and_does_nothing(session: FakeSession) -> None:
    one = Controller(session)
    one.watch(lambda _: None)
    one.retire()
    one.act("take")
    assert session.calls == []
    assert "unloaded" in one.state()["end"]["text"]


# ------------------------------------------------------------------------ over HTTP


def test_a_click_over_http_answers_with_the_new_state(session: FakeSession, client: Client) -> None:
    headers = {HEADER: "1", "Origin": "http://localhost:8888"}
    before = client.get("/state", headers=headers).json
    assert before
    answer = client.post("/take", headers=headers, data=json.dumps({"click": "a"}))
    assert answer.json
    assert answer.json["revision"] > before["revision"]
    assert answer.json["activity"]["said"]["ok"] is True
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:8888"
    assert "slug" not in answer.text
    assert session.calls == ["take"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "code"),
    [
        ("POST", "/take", {}, "", 403),  # a form of another site can do no more than this
        ("GET", "/take", {HEADER: "1"}, "", 405),
        ("POST", "/state", {HEADER: "1"}, "", 405),
        ("POST", "/stop", {HEADER: "1"}, "", 404),
        ("POST", "/take", {HEADER: "1"}, "{", 400),
        ("POST", "/take", {HEADER: "1"}, "[]", 400),
        ("POST", "/take", {HEADER: "1"}, '{"value": 3}', 400),
        ("POST", "/take", {HEADER: "1"}, "[" * 4000, 400),
        ("POST", "/take", {HEADER: "1"}, " " * 5000, 400),
    ],
)
def test_what_is_no_click_changes_nothing(  # noqa: PLR0913, PLR0917 (one row of the table)
    session: FakeSession,
    client: Client,
    method: str,
    path: str,
    headers: dict[str, str],
    body: str,
    code: int,
) -> None:
    assert client.open(path, method=method, headers=headers, data=body).status_code == code
    assert session.calls == []


def test_a_browser_asks_for_leave_first(client: Client) -> None:
    answer = client.options(
        "/take",
        headers={"Origin": "http://hub", "Access-Control-Request-Private-Network": "true"},
    )
    assert answer.status_code == 204
    assert HEADER in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
