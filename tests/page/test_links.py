from __future__ import annotations

import time

import pytest

from dtale_magics.errors import UsageError
from dtale_magics.page.links import Links, duration


def test_a_link_is_good_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    kept = Links(lambda: told.append("changed"))
    link = kept.add("1", "df", 60)
    other = kept.add("2", "other")
    assert told == ["changed"] * 2
    assert kept.find(link.slug) == link
    assert [one.name for one in kept.living()] == ["df", "other"]
    assert link.slug not in repr(link)
    now, ticks = time.time(), time.monotonic()
    monkeypatch.setattr("time.time", lambda: now + 61)
    assert kept.find(link.slug) is None
    assert kept.living() == [other]
    monkeypatch.setattr("time.time", lambda: now - 9999)  # the clock was put back
    monkeypatch.setattr("time.monotonic", lambda: ticks + 8 * 3600 + 1)
    assert kept.find(other.slug) is None


def test_a_link_that_was_revoked_is_dead_and_the_others_are_not() -> None:
    kept = Links()
    first, second = kept.add("1", "df"), kept.add("1", "df")
    kept.revoke(first)
    assert kept.find(first.slug) is None
    assert kept.find(second.slug) == second
    assert kept.find("") is kept.find(second.slug[:-1]) is None
    kept.moved("1", "7")
    found = kept.find(second.slug)
    assert found is not None
    assert found.data_id == "7"


@pytest.mark.parametrize(
    ("typed", "seconds"), [("8h", 28800), ("30 m", 1800), ("90d", 7776000), ("1S", 1)]
)
def test_times_are_read_as_people_write_them(typed: str, seconds: float) -> None:
    assert duration(typed) == seconds


@pytest.mark.parametrize("typed", ["", "0h", "8", "h", "-1h", "91d", "8hours", "1e9s", "inf", "٣h"])
def test_other_times_are_refused_with_an_example(typed: str) -> None:
    with pytest.raises(UsageError) as found:
        duration(typed)
    assert "--for 8h" in found.value.hint
