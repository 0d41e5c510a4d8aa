"""Kernels in miniature that share a port: who gets it, who answers, what others suffer."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import psutil
import pytest

from dtale_magics.pod import inbox, passing, peers, steering
from dtale_magics.serving.transport import listener
from dtale_magics.system import procfs
from tests.support import proxies
from tests.support.miniature import Load, MiniatureKernel, ask, fetch
from tests.support.repeats import repeats
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.miniature import StartMiniature
    from tests.support.ports import PortClaims

TIMES = repeats(200, 2000)


@pytest.fixture
def four(start_miniature: StartMiniature) -> list[MiniatureKernel]:
    """Four kernels that share the port."""
    return sharing(start_miniature, "abcd")


def have_the_same_sockets(one: MiniatureKernel, other: MiniatureKernel) -> bool:
    return bool(one.state()["sockets"] == other.state()["sockets"])


def sharing(start_miniature: StartMiniature, names: str) -> list[MiniatureKernel]:
    found = [start_miniature(name, ready=False) for name in names]
    for one in found:
        one.wait_until_ready()
        one.do("ensure")
    return found


def paths(some: Sequence[MiniatureKernel]) -> dict[str, str]:
    return {one.name: one.path() for one in some}


def each_answers(port: int, some: Sequence[MiniatureKernel], times: int = 3) -> None:
    for one in some:
        assert {fetch(port, one.path()) for _ in range(times)} == {one.name}


def in_front(port: int, some: Sequence[MiniatureKernel]) -> str:
    """Who is in front; all agree, and so does the port."""
    (name,) = {one.do("in_front", port=port)["name"] for one in some}
    assert fetch(port) == name
    return str(name)


# ---------------------------------------------------------------- getting it


def test_eight_that_begin_at_the_same_instant_share_one_port(
    start_miniature: StartMiniature, port: int
) -> None:
    eight = [start_miniature(name, ready=False) for name in "abcdefgh"]
    for one in eight:
        one.wait_until_ready()
    for _ in range(20):
        for one in eight:
            one.ask("ensure")
        assert [one.answer()["ports"] for one in eight] == [[port]] * 8
        each_answers(port, eight, 1)
        assert in_front(port, eight) in "abcdefgh"
        for one in eight:
            one.do("leave")
        wait_until(lambda: is_free(port))  # and nothing is left over


def test_a_further_port_is_used_only_where_a_stranger_has_the_first_and_is_shared_as_well(
    start_miniature: StartMiniature, port: int
) -> None:
    stranger = socket.create_server(("", port))
    three = sharing(start_miniature, "abc")
    assert [one.state()["ports"] for one in three] == [[port + 1]] * 3
    each_answers(port + 1, three)
    stranger.close()
    # Nobody presses anything.
    wait_until(lambda: all(port in one.state()["ports"] for one in three))
    each_answers(port, three)
    each_answers(port + 1, three)  # for open tabs
    assert {one.state()["named"] for one in three} == {port}


def test_a_port_that_was_asked_for_is_added_and_shared(
    four: list[MiniatureKernel], port: int
) -> None:
    for one in four[:2]:
        assert one.do("bind", port=port + 5)["ports"] == [port, port + 5]
        assert one.state()["named"] == port + 5
    each_answers(port + 5, four)  # also those who do not listen there
    each_answers(port, four)


def test_a_killed_one_takes_nothing_with_it_and_comes_back(
    start_miniature: StartMiniature, four: list[MiniatureKernel], port: int
) -> None:
    four[0].kill()  # the one that has bound it
    each_answers(port, four[1:])
    assert ask(port, four[0].path())[0] == 404
    again = start_miniature("a")
    assert again.do("ensure")["ports"] == [port]
    each_answers(port, [again, *four[1:]])


def test_the_last_one_leaves_nothing(four: list[MiniatureKernel], port: int) -> None:
    for one in four:
        one.kill()
    wait_until(lambda: is_free(port))


def test_forked_children_answer_nothing_and_keep_nothing(
    four: list[MiniatureKernel], port: int
) -> None:
    children = [four[0].do("fork")["child"] for _ in range(3)]
    children.append(four[1].do("start_program")["child"])  # it has copies of another's sockets
    try:
        assert {fetch(port, four[0].path()) for _ in range(20)} == {"a"}
        four[0].kill()
        wait_until(lambda: ask(port, four[0].path())[0] == 404)
        each_answers(port, four[1:])
        assert in_front(port, four[1:]) == "b"
        for one in four[1:]:
            one.kill()
        wait_until(lambda: is_free(port))
        assert all(map(psutil.pid_exists, children))
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_the_same_where_names_lie_in_a_directory(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS; what the system says of sockets is Linux's here all the same."""
    with tempfile.TemporaryDirectory(prefix="d-", dir="/tmp") as directory:  # a short path
        monkeypatch.setenv("DTALE_MAGICS_NAMES_IN", directory)
        with contextlib.ExitStack() as stack:
            three = []
            for name in "abc":
                three.append(one := MiniatureKernel(name, port))
                stack.callback(one.kill)
                one.wait_until_ready()
                assert one.do("ensure")["ports"] == [port]
            each_answers(port, three, 10)
            assert in_front(port, three) == "a"
            assert three[1].take(port)["outcome"] == "InFront"
            three[1].kill()
            assert in_front(port, [three[0], three[2]]) == "a"
            assert ask(port, three[1].path())[0] == 404
            again = MiniatureKernel("b", port)
            stack.callback(again.kill)
            again.wait_until_ready()
            assert again.do("ensure")["ports"] == [port]
            each_answers(port, [three[0], again, three[2]], 10)


