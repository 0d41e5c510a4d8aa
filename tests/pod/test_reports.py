"""What a sibling says of itself is looked at before anybody relies on it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from dtale_magics.pod import peers


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"owner": "sibling"},
        {"owner": "sibling", "pid": os.getpid(), "label": "old.ipynb"},
        {"owner": "somebody", "pid": 1, "label": "", "ports": [], "frames": []},
    ],
)
def test_a_sibling_of_another_version_is_listed_by_what_the_system_knows(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    monkeypatch.setattr(peers, "ask", lambda *_: answer)
    (found,) = peers.statuses(of=[peers.Peer("sibling", os.getpid(), "sibling")])
    assert found["pid"] == os.getpid()
    assert found["frames"] == []
    assert isinstance(found["ports"], list)
    assert found["label"]
    assert not found["responding"]
