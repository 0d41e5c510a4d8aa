"""Death, stop and delay at every step of a takeover: the port always has one owner, or none."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from support.miniature import eventually, fetch

from dtale_magics.pod import exchange, steering
from dtale_magics.pod.takeover import Rung
from dtale_magics.serving import listener
from dtale_magics.session import Session
from dtale_magics.system import procfs

if TYPE_CHECKING:
    from conftest import StartKernel
    from support.miniature import Kernel

STEER = Rung.FREE | Rung.STEER
HAND_OVER = Rung.FREE | Rung.HAND_OVER
RELEASE = Rung.FREE | Rung.RELEASE

TAKER_STEPS = {
    STEER: [
        "after:exclusive.claim",
        "after:steering.join",
        "before:holding.Holdings.enter",
        "after:holding.Holdings.enter",
        "before:watch.Watch._tell_former_owners",
        "after:watch.Watch._tell_former_owners",
        "before:steering.shrink",
        "after:steering.shrink",
    ],
    HAND_OVER: [
        "before:hand_over",
        "after:hand_over",
        "before:exclusive.claim",
        "before:have",
        "after:have",
        "before:holding.Holdings.enter",
        "after:holding.Holdings.enter",
    ],
    RELEASE: [
        "before:release",
        "after:release",
        "before:holding.Holdings.serve",
        "before:bound",
        "after:bound",
    ],
}

VICTIM_STEPS = {
    STEER: ["before:holding.Holdings.surrender", "after:holding.Holdings.surrender"],
    HAND_OVER: [
        "before:offer",
        "after:offer",
        "before:holding.Holdings.set_aside",
        "before:yours",
        "after:yours",
        "before:holding.Holdings.tell_lost",
    ],
    RELEASE: [
        "before:holding.Holdings.forget",
        "after:holding.Holdings.forget",
        "before:released",
        "after:released",
        "before:holding.Holdings.tell_lost",
    ],
}


def takes(kernel: Kernel, port: int) -> None:
    """It gets the port, and from then on nobody else answers."""
    took = kernel.take(port)
    assert took["outcome"] != "Refused", took
    assert {fetch(port) for _ in range(8)} == {kernel.name}


@pytest.mark.parametrize("rungs", list(TAKER_STEPS))
def test_a_taker_may_die_at_every_step(kernels: StartKernel, port: int, rungs: Rung) -> None:
    victim, third = kernels("victim"), kernels("third")
    for step in TAKER_STEPS[rungs]:
        takes(victim, port)
        taker = kernels("taker", env={"FAIL_AT": f"die:{step}"})
        taker.ask("take", port=port, rungs=rungs.value)
        eventually(lambda taker=taker: taker.died)
        takes(third, port)
        assert port in third.state()["ports"], step
        eventually(lambda: port not in victim.state()["ports"])


@pytest.mark.parametrize("rungs", list(VICTIM_STEPS))
def test_a_victim_may_die_at_every_step(kernels: StartKernel, port: int, rungs: Rung) -> None:
    taker, third = kernels("taker"), kernels("third")
    for step in VICTIM_STEPS[rungs]:
        victim = kernels("victim", env={"FAIL_AT": f"die:{step}"})
        takes(victim, port)
        assert taker.take(port, rungs)["outcome"] != "Refused", step
        eventually(lambda victim=victim: victim.died)
        assert {fetch(port) for _ in range(8)} == {"taker"}, step
        takes(third, port)
        eventually(lambda: taker.state()["ports"] == [])
        third.do("release", port=port)
        eventually(lambda: _is_free(port))


@pytest.mark.parametrize("step", ["after:offer", "before:yours"])
def test_a_victim_that_is_stopped_in_a_hand_over_finds_that_the_port_is_gone(
    kernels: StartKernel, port: int, step: str
) -> None:
    victim = kernels("victim", env={"FAIL_AT": f"stop:{step}"})
    taker = kernels("taker")
    takes(victim, port)
    assert taker.take(port, HAND_OVER)["outcome"] == "HandedOver"
    assert {fetch(port) for _ in range(8)} == {"taker"}
    victim.resume()
    eventually(lambda: victim.state()["lost"] == [port])
    assert {fetch(port) for _ in range(40)} == {"taker"}


def test_a_victim_that_has_just_handed_over_does_not_think_that_the_port_is_its_own(
    kernels: StartKernel, port: int
) -> None:
    victim = kernels("victim", env={"FAIL_AT": "pause:after:yours"})
    taker = kernels("taker")
    takes(victim, port)
    assert taker.take(port, HAND_OVER)["outcome"] == "HandedOver"
    assert victim.take(port)["outcome"] == "Steered"
    time.sleep(0.6)  # until the first hand-over is over
    assert {fetch(port) for _ in range(8)} == {"victim"}


@pytest.mark.parametrize(
    "step",
    [
        "before:exclusive.claim",
        "after:steering.join",
        "before:holding.Holdings.enter",
    ],
)
def test_a_taker_that_is_stopped_in_the_middle_keeps_nobody_out_and_gives_way_when_it_goes_on(
    kernels: StartKernel, port: int, step: str
) -> None:
    """It has the lock, and what it still does when it goes on comes after the others' steering."""
    victim, third = kernels("victim"), kernels("third")
    suspended = kernels("suspended", env={"FAIL_AT": f"stop:{step}"})
    takes(victim, port)
    suspended.ask("take", port=port, rungs=STEER.value)
    eventually(lambda: psutil.Process(suspended.pid).status() == psutil.STATUS_STOPPED)

    takes(third, port)
    takes(victim, port)
    suspended.resume()

    assert suspended.answer()["outcome"] == "Refused"
    eventually(lambda: {fetch(port) for _ in range(8)} == {"victim"})
    time.sleep(0.5)  # until the sockets of all others are gone
    assert {fetch(port) for _ in range(40)} == {"victim"}
    assert suspended.state()["ports"] == []
    takes(third, port)