def is_free(port: int) -> bool:
    try:
        listener.bind(port).close()
    except OSError:
        return False
    return True


def test_500_joins_and_leaves_grow_nothing(start_miniature: StartMiniature, port: int) -> None:
    stays, comes = sharing(start_miniature, "ab")

    def come_and_go(times: int) -> None:
        for _ in range(times):
            comes.do("leave")
            comes.do("ensure")

    come_and_go(30)
    before = [one.state() for one in (stays, comes)]
    come_and_go(500)
    each_answers(port, [stays, comes])

    def grown_nothing() -> bool:
        after = [one.state() for one in (stays, comes)]
        return all(
            now["fds"] <= was["fds"] + 6
            and now["threads"] <= was["threads"] + 2
            and now["memory"] <= was["memory"] + 4 * 2**20
            for now, was in zip(after, before, strict=True)
        )

    wait_until(grown_nothing, 20.0)


# ------------------------------------------------------------- under load


@pytest.fixture(params=["directly", "traefik", "nginx"])
def entry(request: pytest.FixtureRequest, port: int, port_claims: PortClaims) -> Iterator[int]:
    """Where clients ask: the port itself, or a real proxy in front of it."""
    if request.param == "directly":
        yield port
        return
    public = port_claims.take(1)[0]
    if request.param == "traefik":
        routers = {"all": {"rule": "PathPrefix(`/`)", "service": "pod"}}
        proxy = proxies.traefik({"web": public}, routers, {"pod": f"http://127.0.0.1:{port}"})
    else:
        where = f"location / {{ proxy_pass http://127.0.0.1:{port}; }}"
        proxy = proxies.nginx(public, where)
    with proxy:
        yield public


@pytest.mark.timeout(300)
@pytest.mark.parametrize("clients", repeats([64], [8, 64]))
def test_whatever_happens_to_the_others_no_request_is_lost(
    start_miniature: StartMiniature,
    four: list[MiniatureKernel],
    port: int,
    entry: int,
    clients: int,
) -> None:
    """Siblings take over, give back, come, leave, are suspended, killed, or hold the GIL."""
    steady, other = four[:2]
    restless = four[2:]
    chance = random.Random(clients)
    wait_until(lambda: fetch(entry, steady.path()) == "a")
    deaths = 0
    with Load(entry, clients, paths([steady, other])) as load:
        for number in range(TIMES):
            what = chance.choice(["take", "give back", "leave", "suspend", "gil", "kill"])
            one = chance.choice(restless)
            if what == "take":
                one.take(port)
            elif what == "give back":
                one.do("release", port=port)
            elif what == "leave":
                one.do("leave")
                one.do("ensure")
            elif what == "suspend":
                one.stop()
                time.sleep(0.05)
                one.resume()
            elif what == "gil":
                one.ask("hold_the_gil", milliseconds=100)
                one.answer()
                one.answer()
            elif number % 10 == 0:  # to begin anew takes long
                one.kill()
                deaths += 1
                restless[restless.index(one)] = fresh = start_miniature(one.name)
                fresh.do("ensure")
    assert load.wrong == []
    # A killed one had at most those in its hands that it has accepted, and not passed on yet.
    assert len(load.failures) <= 2 * deaths, load.failures
    assert len(load.requests) > 100
    each_answers(port, [steady, other, *restless])


