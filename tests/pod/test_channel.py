"""The control channel goes on answering, whatever comes in."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtale_magics.pod import channel, exchange, names, peers
from tests.support.miniature import fetch
from tests.support.repeats import repeats
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.miniature import MiniatureKernel, StartMiniature

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")

INPUTS = repeats(20_000, 1_000_000)
VALID = json.dumps({"version": 2, "op": "changed", "text": "é"}).encode()


def peer_of(kernel: MiniatureKernel) -> peers.Peer:
    return next(peer for peer in peers.siblings() if peer.pid == kernel.pid)


def answers(peer: peers.Peer) -> bool:
    """As before: with the identity of that process."""
    with contextlib.suppress(exchange.PeerSilentError):
        return bool(channel.call(peer, "status", timeout=2.0)["status"]["pid"] == peer.pid)
    return False


@contextlib.contextmanager
def connected(peer: peers.Peer, timeout: float = 20.0) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        sock.connect(names.address(peer.name))
        yield sock


def said(sock: socket.socket) -> bytes:
    """All that comes until the end; a reset is an end as well."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(65536):
            data += piece
    return data


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xfe\x00\n",
        b"[" * 60000 + b"\n",
        b'{"version": 2}\n',
        b'{"version": 2, "op": ["share"]}\n',
        b'{"version": 2, "op": "share"}\n',
        b'{"version": 2, "op": "share", "port": "40000"}\n',
        b'{"version": 2, "op": "share", "port": -1}\n',
        b'{"version": 2, "op": "vacate", "port": null}\n',
        b'{"version": 1, "op": "status"}\n',
        b"x" * 70000 + b"\n",
    ],
    ids=range(12),
)
def test_garbage_is_answered_with_no_or_with_silence(
    start_miniature: StartMiniature, garbage: bytes
) -> None:
    peer = peer_of(start_miniature("a"))
    with connected(peer) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(garbage)
        answer = said(sock)
    assert not answer or json.loads(answer)["ok"] is False
    if b'"version": 1' in garbage:
        assert "version 1" in json.loads(answer)["why"]
    assert answers(peer)


def test_a_message_that_never_ends_is_cut(start_miniature: StartMiniature) -> None:
    peer = peer_of(start_miniature("a"))
    with connected(peer) as sock:
        sock.sendall(b'{"version": 2')
        assert answers(peer), "others are answered meanwhile"
        assert said(sock) == b""
    assert answers(peer)


def test_a_thousand_connections_keep_nobody_out_for_long(start_miniature: StartMiniature) -> None:
    kernel = start_miniature("a")
    peer = peer_of(kernel)
    before = kernel.state()
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):  # its queue is full
                sock.connect(names.address(peer.name))
        assert kernel.state()["threads"] < before["threads"] + 40
    wait_until(lambda: answers(peer))
    wait_until(lambda: kernel.state()["fds"] <= before["fds"] + 1)


def test_a_message_that_is_sent_again_takes_nothing(
    start_miniature: StartMiniature, port: int
) -> None:
    """The state of the system decides, not what somebody says."""
    owner = start_miniature("a")
    owner.take(port)
    peer = peer_of(owner)
    for _ in range(5):
        channel.call(peer, "changed", text="b is in front")
        with connected(peer) as sock:
            sock.sendall(b'{"version": 2, "op": "share", "port": %d}\n' % port)
    wait_until(lambda: fetch(port) == "a")
    assert owner.state()["ports"] == [port]


CLIENT = r"""
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(20)
try:
    sock.connect(chr(0) + sys.argv[1])
    sock.sendall(sys.argv[2].encode() + b"\n")
    print(sock.recv(1000))
except ConnectionError:
    print(b"")
"""


def answer_to(message: str, peer: peers.Peer, prefix: Sequence[str] = ()) -> str:
    """Ask from another process."""
    command = [
        *prefix,
        "/usr/bin/env",
        "python3",
        "-c",
        CLIENT,
        names.address(peer.name)[1:],
        message,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd="/")
    return done.stdout.strip()


def test_another_user_is_not_heard(start_miniature: StartMiniature, port: int) -> None:
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become somebody else")
    owner = start_miniature("a")
    owner.take(port)
    peer = peer_of(owner)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for op in ("status", "share", "vacate"):
        message = json.dumps({"version": 2, "op": op, "port": port})
        assert answer_to(message, peer, prefix=nobody) == "b''"
    assert "label" in answer_to('{"version": 2, "op": "status"}', peer), "the test can tell"
    assert owner.state()["ports"] == [port]
    assert answers(peer)


def test_who_poses_as_a_sibling_is_not_believed(start_miniature: StartMiniature) -> None:
    """Names are free to everybody; the system says whose the socket is."""
    kernel = start_miniature("a")
    with socket.socket(socket.AF_UNIX) as liar:
        liar.bind(names.address(f"{channel.DIRECTORY}{kernel.pid}/liar"))
        liar.listen()
        found = [one for one in peers.siblings() if one.owner == "liar"]
        with pytest.raises(exchange.ProtocolError, match="poses"):
            channel.call(found[0], "status")


def parse(line: bytes) -> None:
    """A message, or a refusal: nothing else may come out."""
    with contextlib.suppress(exchange.ProtocolError):
        assert exchange.parse(line)["version"] == names.VERSION


@settings(max_examples=repeats(150, 2000), deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_the_parser_refuses_or_understands(line: bytes) -> None:
    parse(line)


@settings(max_examples=repeats(100, 1000), deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["version", "op", "port", "text", "ok"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_the_parser_gives_back_what_was_sent(message: dict[str, object]) -> None:
    parse(json.dumps(message).encode())


def test_the_parser_survives_what_a_broken_peer_may_send() -> None:
    chance = random.Random(20)
    for _ in range(INPUTS):
        line = bytearray(VALID)
        for _ in range(chance.randrange(1, 8)):
            match chance.randrange(3):
                case 0:
                    line[chance.randrange(len(line))] = chance.randrange(256)
                case 1:
                    del line[chance.randrange(len(line)) :]
                case _:
                    line[:0] = chance.randbytes(3)
            if not line:
                break
        parse(bytes(line))


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
