"""Ports that are left to a plain D-Tale, and by whom they are taken again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dtale_magics.pod import ports as pod_ports
from dtale_magics.pod.ports import Ports
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def answer(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return []


def notebook(owner: str, order: Sequence[int]) -> Ports:
    return Ports(
        owner=owner * 16,
        app=answer,
        is_own=lambda _: False,
        label=lambda: owner,
        reports={},
        search_order=lambda: order,
        happened=lambda *_: None,
    )


def test_only_those_who_had_a_port_come_back_to_it(
    ports: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_ports, "HOLD_OFF_SECONDS", 0.5)
    never = notebook("b", ports[5:7])
    try:
        never.ensure(ports[5:7])
        never.give_up(ports[0])  # it is asked as all siblings are
        time.sleep(2.5)  # two looks
        assert never.all == (ports[5],)
    finally:
        never.stop()
    had = notebook("a", ports[:2])
    try:
        had.ensure(ports[:2])
        had.give_up(ports[0])
        wait_until(lambda: ports[0] in had.all)
    finally:
        had.stop()
