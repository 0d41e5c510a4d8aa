"""The server under clients that do what clients do."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from dtale_magics.serving.transport import listener
from dtale_magics.serving.transport.acceptor import Acceptor
from dtale_magics.serving.transport.limits import Limits
from dtale_magics.serving.transport.server import CONNECTION_KEY, Server
from tests.support import plain_http, processes
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from dtale_magics.serving.transport.connections import Connection
    from dtale_magics.serving.transport.listener import Listener
    from tests.support.ports import PortClaims


class App:
    """``/`` answers at once, ``/slow`` when it is told to, ``/raise`` not at all."""

    def __init__(self) -> None:
        self.slow_began = threading.Event()
        self.slow_may_end = threading.Event()
        self.slow = 0
        """How many requests for ``/slow`` were admitted."""
        self.environ: dict[str, Any] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        connection: Connection = environ[CONNECTION_KEY]
        self.environ = dict(environ)
        match environ["PATH_INFO"]:
            case "/slow":
                connection.admit()
                self.slow += 1
                self.slow_began.set()
                assert self.slow_may_end.wait(30)
            case "/outsider":
                self.slow_began.set()
                self.slow_may_end.wait(30)
            case "/raise":
                raise ZeroDivisionError
            case "/body":
                connection.admit()
                self.slow_began.set()
                environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            case "/large":
                connection.admit()
                self.slow_began.set()
                start_response("200 OK", [])
                return itertools.repeat(bytes(2**20), 64)  # more than the system's buffers hold
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"port {connection.port}".encode()]


@pytest.fixture
def app() -> Iterator[App]:
    one = App()
    yield one
    one.slow_may_end.set()


@pytest.fixture
def limits() -> Limits:
    """Of `server`; `limited` gives a test others."""
    return Limits(served=16)


def limited(**limits: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("limits", [Limits(**limits)], ids=[""])


@pytest.fixture
def server(app: App, limits: Limits) -> Iterator[Server]:
    one = Server(app, limits)
    yield one
    app.slow_may_end.set()
    one.stop()
    assert one.drain(5)


@pytest.fixture
def port(server: Server, ports: range) -> int:
    """Port that `server` serves."""
    return _serve(server, ports).port


def _serve(server: Server, ports: range) -> Listener:
    one = listener.reserve(ports)
    server.add(one)
    return one


def _get(port: int, path: str = "/", **options: Any) -> plain_http.Response:
    return plain_http.request(f"http://127.0.0.1:{port}{path}", **options)


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was closed at this very moment
        return False
    return False


class Background:
    """A request in a thread of its own."""

    def __init__(self, port: int, path: str = "/slow") -> None:
        self.outcome: plain_http.Response | Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(port, path), daemon=True)
        self._thread.start()

    def _run(self, port: int, path: str) -> None:
        try:
            self.outcome = _get(port, path)
        except (OSError, http.client.HTTPException) as error:
            self.outcome = error

    def result(self) -> plain_http.Response | Exception | None:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.outcome


def _server_threads() -> int:
    return sum(thread.name.startswith("dtale_magics server") for thread in threading.enumerate())


def test_a_request_is_answered_and_its_connection_closed_even_if_keep_alive_is_asked(
    port: int,
) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
        received = b""
        while chunk := client.recv(4096):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close" in head.lower()
    assert f"port {port}".encode() in body


def test_neither_server_nor_versions_are_told(port: int, app: App) -> None:
    for path in ("/", "/raise"):
        answer = _get(port, path)
        assert "server" not in {name.lower() for name in answer.headers}
        assert not any("werkzeug" in value.lower() for value in answer.headers.values())
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + 101 * b"X: too many headers\r\n" + b"\r\n")
        received = b"".join(iter(lambda: client.recv(4096), b""))
    assert b"431" in received.splitlines()[0]
    assert b"python" not in received.lower()
    assert b"werkzeug" not in received.lower()
    assert "Python" not in app.environ["SERVER_SOFTWARE"]


def test_a_failure_is_logged_under_our_name(port: int, caplog: pytest.LogCaptureFixture) -> None:
    assert _get(port, "/raise").status == 500
    wait_until(lambda: "ZeroDivisionError" in caplog.text)
    assert {record.name.partition(".")[0] for record in caplog.records} == {"dtale_magics"}


def test_nothing_is_printed_into_the_notebook(ports: range) -> None:
    """In a process of its own, where logging is as users have it."""
    code = f"""
