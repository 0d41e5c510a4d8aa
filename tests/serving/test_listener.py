"""A port belongs to one process alone, whatever the others do."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from dtale_magics.errors import PortUnavailableError
from dtale_magics.serving.transport import listener
from tests.support import pods
from tests.support.waiting import wait_until
from tests.support.workers import WorkerError

if TYPE_CHECKING:
    from dtale_magics.serving.transport.connections import Connection
    from tests.support.pods import Pod
    from tests.support.ports import PortClaims
    from tests.support.workers import StartWorker

linux = pytest.mark.skipif(sys.platform != "linux", reason="a rule of Linux")


def test_the_first_free_port_is_reserved(ports: range) -> None:
    with contextlib.closing(listener.reserve(ports)) as first:
        assert first.port == ports[0]
        with contextlib.closing(listener.reserve(ports)) as second:
            assert second.port == ports[1]
    with contextlib.closing(listener.reserve(ports)) as again:
        assert again.port == ports[0]


def test_a_reserved_port_answers_on_both_ip_families(ports: range) -> None:
    with contextlib.closing(listener.reserve(ports)) as one:
        socket.create_connection(("127.0.0.1", one.port), 5).close()
        if one.socket.family == socket.AF_INET6 and _has_ipv6_loopback():
            socket.create_connection(("::1", one.port), 5).close()


def test_eight_processes_that_reserve_at_once_never_meet(
    ports: range, start_worker: StartWorker
) -> None:
    workers = [start_worker() for _ in range(8)]
    for worker in workers:
        worker.do("release")  # it is up and has imported everything
    for _ in range(20):
        at = time.time() + 0.05
        for worker in workers:
            worker.send("reserve", ports=[ports[0], ports[-1]], at=at)
        found = [worker.answer() for worker in workers]
        assert sorted(found) == list(ports[:8])
        for worker in workers:
            worker.do("release")


def test_thousands_of_taken_ports_are_passed_over(
    port_claims: PortClaims, start_worker: StartWorker
) -> None:
    """In parts, since a process may be allowed no more than a thousand descriptors."""
    thousands = port_claims.take_thousands()
    parts = [thousands[start : start + 500] for start in range(0, len(thousands), 500)]
    # A port that anybody else on this machine has is taken as well.
    taken = sum(start_worker().do("occupy", ports=[part[0], part[-1]]) for part in parts)
    assert taken > len(thousands) - 100
    free = port_claims.take()[0]
    with contextlib.closing(listener.reserve([*thousands, free])) as last:
        assert last.port == free


def test_a_full_range_says_who_holds_its_first_ports(
    ports: range, start_worker: StartWorker
) -> None:
    holders = [start_worker() for _ in range(4)]
    for holder in holders:
        holder.do("reserve", ports=[ports[0], ports[-1]])
    with pytest.raises(PortUnavailableError) as caught:
        listener.reserve(ports[:4])
    assert caught.value.ports == tuple(ports[:4])
    assert f"{ports[0]}-{ports[3]}" in caught.value.what
    for port, holder in zip(ports[:3], holders, strict=False):
        line = next(line for line in caught.value.hint.splitlines() if line.startswith(f"{port}:"))
        assert f"process {holder.pid}" in line
        assert "workers.py" in line
    assert str(holders[3].pid) not in caught.value.hint
    assert f"%dtale_port {ports[0]} " in caught.value.hint


def test_a_port_without_permission_is_told_apart_from_a_taken_one(
    request: pytest.FixtureRequest, start_worker: StartWorker
) -> None:
    pod: Pod | None = None
    prefix: tuple[str, ...] = ()
    if os.getuid() == 0:
        if pods.reason_against() or shutil.which("setpriv") is None:
            pytest.skip("root may listen everywhere, and cannot give that up here")
        pod = request.getfixturevalue("pod")  # where ports below 1024 are privileged for certain
        prefix = ("setpriv", "--bounding-set", "-net_bind_service")
    elif _first_unprivileged_port() <= 80:
        pytest.skip("every user may listen on every port here")
    worker = start_worker(pod, prefix)
    with pytest.raises(WorkerError) as caught:
        worker.do("reserve", ports=[80, 81])
    assert caught.value.kind == "PortUnavailableError"
    assert "No permission to listen on port 80-81" in caught.value.text
    assert "%dtale_port 40000 49000" in caught.value.text
    # A range that begins among the forbidden ones goes on to the others.
    assert worker.do("reserve", ports=[1022, 1030]) == 1024


def test_a_forked_child_does_not_keep_the_port_of_a_killed_kernel(
    ports: range, start_worker: StartWorker
) -> None:
    kernel = start_worker()
    port = kernel.do("reserve", ports=[ports[0], ports[-1]])
    child = kernel.do("fork")
    kernel.kill()
    os.kill(child, 0)  # it lives
    with contextlib.closing(_reserve_soon(port)) as mine:
        assert mine.port == port


def test_a_forked_child_leaves_the_listener_of_its_parent_alone(
    ports: range, start_worker: StartWorker
) -> None:
    kernel = start_worker()
    port = kernel.do("reserve", ports=[ports[0], ports[-1]])
    kernel.do("fork")
    kernel.send("answer_once")
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"hello")
        assert client.recv(10) == b"bye"


@linux
def test_a_killed_kernel_gets_its_port_back_despite_time_wait(
    ports: range, start_worker: StartWorker
) -> None:
    kernel, restarted = start_worker(), start_worker()
    port = kernel.do("reserve", ports=[ports[0], ports[-1]])
    kernel.send("answer_once")
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"hello")
        while client.recv(10):
            pass
    kernel.answer()
    kernel.kill()
    assert _has_time_wait(port)
    assert restarted.do("reserve", ports=[ports[0], ports[-1]]) == port


def test_a_port_that_an_outgoing_connection_owns_is_passed_over_and_explained(
    ports: range, start_worker: StartWorker
) -> None:
    stranger = start_worker()
    stranger.do("connect_from", port=ports[0])
    with contextlib.closing(listener.reserve(ports)) as other:
        assert other.port == ports[1]
    with pytest.raises(PortUnavailableError) as caught:
        listener.reserve(ports[:1])
    assert f"an outgoing connection of process {stranger.pid}" in str(caught.value)


@pytest.mark.parametrize("reuse", [False, True], ids=["plain", "SO_REUSEADDR"])
def test_a_strange_program_cannot_bind_beside_us_on_any_address(
    ports: range, place: Pod | None, start_worker: StartWorker, *, reuse: bool
) -> None:
    ours, stranger = start_worker(place), start_worker(place)
    port = ours.do("reserve", ports=[ports[0], ports[-1]])
    addresses = ["0.0.0.0", "127.0.0.1"]
    if place is not None:
        addresses.append(place.address)
    if _has_ipv6_loopback():
        addresses += ["::", "::1"]
    for address in addresses:
        answer = stranger.do("strange_bind", address=address, port=port, reuse=reuse)
        assert answer == os.strerror(errno.EADDRINUSE), address
    ours.do("release")
    for address in addresses:  # the test can tell
        assert stranger.do("strange_bind", address=address, port=port, reuse=reuse) is None, address


def test_a_port_that_is_taken_on_one_address_only_is_not_reserved(
    ports: range, pod: Pod, start_worker: StartWorker
) -> None:
    """D-Tale looks for a free port on localhost and then binds the pod's address: never so here."""
    ours, stranger = start_worker(pod), start_worker(pod)
    stranger.do("occupy", ports=[ports[0], ports[0]])  # on 127.0.0.1
    assert ours.do("reserve", ports=[ports[0], ports[-1]]) == ports[1]