def test_one_that_holds_the_gil_for_long_keeps_nobody_waiting(
    four: list[MiniatureKernel], port: int
) -> None:
    four[0].ask("hold_the_gil", milliseconds=10_000)
    four[0].answer()
    with Load(port, 8, paths(four[1:])) as load:
        time.sleep(4)
    assert load.wrong == []
    assert load.failures == []
    assert len(load.requests) > 100
    assert fetch(port, four[0].path(), timeout=30) == "a"  # it has waited
    four[0].answer()


def test_one_that_runs_a_cell_lets_idle_ones_accept(four: list[MiniatureKernel], port: int) -> None:
    for one in four[1:]:
        one.do("busy", on=True)
    before = [one.state()["answered"] for one in four]
    for _ in range(60):
        fetch(port, four[3].path())
    assert four[3].state()["answered"] >= before[3] + 60  # by passing
    for one in four:
        one.do("busy", on=True)
    each_answers(port, four)  # all are busy: they answer all the same


# ------------------------------------------------------ one that does not run


@pytest.mark.timeout(180)
def test_requests_of_a_suspended_one_wait_and_are_then_answered_with_a_sentence(
    four: list[MiniatureKernel], port: int
) -> None:
    for one in four:
        one.do("patience", seconds=4)
    four[1].stop()
    answers: list[tuple[int, str]] = []

    def wait() -> None:
        answers.append(ask(port, four[1].path(), timeout=60))

    waiting = [threading.Thread(target=wait) for _ in range(passing._MAX_WAITING + 20)]
    for thread in waiting:
        thread.start()
    each_answers(port, [four[0], *four[2:]], 10)
    for thread in waiting:
        thread.join(90)
    assert set(answers) == {(503, "untaken")}
    assert len(answers) == len(waiting)
    asked_late = threading.Thread(target=wait)
    asked_late.start()
    time.sleep(0.3)
    four[1].resume()
    asked_late.join(30)
    assert answers[-1] == (200, "b")
    each_answers(port, four)
    # What was answered already was not answered, or done, once more.
    assert four[1].state()["answered"] <= 5


# --------------------------------------------------------------- all silent

steers = pytest.mark.skipif(not steering.available(), reason="this system does not steer")


@steers
def test_a_newcomer_gets_the_port_when_all_the_others_are_suspended(
    start_miniature: StartMiniature, port: int
) -> None:
    old = sharing(start_miniature, "ab")
    for one in old:
        one.stop()
    new = start_miniature("n")
    took = new.take(port)
    assert took["outcome"] == "Steered"
    assert took["seconds"] < 10, "it does not wait for them"
    assert {fetch(port, new.path()) for _ in range(40)} == {"n"}
    assert in_front(port, [new]) == "n"
    another = start_miniature("m")
    assert another.do("ensure")["ports"] == [port]
    for one in old:
        one.resume()
    four = [*old, new, another]
    wait_until(lambda: len({str(one.state()["sockets"]) for one in four}) == 1)
    each_answers(port, four, 20)
    assert in_front(port, four) == "n"
    wait_until(lambda: len(steering.members(port)) == len(new.state()["sockets"][0]))


@steers
def test_a_newcomer_gets_the_port_when_the_only_other_one_holds_the_gil(
    start_miniature: StartMiniature, port: int
) -> None:
    (old,) = sharing(start_miniature, "a")
    old.ask("hold_the_gil", milliseconds=5_000)
    old.answer()
    time.sleep(0.2)
    new = start_miniature("n")
    assert new.take(port)["outcome"] == "Steered"
    assert {fetch(port, new.path()) for _ in range(40)} == {"n"}
    old.answer()
    wait_until(lambda: old.state()["sockets"] == new.state()["sockets"])
    each_answers(port, [old, new], 20)


@steers
def test_others_may_be_suspended_one_after_the_other(
    start_miniature: StartMiniature, port: int
) -> None:
    found: list[MiniatureKernel] = []
    for name in "abcd":
        for one in found:
            one.stop()
        newest = start_miniature(name)
        assert newest.take(port)["outcome"] in {"Free", "Steered"}
        assert {fetch(port, newest.path()) for _ in range(40)} == {name}
        found.append(newest)
    order = random.Random(4).sample(found[:-1], 3)
    for one in order:
        one.resume()
        wait_until(partial(have_the_same_sockets, one, found[-1]))
        each_answers(port, [one, found[-1]], 10)
    order[0].kill()
    found[-1].kill()
    each_answers(port, order[1:], 20)


