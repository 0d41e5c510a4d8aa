"""The one table of what may be met at a URL."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest

from dtale_magics.reach import causes, finding
from dtale_magics.reach.causes import Cause, Place
from dtale_magics.reach.finding import Finding

VALUES: dict[str, Any] = {"milliseconds": 7, "status": 418}
PLACES = [
    Place("ingress", "https://ada.example.org/x", 40000, "https://hub.elsewhere.test", True),
    Place("ingress", "https://ada.example.org/x", 40000),
    Place("page", "/user/ada/proxy/40001", 40001, "https://hub.example.org"),
    Place("loopback", "http://127.0.0.1:40001", 40001),
    Place("page", "http://hub/user/ada/proxy/40001", 40001, "http://hub", machine="192.0.2.10"),
]


def found(cause: Cause) -> Finding:
    return Finding(cause, **{name: VALUES.get(name, f"the {name}") for name in cause.fields})


@pytest.mark.parametrize("cause", causes.ALL.values(), ids=list(causes.ALL))
def test_each_cause_has_whole_sentences_wherever_it_is_met(cause: Cause) -> None:
    assert str(found(cause))
    for place in PLACES:
        said = found(cause).explain(place)
        for sentence in (said.meaning, said.advice):
            assert sentence[0] in string.ascii_uppercase
            assert not set(sentence.replace("proxy/192.0.2.10:{port}", "")) & set("{}")
            assert "None" not in sentence


@pytest.mark.parametrize("cause", causes.ALL.values(), ids=list(causes.ALL))
def test_what_a_page_tells_is_read_as_it_was_found(cause: Cause) -> None:
    one = found(cause)
    assert finding.read(json.loads(json.dumps(one.as_dict()))) == one
    for name in cause.fields:
        with pytest.raises(ValueError, match=name):
            finding.read({"cause": cause.name, name: ["neither text nor number"]})


def test_a_detail_that_is_not_known_is_left_out() -> None:
    assert str(Finding(causes.SIGN_IN)) == "asks for a sign-in"
    assert str(Finding(causes.SIGN_IN, where="x.org/in")) == "asks for a sign-in at x.org/in"
    assert str(Finding(causes.WRONG_PREFIX, asked="/cut")) == "the path /cut arrives as /"


def test_a_page_learns_of_the_table_what_it_needs() -> None:
    told = json.loads(json.dumps(causes.for_page()))
    assert told["statuses"] == {
        "401": "sign-in",
        "403": "sign-in",
        "404": "no-route",
        "502": "bad-gateway",
        "503": "unavailable",
        "504": "gateway-timeout",
    }
    assert set(told["elsewhere"]) == {"another-notebook", "other-dtale", "wrong-prefix", "no-route"}