@linux
def test_a_connection_that_sends_nothing_is_not_handed_out(ports: range) -> None:
    """Otherwise it would stay with whoever accepted it, and who may be suspended then."""
    with contextlib.closing(listener.reserve(ports)) as one:
        with socket.create_connection(("127.0.0.1", one.port), 5) as silent:
            time.sleep(0.2)
            with pytest.raises(BlockingIOError):
                one.accept()
            silent.sendall(b"hello")
            connection = _accept_soon(one)
            with contextlib.closing(connection):
                assert connection.socket.recv(10) == b"hello"
        assert connection.address[0] == "127.0.0.1"
        assert connection.port == one.port


def test_no_descriptor_is_left_behind(ports: range) -> None:
    before = psutil.Process().num_fds()
    with contextlib.closing(listener.reserve(ports)) as one:
        for _ in range(5):
            with pytest.raises(PortUnavailableError):
                listener.reserve([one.port])
            with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
                listener.bind(one.port)
    assert psutil.Process().num_fds() == before


def test_threads_of_one_kernel_do_not_meet_either(ports: range) -> None:
    barrier = threading.Barrier(8)
    found: list[listener.Listener] = []

    def reserve() -> None:
        barrier.wait(10)
        found.append(listener.reserve(ports))

    threads = [threading.Thread(target=reserve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    try:
        assert sorted(one.port for one in found) == list(ports[:8])
    finally:
        for one in found:
            one.close()


def _reserve_soon(port: int) -> listener.Listener:
    """Reserve a port whose owner was killed a moment ago."""
    return wait_until(lambda: listener.reserve([port]), not_yet=PortUnavailableError)


def _accept_soon(one: listener.Listener) -> Connection:
    return wait_until(one.accept, not_yet=BlockingIOError)


def _has_time_wait(port: int) -> bool:
    """Whether `port` is the local one of a connection in TIME_WAIT (06 in ``/proc/net/tcp``)."""
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        if Path("/proc/net", table).exists()
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    return any(line[1].endswith(f":{port:04X}") and line[3] == "06" for line in lines)


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def _first_unprivileged_port() -> int:
    path = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    return int(path.read_text()) if path.exists() else 1024