def test_one_that_is_stopped_while_it_tidies_keeps_nobody_from_that(
    kernels: StartKernel, port: int
) -> None:
    victim, third = kernels("victim"), kernels("third")
    suspended = kernels("suspended", env={"FAIL_AT": "stop:before:steering.shrink"})
    takes(victim, port)
    assert suspended.take(port)["outcome"] == "Steered"
    eventually(lambda: psutil.Process(suspended.pid).status() == psutil.STATUS_STOPPED)

    takes(victim, port)
    takes(third, port)  # beside the sockets of both

    def owns_no_more_than_it_needs() -> bool:
        group = steering.members(port)
        theirs = procfs.socket_inodes(suspended.pid, group)
        return len(group - theirs) <= len(theirs) + 1

    eventually(owns_no_more_than_it_needs)
    assert {fetch(port) for _ in range(40)} == {"third"}
    suspended.resume()
    eventually(lambda: suspended.state()["ports"] == [])
    eventually(lambda: {fetch(port) for _ in range(8)} == {"third"})


def test_more_descriptors_than_there_is_room_for_are_refused_and_closed() -> None:
    ours, theirs = socket.socketpair()
    many = [os.dup(ours.fileno()) for _ in range(exchange.MAX_DESCRIPTORS + 1)]
    before = psutil.Process().num_fds()
    try:
        with exchange.Exchange(ours, time.monotonic() + 5) as conversation:
            with pytest.raises(exchange.ProtocolError, match="too many"):
                conversation.send({"ok": True}, many)
            socket.send_fds(theirs, [b'{"version": 1}\n'], many)
            with pytest.raises(exchange.ProtocolError, match="more descriptors"):
                conversation.receive(descriptors=True)
        assert psutil.Process().num_fds() == before - 1
    finally:
        theirs.close()
        for one in many:
            os.close(one)


def test_a_message_that_drips_ends_with_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def drip() -> None:
        while not over.is_set():
            theirs.send(b"x")
            over.wait(0.0002)

    thread = threading.Thread(target=drip)
    with theirs, exchange.Exchange(ours, time.monotonic() + 0.3) as conversation:
        thread.start()
        try:
            with pytest.raises(exchange.PeerSilentError):
                conversation.receive()
        finally:
            over.set()
            thread.join(10)


def test_a_port_can_be_lost_while_the_session_is_busy(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever shows a frame or stops holds locks; a sibling's takeover must not wait for them."""
    monkeypatch.setenv("DTALE_MIN_PORT", str(port))
    monkeypatch.setenv("DTALE_MAX_PORT", str(port + 3))
    session = Session()
    session.ensure()
    try:
        ports = session._ports
        assert ports is not None
        with session._lock, session._viewer._lock:
            loser = threading.Thread(target=ports.lost, args=(port + 9, None), daemon=True)
            loser.start()
            loser.join(10)
            assert not loser.is_alive()
    finally:
        session.stop()


def test_a_program_of_this_user_that_binds_beside_us_gets_nothing_and_is_named(
    kernels: StartKernel, port: int
) -> None:
    owner, taker = kernels("owner"), kernels("taker")
    owner.take(port)
    owner.wait_until_settled()  # the port is steered to its owner a moment after it was bound
    stranger = listener.listen(listener.new_socket(beside_owner=True), port)
    try:
        assert {fetch(port) for _ in range(40)} == {"owner"}
        refused = taker.take(port, deadline=2.0)
        assert refused["outcome"] == "Refused"
        assert f"process {os.getpid()}" in refused["text"]
        assert str(owner.pid) not in refused["text"]
        with pytest.raises(BlockingIOError):
            stranger.accept()
    finally:
        stranger.close()
    assert taker.take(port)["outcome"] == "Steered"


def _is_free(port: int) -> bool:
    try:
        listener.bind(port).close()
    except OSError:
        return False
    return True
