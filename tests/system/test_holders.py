"""What the system tells of this process's own ports."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dtale_magics.system import holders, sockdiag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Ports(NamedTuple):
    """Two servers', one for each family, and two that nobody listens on."""

    listening: set[int]
    others: set[int]


@pytest.fixture
def ports() -> Iterator[Ports]:
    with ExitStack() as stack:
        four, six, unused = (
            stack.enter_context(socket.socket(family))
            for family in (socket.AF_INET, socket.AF_INET6, socket.AF_INET)
        )
        for server, address in ((four, "127.0.0.1"), (six, "::1")):
            server.bind((address, 0))
            server.listen()
        unused.bind(("127.0.0.1", 0))
        client = stack.enter_context(socket.create_connection(four.getsockname()))
        listening, others = (
            {one.getsockname()[1] for one in some} for some in ((four, six), (client, unused))
        )
        yield Ports(listening, others)


def _check(ports: Ports) -> None:
    own = holders.own_ports()  # other tests of this process may have some
    assert own >= ports.listening
    assert not own & ports.others


def test_own_ports_are_those_that_listen(ports: Ports) -> None:
    _check(ports)


def test_own_ports_where_a_sandbox_has_no_sock_diag(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_port: int) -> list[tuple[int, int, int]]:
        raise OSError("sock_diag refuses")

    monkeypatch.setattr(sockdiag, "listening", refuse)
    _check(ports)


def test_ports_of_other_processes_are_none_of_ours() -> None:
    code = (
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert port in {one.port for one in holders.listening_sockets()}
        assert port not in holders.own_ports()
        process.communicate("\n", timeout=60)


def test_who_holds_a_port_is_named_however_long_its_paths_are(tmp_path: Path) -> None:
    folder = tmp_path / ("a-long-name-" * 8) / "below"
    folder.mkdir(parents=True)
    script = folder / "serving.py"
    script.write_text(
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True)\n"
        "input()\n"
    )
    command = [sys.executable, str(script), "--root=/srv"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = holders.describe(int(process.stdout.readline()))
        process.communicate("end\n", timeout=60)
    assert f"process {process.pid} (python" in said
    assert "serving.py --root=/srv) of user" in said