import time
from dtale_magics.serving.transport import listener
from dtale_magics.serving.transport.server import Server

def app(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        print("the application complains", file=environ["wsgi.errors"])
        raise ZeroDivisionError
    start_response("200 OK", [])
    return [b"ok"]

server = Server(app)
server.add(listener.reserve(range({ports[0]}, {ports[-1]})))
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            wait_until(lambda: not _refuses(ports[0]))
            assert _get(ports[0]).status == 200
            assert _get(ports[0], "/raise").status == 500
            with socket.create_connection(("127.0.0.1", ports[0]), 10) as client:
                client.sendall(b"\x16\x03\x01 TLS hello\r\n\r\n")
                client.recv(100)
            socket.create_connection(("127.0.0.1", ports[0]), 10).close()
            time.sleep(0.3)  # what is printed comes after the answer
        finally:
            processes.end(process)
        assert process.communicate() == (b"", b"")


def test_a_request_that_fails_tells_the_client_no_details(port: int) -> None:
    answer = _get(port, "/raise")
    assert answer.status == 500
    assert "ZeroDivisionError" not in answer.text
    assert __file__ not in answer.text


NOTHING_IS_CUT = {"admission_seconds": 600.0, "crowded_seconds": 600.0}
"""A request that gets through does so although others stay."""


@limited(**NOTHING_IS_CUT)
def test_five_hundred_half_open_connections_neither_pile_up_nor_keep_others_out(port: int) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(b"GET / HTTP/1.1\r\nHost: half-open")
        most = 0
        request = Background(port, "/")
        while request.outcome is None:
            most = max(most, _server_threads())
            time.sleep(0.01)
    answer = request.result()
    assert isinstance(answer, plain_http.Response), answer
    assert answer.status == 200
    assert most < 5


@pytest.mark.parametrize("pieces", [2, 7, 60])
def test_a_request_may_arrive_in_pieces(port: int, pieces: int) -> None:
    request = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    step = -(-len(request) // pieces)
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(request), step):
            client.sendall(request[start : start + step])
            time.sleep(0.02)
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""),  # TLS, which waits for us
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b" 431 "),
        (b"GET /" + b"x" * 70_000, b" 414 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b""),  # and no more
    ],
)
@limited(**NOTHING_IS_CUT)
def test_what_is_no_head_waits_for_nothing(
    server: Server, port: int, sent: bytes, status: bytes
) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), 10) as client,
        contextlib.suppress(ConnectionError),
    ):
        client.sendall(sent)
        if sent.endswith(b"\n"):
            client.shutdown(socket.SHUT_WR)
        assert status in client.recv(100)
    wait_until(lambda: server.arriving == 0)
    assert server.drain(10)
    assert _get(port).status == 200


@limited(heads=10, **NOTHING_IS_CUT)
def test_the_oldest_of_too_many_that_wait_makes_room(port: int) -> None:
    with contextlib.ExitStack() as stack:
        waiting = []
        for _ in range(30):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(b"GET / HTTP/1.1\r\n")
            waiting.append(client)
        assert _get(port).status == 200
        for client in waiting[:20]:
            assert client.recv(100) == b""
        waiting[-1].sendall(b"Host: x\r\n\r\n")
        assert waiting[-1].recv(100).startswith(b"HTTP/1.1 200 ")


@limited(served=2, admission_seconds=2.0)  # from when they have got a place
def test_requests_that_arrive_while_all_places_are_taken_wait_for_one(
    server: Server, port: int, app: App
) -> None:
    halves = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(6)]
    for half in halves:
        half.sendall(b"GET / HTTP/1.1\r\n")
    wait_until(lambda: server.arriving == len(halves))
    slow = [Background(port) for _ in range(2)]
    wait_until(lambda: app.slow == 2)
    for half in halves:
        half.sendall(b"Host: x\r\n\r\n")
    time.sleep(3)
    app.slow_may_end.set()
    for half in halves:
        assert half.recv(100).startswith(b"HTTP/1.1 200 ")
        half.close()
    assert all(getattr(one.result(), "status", None) == 200 for one in slow)


