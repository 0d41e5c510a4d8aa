from __future__ import annotations

import multiprocessing
import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from dtale_magics.errors import UsageError
from dtale_magics.page.capability import Capability
from dtale_magics.serving.addressee import names_in

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "dtale_magics"


def test_there_is_none_until_somebody_asks_and_then_it_stays(home: Path) -> None:
    capability = Capability(home)
    assert capability.current() is None
    made = capability.made()
    assert re.fullmatch("pod-[0-9a-f]{32}", made)
    # a kernel or a pod that is started later, with the same home
    assert capability.made() == capability.current() == Capability(home).made() == made
    (kept,) = home.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert names_in(f"GET /prefix/{made}/x HTTP/1.1".encode()) == [made]


def test_a_new_one_is_seen_at_once_by_whoever_had_the_old_one(home: Path) -> None:
    here, there = Capability(home), Capability(home)
    old = here.made()
    assert there.current() == old
    for _ in range(20):
        new = here.replaced()
        assert there.current() == new != old
        old = new


def _make(home: Path, start: object, made: Queue[str]) -> None:
    start.wait()  # type: ignore[attr-defined]
    made.put(Capability(home).made())


def test_two_who_ask_first_at_the_same_moment_get_the_same(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, made = context.Barrier(6), context.Queue()
    processes = [context.Process(target=_make, args=(home, start, made)) for _ in range(6)]
    for process in processes:
        process.start()
    found = {made.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
    assert found == {Capability(home).current()}


@pytest.mark.parametrize("content", [b"", b"pod-123", b"pod-" + b"0" * 33, b"\xff" * 36, b"../x"])
def test_what_is_damaged_leads_nowhere_and_is_made_anew(home: Path, content: bytes) -> None:
    capability = Capability(home)
    capability.made()
    (kept,) = home.iterdir()
    kept.write_bytes(content)
    assert capability.current() is None
    assert capability.made() == Capability(home).current() is not None


def test_one_that_others_could_read_is_worth_nothing(home: Path) -> None:
    capability = Capability(home)
    made = capability.made()
    (kept,) = home.iterdir()
    kept.chmod(0o644)
    assert capability.current() is None
    again = capability.made()
    assert again != made
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_link_in_its_place_is_not_followed(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(f"pod-{'0' * 32}")
    elsewhere.chmod(0o600)
    home.mkdir(parents=True)
    (home / "page-link").symlink_to(elsewhere)
    capability = Capability(home)
    assert capability.current() is None
    assert capability.made() != f"pod-{'0' * 32}"
    assert elsewhere.read_text() == f"pod-{'0' * 32}"


def test_where_nothing_can_be_kept_it_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(UsageError, match="cannot be kept") as found:
        Capability(blocked / "dtale_magics").made()
    assert "XDG_CACHE_HOME" in found.value.hint


def test_asking_again_reads_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capability = Capability(home)
    made = capability.made()
    assert capability.current() == made

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("dtale_magics.serving.user_cache.read", refuse)
    assert {capability.current() for _ in range(100)} == {made}
    os.utime(next(home.iterdir()))
    with pytest.raises(AssertionError):
        capability.current()