@steers
def test_newcomers_at_the_same_instant_find_each_other(
    start_miniature: StartMiniature, port: int
) -> None:
    (old,) = sharing(start_miniature, "a")
    new = [start_miniature(name) for name in "klmn"]
    old.stop()
    for one in new:
        one.ask("ensure")
    assert [one.answer()["ports"] for one in new] == [[port]] * 4
    each_answers(port, new, 10)
    old.resume()
    wait_until(lambda: len({str(one.state()["sockets"]) for one in (old, *new)}) == 1)
    each_answers(port, [old, *new], 10)


def test_a_program_of_this_user_that_binds_beside_us_gets_nothing(
    start_miniature: StartMiniature, port: int
) -> None:
    a, b = sharing(start_miniature, "ab")
    time.sleep(1.5)  # the port is fenced a moment after it was bound
    wait_until(lambda: len(steering.members(port)) == 1)
    stranger = listener.listen(listener.new_socket(beside_owner=True), port)
    try:
        each_answers(port, [a, b], 20)
        c = start_miniature("c")
        assert c.do("ensure")["ports"] == [port]
        each_answers(port, [a, b, c], 20)
        with pytest.raises(BlockingIOError):
            stranger.accept()
    finally:
        stranger.close()


# ------------------------------------------------------------ a plain D-Tale


def test_all_leave_for_a_plain_dtale_and_come_back_when_it_has_ended(
    four: list[MiniatureKernel], port: int
) -> None:
    four[2].do("give_up", port=port)
    wait_until(lambda: is_free(port))
    with socket.create_server(("", port)):
        wait_until(lambda: all(one.state()["ports"] == [port + 1] for one in four))
        each_answers(port + 1, four)
        time.sleep(2)
        assert all(one.state()["ports"] == [port + 1] for one in four)
    wait_until(lambda: all(port in one.state()["ports"] for one in four))
    each_answers(port, four)


# ------------------------------------------------------------------ in front


def test_three_that_press_at_once_agree_who_is_in_front(
    start_miniature: StartMiniature, port: int
) -> None:
    three = sharing(start_miniature, "abc")
    for _ in range(50):
        for one in three:
            one.ask("take", port=port)
        said = {one.name: one.answer()["outcome"] for one in three}
        name = in_front(port, three)
        assert said[name] != "Refused", said


def test_the_one_before_is_in_front_when_one_gives_it_back_or_dies(
    four: list[MiniatureKernel], port: int
) -> None:
    a, b, c, d = four
    assert in_front(port, four) == "a"
    for one in (b, c):
        assert one.take(port)["outcome"] == "InFront"
        assert in_front(port, four) == one.name
    c.kill()
    assert in_front(port, [a, b, d]) == "b"
    assert "a is in front" in b.do("release", port=port)["text"].replace("process ", "").replace(
        str(a.pid), "a"
    )
    assert in_front(port, [a, b, d]) == "a"
    assert b.do("release", port=port)["outcome"] == "Refused"
    a.do("release", port=port)  # it came first, and nobody else has taken it
    assert in_front(port, [a, b, d]) == "b"
    assert (
        "a is in front" in " ".join(d.take(port)["text"].split()) or in_front(port, four[3:]) == "d"
    )
    for one in (a, b):
        one.kill()
    assert d.do("release", port=port)["outcome"] == "Refused", "there is nobody else"
    assert in_front(port, [d]) == "d"


@pytest.mark.timeout(240)
def test_what_is_addressed_to_nobody_is_the_fronts_from_the_moment_that_take_over_returned(
    start_miniature: StartMiniature, port: int
) -> None:
    three = sharing(start_miniature, "abc")
    takes = []
    with Load(port, 8, {"": "/"}) as load:
        for number in range(TIMES):
            one = three[number % 3]
            done = one.take(port)
            takes.append((done["started"], done["ended"], one.name))
            assert {fetch(port) for _ in range(2)} == {one.name}
            time.sleep(random.Random(number).choice([0.0, 0.01, 0.05]))
    assert load.failures == []
    checked = 0
    for (_, ended, name), (next_started, _, _) in pairwise(takes):
        within = [
            one for one in load.requests if ended <= one.started and one.ended <= next_started
        ]
        assert {one.answer for one in within} <= {name}
        checked += len(within)
    assert checked > 20