@limited(served=4, crowded_seconds=1.0)
def test_a_full_house_of_admitted_requests_is_left_alone(
    server: Server, port: int, app: App
) -> None:
    """Somebody who has the link may wait for a slow answer, however many knock meanwhile."""
    admitted = [Background(port) for _ in range(4)]
    wait_until(lambda: app.slow == 4)
    waiting = [Background(port) for _ in range(20)]
    time.sleep(2)
    assert server.active == 4
    assert [one.outcome for one in (*admitted, *waiting)] == [None] * 24
    app.slow_may_end.set()
    for request in (*admitted, *waiting):
        answer = request.result()
        assert isinstance(answer, plain_http.Response), answer
        assert answer.status == 200


@limited(admission_seconds=1.0)
def test_a_client_that_sends_a_byte_now_and_then_is_cut(server: Server, port: int) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < began + 20:
                client.sendall(b"X")
                client.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    if not client.recv(100):
                        break
    assert 0.9 < time.monotonic() - began < 10
    assert server.drain(5)
    assert _get(port).status == 200


@limited(admission_seconds=1.0)
def test_a_request_without_the_capability_cannot_hold_its_place(port: int, app: App) -> None:
    outsider = Background(port, "/outsider")
    assert app.slow_began.wait(10)
    began = time.monotonic()
    assert isinstance(outsider.result(), Exception)
    assert time.monotonic() - began < 10


@limited(admission_seconds=2.0)
def test_an_admitted_request_may_take_longer_than_the_admission(port: int, app: App) -> None:
    request = Background(port)
    assert app.slow_began.wait(10)
    time.sleep(3)
    app.slow_may_end.set()
    answer = request.result()
    assert isinstance(answer, plain_http.Response), answer
    assert answer.status == 200


