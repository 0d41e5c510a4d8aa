"""What siblings say of themselves, which may run another version of this package."""

from __future__ import annotations

import os
from typing import Any

import pytest

from dtale_magics.pod import peers

OWN = {"owner": "ada", "pid": os.getpid()}
WHOLE = {**OWN, "label": "eda.ipynb", "ports": [40000], "frames": []}


@pytest.mark.parametrize(
    ("report", "responding"),
    [
        (WHOLE, True),
        ({**WHOLE, "new": 1}, True),
        (OWN, False),
        ({**WHOLE, "frames": None}, False),
        ({**WHOLE, "owner": "another"}, False),
        ({}, False),
    ],
)
def test_a_report_that_lacks_something_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, report: dict[str, Any], *, responding: bool
) -> None:
    monkeypatch.setattr(peers, "ask", lambda *_: report)
    found = peers.status(peers.Peer("ada", os.getpid(), "name"))
    assert found is not None
    assert found["responding"] is responding
    assert (found["owner"], found["pid"], found["frames"]) == ("ada", os.getpid(), [])
