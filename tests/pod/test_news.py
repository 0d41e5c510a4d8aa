"""Whoever subscribes to the news hears of a sibling that ends without a word."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from support.miniature import eventually

from dtale_magics.pod import news, peers

if TYPE_CHECKING:
    from conftest import StartKernel
    from support.miniature import Kernel


def _watchers() -> int:
    return sum(thread.name == "dtale_magics watch" for thread in threading.enumerate())


def _ends(kernel: Kernel) -> None:
    kernel.kill()
    eventually(lambda: kernel.pid not in [peer.pid for peer in peers.siblings()])


@pytest.mark.parametrize("system_tells", [True, False])
def test_a_killed_sibling_is_noticed(
    kernels: StartKernel, monkeypatch: pytest.MonkeyPatch, *, system_tells: bool
) -> None:
    if system_tells:
        if not hasattr(os, "pidfd_open"):
            pytest.skip("only Linux tells of the end of any process")
        monkeypatch.setattr(news, "_LOOK_SECONDS", 600.0)
        monkeypatch.setattr(news, "_OFTEN_SECONDS", 600.0)
    else:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    sibling = kernels("a")
    one = news.News()
    heard = threading.Event()
    stop = one.subscribe(heard.set)
    try:
        one.tell()  # its watch is at work, and asleep again
        eventually(lambda: _watchers() == 1)
        heard.clear()
        _ends(sibling)
        assert heard.wait(30)
    finally:
        stop()
    eventually(lambda: _watchers() == 0)


def test_a_sibling_that_comes_is_watched_as_well(
    kernels: StartKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(os, "pidfd_open"):
        pytest.skip("only Linux tells of the end of any process")
    for seconds in ("_LOOK_SECONDS", "_OFTEN_SECONDS"):
        monkeypatch.setattr(news, seconds, 600.0)
    one = news.News()
    heard = threading.Semaphore(0)
    stop = one.subscribe(heard.release)
    try:
        later = kernels("b")
        one.tell()  # as its announcement does
        assert heard.acquire(timeout=30)
        assert heard.acquire(timeout=30), "the watch has seen that there is one more"
        _ends(later)
        assert heard.acquire(timeout=30)
    finally:
        stop()
    eventually(lambda: _watchers() == 0)
