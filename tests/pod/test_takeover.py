from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from conftest import Load, eventually, fetch

from dtale_magics.takeover import ALL, Rung

STEER = Rung.FREE | Rung.STEER
HAND_OVER = Rung.FREE | Rung.HAND_OVER
RELEASE = Rung.FREE | Rung.RELEASE
NAME = {STEER: "Steered", HAND_OVER: "HandedOver", RELEASE: "Released"}


def owners_are_right(records, takes) -> None:
    """Whoever was asked wholly between two takeovers must be the owner of that time."""
    for start, end, owner in records:
        for (_, ended, name), (next_started, _, _) in zip(takes, takes[1:], strict=False):
            if ended <= start and end <= next_started:
                assert owner == name


@pytest.mark.parametrize("rungs", [STEER, HAND_OVER])
@pytest.mark.parametrize("clients", [8, 64])
def test_200_takeovers_under_load_lose_nothing(kernels, port, rungs, clients) -> None:
    pair = [kernels("a"), kernels("b")]
    assert pair[0].take(port)["outcome"] == "Free"
    takes = []
    with Load(port, clients) as load:
        for number in range(200 if clients == 8 else 100):
            taker = pair[(number + 1) % 2]
            done = taker.take(port, rungs)
            assert done["outcome"] == NAME[rungs], done
            takes.append((done["started"], done["ended"], taker.name))
            time.sleep((0.0, 0.02, 0.1, 0.3)[number % 4] if number % 10 == 0 else 0.01)
    assert load.failures == []
    owners_are_right(load.records, takes)
    assert len(load.records) > 100


def test_release_and_bind_moves_the_port(kernels, port) -> None:
    pair = [kernels("a"), kernels("b")]
    pair[0].take(port)
    for number in range(20):
        taker = pair[(number + 1) % 2]
        assert taker.take(port, RELEASE)["outcome"] == "Released"
        assert fetch(port) == taker.name


@pytest.mark.parametrize("rungs", [STEER, HAND_OVER])
def test_three_takers_at_once(kernels, port, rungs) -> None:
    three = [kernels(name) for name in "abc"]
    for _ in range(50):
        for one in three:
            one.ask("take", port=port, rungs=rungs.value)
        done = [(one.answer(), one) for one in three]
        assert all(answer["outcome"] != "Refused" for answer, _ in done), done
        answers = {fetch(port) for _ in range(6)}
        assert len(answers) == 1
        if rungs is HAND_OVER:
            assert answers == {max(done, key=lambda pair: pair[0]["ended"])[1].name}
    winner = answers.pop()
    eventually(lambda: [one.name for one in three if port in one.state()["ports"]] == [winner], 5.0)


def test_stopped_owner_loses_the_port_and_finds_out(kernels, port) -> None:
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


def test_stopped_owner_keeps_the_port_when_the_taker_has_died(kernels, port) -> None:
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
def test_leaving_in_any_order_beside_a_stopped_one(kernels, port, order) -> None:
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


def test_owner_killed_leaves_the_port_free(kernels, port) -> None:
    a, b = kernels("a"), kernels("b")
    a.take(port)
    a.kill()
    assert b.take(port)["outcome"] == "Free"


def test_stopped_owner_is_refused_without_steering_but_within_the_deadline(kernels, port) -> None:
    a, b = kernels("a"), kernels("b")
    a.take(port)
    a.stop()
    done = b.take(port, Rung.FREE | Rung.HAND_OVER | Rung.RELEASE, deadline=2.0)
    assert done["outcome"] == "Refused"
    assert str(a.pid) in done["text"]
    a.resume()
    eventually(lambda: fetch(port) == "a")


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.005, 0.01, 0.02])
@pytest.mark.parametrize("rungs", [STEER, HAND_OVER, RELEASE])
def test_kill_at_any_moment_never_loses_the_port(kernels, port, rungs, delay) -> None:
    for victim_dies in (True, False):
        a, b, c = kernels("a"), kernels("b"), kernels("c")
        a.take(port)
        b.ask("take", port=port, rungs=rungs.value)
        time.sleep(delay)
        dead, alive = (a, b) if victim_dies else (b, a)
        dead.kill()
        if victim_dies:
            assert alive.answer()["outcome"] != "Refused"
        else:
            time.sleep(2.2 if rungs is not STEER else 0.1)
        assert c.take(port)["outcome"] in ("Free", "Steered", "HandedOver", "Released")
        assert {fetch(port) for _ in range(10)} == {"c"}
        for one in (b, c, a):
            if not one.process.stdin.closed:
                one.kill()


def test_victim_moves_on_and_keeps_its_other_ports(kernels, port) -> None:
    a, b = kernels("a", 41000), kernels("b", 41000)
    a.take(port)
    b.take(port)
    eventually(lambda: {*a.state()["ports"], port} > {port} and a.state()["lost"] == [port])
    (other,) = a.state()["ports"]
    assert fetch(other) == "a"
    assert b.do("give_back", port=port)["to"].startswith("a")
    assert fetch(port) == "a"
    assert fetch(other) == "a"


def test_500_takeovers_grow_nothing(kernels, port) -> None:
    pair = [kernels("a"), kernels("b")]
    pair[0].take(port)
    pair[1].take(port)
    time.sleep(0.8)
    before = [one.state() for one in pair]
    for number in range(500):
        assert pair[number % 2].take(port)["outcome"] == "Steered"
    time.sleep(1.0)
    for one, was in zip(pair, before, strict=True):
        eventually(lambda one=one, was=was: one.state()["fds"] <= was["fds"] + 3, 5.0)
        eventually(lambda one=one, was=was: one.state()["threads"] <= was["threads"] + 1, 5.0)


@pytest.fixture
def stranger():
    with contextlib.ExitStack() as stack:

        def listen(host: str, answer: bytes | None):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            sock = stack.enter_context(socket.socket(family))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, 0))
            sock.listen()
            requests: list[bytes] = []

            def serve() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = sock.accept()
                        with connection:
                            if answer is None:
                                time.sleep(3)
                            requests.append(connection.recv(4096))
                            connection.sendall(answer or b"")

            if answer != b"never":
                threading.Thread(target=serve, daemon=True).start()
            return sock.getsockname()[1], requests

        yield listen


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
@pytest.mark.parametrize("answer", [OK, b"garbage", b"never", b"", b"HTTP/1.1 401 No\r\n\r\n"])
def test_strangers_are_refused_by_name_and_left_alone(kernels, stranger, host, answer) -> None:
    number, requests = stranger(host, answer)
    done = kernels("a").take(number, ALL, deadline=1.5)
    assert done["outcome"] == "Refused"
    assert "pytest" in done["text"] or "python" in done["text"]
    assert not any(b"/shutdown" in request for request in requests)


def test_outgoing_connection_is_named(kernels) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            done = kernels("a").take(client.getsockname()[1], deadline=1.0)
    assert done["outcome"] == "Refused"
    assert "outgoing connection" in done["text"]