# ------------------------------------------------------------------ security

OTHER_USER = r"""
import socket, sys
for name in sys.argv[1:]:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(5)
    try:
        sock.connect(chr(0) + name)
        left, right = socket.socketpair()
        socket.send_fds(sock, [b"x" * 12], [left.fileno()])
        print(sock.recv(10))
    except OSError as error:
        print(type(error).__name__)
"""


def names_of(kernel: MiniatureKernel) -> list[str]:
    """The abstract names that a kernel has."""
    own = procfs.socket_inodes(kernel.pid)
    names = procfs.unix_names("dtale-magics/")
    return sorted(one.name for one in names if one.listening and one.inode in own)


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_another_user_that_knows_the_names_gets_and_gives_nothing(
    four: list[MiniatureKernel], port: int
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    names = names_of(four[0])
    assert len(names) >= 4, "channel, slug, owner, place"
    each_answers(port, four, 20)  # they have connected to each other
    before = four[0].state()
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run(
        [*nobody, "/usr/bin/env", "python3", "-c", OTHER_USER, *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd="/",
    )
    assert set(done.stdout.split()) <= {"b''", "ConnectionResetError", "BrokenPipeError"}
    # Nor does one that has taken a name of its own there get a connection.
    squat = (
        "import socket, sys, time\n"
        "sock = socket.socket(socket.AF_UNIX); sock.bind(chr(0) + sys.argv[1]); sock.listen()\n"
        "print('ready', flush=True); sock.settimeout(20)\n"
        "connection, _ = sock.accept(); print(connection.recv(100))\n"
    )
    prefix = names[0].split("/")[:3]
    name = "/".join([*prefix, "front", str(port), "999999", "1", "1", "z"])
    squatter = subprocess.Popen(
        [*nobody, "/usr/bin/env", "python3", "-c", squat, name],
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    assert squatter.stdout is not None
    try:
        assert squatter.stdout.readline() == "ready\n"
        assert in_front(port, four) == "a"
        assert four[1].take(port)["outcome"] == "InFront"
        assert in_front(port, four) == "b"
        assert squatter.stdout.readline() == "b''\n", "asked who it is, and told nothing"
    finally:
        squatter.kill()
        squatter.wait(10)
        squatter.stdout.close()
    each_answers(port, four)
    wait_until(lambda: four[0].state()["fds"] <= before["fds"] + 4)


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_garbage_wrong_descriptors_and_thousands_of_them_on_the_passing_socket(
    four: list[MiniatureKernel], port: int
) -> None:
    kernel = four[0]
    each_answers(port, four, 20)  # they have connected to each other
    before = kernel.state()
    chance = random.Random(18)
    left, right = socket.socketpair()
    name = next(one for one in names_of(kernel) if "/to/" in one)
    with left, right, open(os.devnull) as null:  # noqa: PTH123
        for number in range(600):
            frame = chance.choice(
                [
                    b"x",
                    b"",
                    b"\0" * 12,
                    chance.randbytes(12),
                    inbox.FRAME.pack(inbox.MARK, time.monotonic() + 5),
                ]
            )
            some = chance.choice([[], [left.fileno()], [null.fileno()], [left.fileno()] * 5])
            with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
                sock.settimeout(5)
                sock.connect("\0" + name)
                socket.send_fds(sock, [frame or b"y"], some)
                if number % 100 == 0:
                    for _ in range(100):
                        socket.send_fds(sock, [frame or b"y"], some)
    each_answers(port, four)
    wait_until(lambda: kernel.state()["fds"] <= before["fds"] + 4)
    assert kernel.state()["threads"] <= before["threads"] + 2


@pytest.mark.usefixtures("four")
def test_who_is_unknown_gets_the_same_404_whoever_accepts(port: int) -> None:
    for path in (
        "/nobody-" + "0" * 32 + "/",
        "/" + "f" * 32,
        "/x/_magics/who/" + "0" * 16,
        "/dtale/main/1",
    ):
        assert {ask(port, path) for _ in range(20)} == {(404, "nobody")}
    assert [peer.pid for peer in peers.siblings()] != []