@pytest.fixture(params=["by the system", "by Python"])
def watched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sees that a client stands still: the system, where it can."""
    if request.param == "by Python":
        monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)


@limited(idle_seconds=1)
@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    "head",
    [b"GET /large HTTP/1.1\r\n", b"POST /body HTTP/1.1\r\nContent-Length: 9\r\n"],
    ids=["takes nothing", "sends no body"],
)
def test_a_client_that_stands_still_is_dropped(
    server: Server, port: int, app: App, head: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(head + b"Host: x\r\n\r\n")
        assert app.slow_began.wait(10)
        assert server.active == 1
        assert server.drain(30)
    assert _get(port).status == 200


@limited(idle_seconds=5)
def test_a_client_that_takes_its_time_gets_the_whole_answer(port: int) -> None:
    took = 0
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        began = time.monotonic()
        while chunk := client.recv(2**20):
            took += len(chunk)
            if time.monotonic() < began + 8:  # longer than any pause may be
                time.sleep(0.5)
    assert took > 64 * 2**20


def test_a_client_that_goes_away_is_no_error(
    server: Server, port: int, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "dtale_magics"):
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            assert app.slow_began.wait(10)
        app.slow_may_end.set()
        assert server.drain(10)
    assert not caplog.records
    assert _get(port).status == 200


def test_one_server_serves_many_listeners(server: Server, ports: range) -> None:
    served = [_serve(server, ports) for _ in range(3)]
    for one in served:
        assert _get(one.port).text == f"port {one.port}"


def test_a_listener_that_is_removed_gives_its_port_back_and_the_others_go_on(
    server: Server, ports: range
) -> None:
    first, second = _serve(server, ports), _serve(server, ports)
    server.remove(first, linger=0.0)
    wait_until(lambda: _refuses(first.port))
    listener.bind(first.port).close()
    assert _get(second.port).status == 200
    again = _serve(server, ports)
    assert again.port == first.port
    assert _get(first.port).status == 200


def test_a_removed_listener_answers_until_it_has_lingered(server: Server, ports: range) -> None:
    one = _serve(server, ports)
    server.remove(one, linger=1.0)
    assert _get(one.port).status == 200
    server.add(one)  # taken back
    time.sleep(1.3)
    assert _get(one.port).status == 200


def test_a_listener_that_is_dropped_is_closed_at_once(server: Server, ports: range) -> None:
    one = _serve(server, ports)
    server.drop(one)
    assert one.fileno() < 0
    listener.bind(one.port).close()


def test_a_request_in_flight_survives_the_removal_of_its_listener(
    server: Server, ports: range, app: App
) -> None:
    one = _serve(server, ports)
    request = Background(one.port)
    assert app.slow_began.wait(10)
    server.remove(one, linger=0.0)
    wait_until(lambda: _refuses(one.port))
    assert not server.drain(0.2)
    app.slow_may_end.set()
    assert server.drain(10)
    answer = request.result()
    assert isinstance(answer, plain_http.Response), answer
    assert answer.status == 200


def test_stop_closes_every_listener_and_lets_a_request_finish(
    server: Server, ports: range, app: App
) -> None:
    first, second = _serve(server, ports), _serve(server, ports)
    request = Background(first.port)
    assert app.slow_began.wait(10)
    threading.Timer(0.5, app.slow_may_end.set).start()
    server.stop(timeout=20)
    answer = request.result()
    assert isinstance(answer, plain_http.Response), answer
    assert answer.status == 200
    assert not server.alive
    assert _refuses(first.port)
    assert _refuses(second.port)
    assert _server_threads() == 0


def test_stop_does_not_wait_for_ever(server: Server, ports: range, app: App) -> None:
    request = Background(_serve(server, ports).port)
    assert app.slow_began.wait(10)
    began = time.monotonic()
    server.stop(timeout=0.3)
    assert time.monotonic() - began < 5
    assert isinstance(request.result(), Exception)


def test_a_stopped_server_says_so_and_may_be_stopped_again(server: Server, ports: range) -> None:
    server.stop()
    server.stop()
    with contextlib.closing(listener.reserve(ports)) as one, pytest.raises(RuntimeError):
        server.add(one)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # what users' libraries do
def test_a_forked_child_takes_no_connection_and_the_parent_goes_on(
    server: Server, port: int
) -> None:
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os.write(tell, b"alive" if server.alive else b"ended")
        time.sleep(20)
        os._exit(0)
    try:
        assert os.read(told, 5) == b"ended"
        for _ in range(20):
            assert _get(port).text == f"port {port}"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)


def test_listeners_come_and_go_under_load_without_a_lost_request(
    server: Server, port_claims: PortClaims
) -> None:
    """Servers that share a listener, as notebooks of a pod do, come and go."""
    ports = port_claims.take()
    steady = _serve(server, ports)
    failures: list[Exception] = []
    answered = threading.Semaphore(0)
    end = threading.Event()

    def load() -> None:
        while not end.is_set():
            try:
                assert _get(steady.port).status == 200
                answered.release()
            except (OSError, AssertionError, http.client.HTTPException) as error:
                failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        other = Server(App())
        copy = listener.Listener(socket.socket(fileno=os.dup(steady.fileno())))
        other.add(copy)
        assert _get(steady.port).status == 200
        other.drop(copy)
        other.stop()
    for _ in range(50):
        assert answered.acquire(timeout=10)
    end.set()
    for thread in threads:
        thread.join(30)
    assert not failures


def test_an_acceptor_survives_a_handler_that_raises(
    ports: range, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(connection: Connection) -> None:
        if connection.socket.recv(100) == b"bad":
            raise LookupError
        connection.socket.sendall(b"good")

    acceptor = Acceptor(handle, "test acceptor")
    try:
        one = listener.reserve(ports)
        acceptor.add(one)
        for word, answer in ((b"bad", b""), (b"fine", b"good")):
            with socket.create_connection(("127.0.0.1", one.port), 10) as client:
                client.sendall(word)
                assert client.recv(100) == answer
        assert acceptor.alive
    finally:
        acceptor.stop()
    assert "LookupError" in caplog.text
