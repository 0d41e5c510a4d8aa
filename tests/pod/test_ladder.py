from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from support.miniature import Load, eventually, fetch, owners_are_right

from dtale_magics.pod.takeover import Rung

if TYPE_CHECKING:
    from conftest import StartKernel

STEER = Rung.FREE | Rung.STEER
HAND_OVER = Rung.FREE | Rung.HAND_OVER
RELEASE = Rung.FREE | Rung.RELEASE
TAKEOVERS = int(os.environ.get("DTALE_MAGICS_TAKEOVERS", "200"))
NAME = {STEER: "Steered", HAND_OVER: "HandedOver", RELEASE: "Released"}


@pytest.mark.parametrize("rungs", [STEER, HAND_OVER])
@pytest.mark.parametrize("clients", [8, 64])
def test_200_takeovers_under_load_lose_nothing(
    kernels: StartKernel, port: int, rungs: Rung, clients: int
) -> None:
    pair = [kernels("a"), kernels("b")]
    assert pair[0].take(port)["outcome"] == "Free"
    takes = []
    with Load(port, clients) as load:
        for number in range(TAKEOVERS):
            taker = pair[(number + 1) % 2]
            done = taker.take(port, rungs)
            assert done["outcome"] == NAME[rungs], done
            takes.append((done["started"], done["ended"], taker.name))
            time.sleep((0.0, 0.02, 0.1, 0.3)[number % 4] if number % 10 == 0 else 0.01)
    assert load.failures == []
    owners_are_right(load.requests, takes)
    assert len(load.requests) > 100


def test_release_and_bind_moves_the_port(kernels: StartKernel, port: int) -> None:
    pair = [kernels("a"), kernels("b")]
    pair[0].take(port)
    for number in range(20):
        taker = pair[(number + 1) % 2]
        assert taker.take(port, RELEASE)["outcome"] == "Released"
        assert fetch(port) == taker.name


@pytest.mark.parametrize("rungs", [STEER, HAND_OVER])
def test_three_takers_at_once(kernels: StartKernel, port: int, rungs: Rung) -> None:
    three = [kernels(name) for name in "abc"]
    for _ in range(50):
        for one in three:
            one.ask("take", port=port, rungs=rungs.value)
        done = [(one.answer(), one) for one in three]
        assert all(answer["outcome"] != "Refused" for answer, _ in done), done
        answers = {fetch(port) for _ in range(6)}
        assert len(answers) == 1
        if rungs is HAND_OVER:
            assert answers == {max(done, key=lambda pair: pair[0]["entered"])[1].name}
    winner = answers.pop()
    eventually(lambda: [one.name for one in three if port in one.state()["ports"]] == [winner], 5.0)


def test_stopped_owner_loses_the_port_and_finds_out(kernels: StartKernel, port: int) -> None:
    a, b = kernels("a"), kernels("b")
    a.take(port)
    a.stop()
    assert b.take(port)["outcome"] == "Steered"
    assert {fetch(port) for _ in range(40)} == {"b"}
    a.resume()
    eventually(lambda: a.state()["lost"] == [port], 3.0)
    assert {fetch(port) for _ in range(40)} == {"b"}
    assert a.take(port)["outcome"] == "Steered"
    assert {fetch(port) for _ in range(40)} == {"a"}


def test_stopped_owner_keeps_the_port_when_the_taker_has_died(
    kernels: StartKernel, port: int
) -> None:
    a, b = kernels("a"), kernels("b")
    a.take(port)
    a.stop()
    assert b.take(port)["outcome"] == "Steered"
    time.sleep(0.2)
    b.kill()
    a.resume()
    assert {fetch(port) for _ in range(40)} == {"a"}
    assert a.state()["lost"] == []
    assert a.take(port)["outcome"] == "AlreadyOurs"


@pytest.mark.parametrize("order", ["bc", "cb"])
def test_leaving_in_any_order_beside_a_stopped_one(
    kernels: StartKernel, port: int, order: str
) -> None:
    a, b, c, d = (kernels(name) for name in "abcd")
    a.take(port)
    a.stop()
    for one in (b, c, d):
        assert one.take(port)["outcome"] == "Steered"
    by_name = {"b": b, "c": c}
    for name in order:
        by_name[name].kill()
        assert {fetch(port) for _ in range(40)} == {"d"}
    a.resume()
    eventually(lambda: a.state()["ports"] == [], 5.0)
    time.sleep(0.3)
    assert {fetch(port) for _ in range(40)} == {"d"}
    a.kill()
    assert {fetch(port) for _ in range(40)} == {"d"}


def test_owner_killed_leaves_the_port_free(kernels: StartKernel, port: int) -> None:
    a, b = kernels("a"), kernels("b")
    a.take(port)
    a.kill()
    assert b.take(port)["outcome"] == "Free"


def test_stopped_owner_is_refused_without_steering_but_within_the_deadline(
    kernels: StartKernel, port: int
) -> None:
    a, b = kernels("a"), kernels("b")
    a.take(port)
    a.stop()
    done = b.take(port, Rung.FREE | Rung.HAND_OVER | Rung.RELEASE, deadline=2.0)
    assert done["outcome"] == "Refused"
    assert str(a.pid) in done["text"]
    a.resume()
    eventually(lambda: fetch(port) == "a")


def test_victim_moves_on_and_keeps_its_other_ports(kernels: StartKernel, port: int) -> None:
    a, b = kernels("a", 41000), kernels("b", 41000)
    a.take(port)
    b.take(port)
    eventually(lambda: {*a.state()["ports"], port} > {port} and a.state()["lost"] == [port])
    (other,) = a.state()["ports"]
    assert fetch(other) == "a"
    assert b.do("give_back", port=port)["to"].startswith("a")
    assert fetch(port) == "a"
    assert fetch(other) == "a"


def test_500_takeovers_grow_nothing(kernels: StartKernel, port: int) -> None:
    pair = [kernels("a"), kernels("b")]
    for number in range(40):
        pair[number % 2].take(port)
    time.sleep(0.8)
    before = [one.state() for one in pair]
    for number in range(500):
        assert pair[number % 2].take(port)["outcome"] == "Steered"

    def grown_nothing() -> bool:
        after = [one.state() for one in pair]
        return all(
            now["fds"] <= was["fds"] + 3
            and now["threads"] <= was["threads"] + 1
            and now["memory"] <= was["memory"] + 3 * 2**20
            for now, was in zip(after, before, strict=True)
        )

    eventually(grown_nothing)
