"""Takeovers between real kernels, as users cause them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import processes
from support.plain_http import data_url, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartKernel
    from support.kernels import Kernel

SECONDS = 30.0


@pytest.fixture
def two(start_kernel: StartKernel) -> tuple[Kernel, Kernel]:
    """Two notebooks, each with its frame; the first has the ingress port."""
    first = start_kernel(notebook="train.ipynb")
    second = start_kernel(notebook="eda.ipynb")
    for number, kernel in enumerate((first, second), 1):
        kernel.run("%load_ext dtale_magics")
        kernel.run(f"import pandas as pd; df = pd.DataFrame({{'a': [{number}] * 3}})")
        kernel.run("%dtale df")
    return first, second


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def shown_at(url: str) -> Any:
    """The first cell of the frame behind the URL of its page."""
    return request(data_url(url)).json()["results"]["0"]["a"]


def url_of(kernel: Kernel) -> str:
    return str(kernel.status()["frames"][0]["url"])


def on_port(url: str, port: int) -> str:
    host, _, path = url.removeprefix("http://").partition("/")
    return f"http://{host.partition(':')[0]}:{port}/{path}"


def test_taking_moves_the_port_and_keeps_both_frames(two: tuple[Kernel, Kernel]) -> None:
    first, second = two
    ingress = first.ports[0]
    assert first.status()["ports"] == [ingress]
    stale = url_of(first)
    said = second.run("%dtale_port --take").text
    assert "train.ipynb" in said
    assert str(ingress) in said
    status = second.status()
    assert status["holds_ingress"]
    assert status["port"] == ingress
    assert shown_at(url_of(second)) == 2
    wait(lambda: first.status()["ports"] not in ([], [ingress]))
    assert shown_at(url_of(first)) == 1, "the other one goes on elsewhere"
    assert request(stale).status == 404, "a stale tab never shows the new owner's data"
    holder = first.status()["ingress_holder"]
    assert (holder["kind"], holder["label"]) == ("notebook", "eda.ipynb")
    # And back again.
    assert "eda.ipynb" in first.run("%dtale_port --take").text
    assert shown_at(stale) == 1


def test_releasing_gives_it_back(two: tuple[Kernel, Kernel]) -> None:
    first, second = two
    ingress = first.ports[0]
    second.run("%dtale_port --take")
    wait(lambda: first.status()["ports"] != [ingress])
    assert "given back to train.ipynb" in second.run("%dtale_port --release").text
    first.run("from dtale_magics import session")
    events = "[event.text for event in session.current().events()]"
    wait(lambda: f"eda.ipynb gave port {ingress} back." in first.value(events))
    assert ingress in first.status()["ports"]
    assert shown_at(on_port(url_of(first), ingress)) == 1
    assert shown_at(url_of(second)) == 2
    assert not second.status()["holds_ingress"]


def test_a_takeover_works_while_the_other_runs_a_cell_and_while_it_is_stopped(
    two: tuple[Kernel, Kernel],
) -> None:
    first, second = two
    ingress = first.ports[0]
    running = first.send("import time; time.sleep(8)")
    second.run("%dtale_port --take")
    assert shown_at(on_port(url_of(second), ingress)) == 2
    first.finish(running)
    wait(lambda: first.status()["ports"] not in ([], [ingress]))
    processes.stop(second.pid)
    try:
        first.run("%dtale_port --take")
        assert shown_at(on_port(url_of(first), ingress)) == 1
    finally:
        os.kill(second.pid, signal.SIGCONT)
    wait(lambda: ingress not in second.status()["ports"])
    assert shown_at(url_of(second)) == 2
    for _ in range(20):
        assert shown_at(on_port(url_of(first), ingress)) == 1


def test_a_stopped_notebook_is_neither_waited_for_nor_acts_on_what_was_said_meanwhile(
    two: tuple[Kernel, Kernel],
) -> None:
    first, second = two
    ingress = first.ports[0]
    second.run("%dtale_port --take")
    wait(lambda: first.status()["ports"] not in ([], [ingress]))
    processes.stop(first.pid)
    try:
        second.run("from dtale_magics.pod import peers")
        second.run(f"its = [one for one in peers.siblings() if one.pid == {first.pid}]")
        asked = second.value("[one.responding for one in peers.identities(600, its)]")
        assert asked == [False]
        second.run("%dtale df")
        assert "given back" not in second.run("%dtale_port --release").text
        assert ingress not in second.status()["ports"]
    finally:
        os.kill(first.pid, signal.SIGCONT)
    assert shown_at(url_of(first)) == 1
    assert ingress not in first.status()["ports"]


def test_force_with_the_frame_and_for_another_port(two: tuple[Kernel, Kernel]) -> None:
    first, second = two
    ingress = first.ports[0]
    second.run(f"%dtale df --port {ingress} --force")
    assert second.status()["port"] == ingress
    other = first.ports[7]
    second.run(f"%dtale_port {other}")
    first.run(f"%dtale_port {other} --force")
    wait(lambda: other not in second.status()["ports"])
    assert ingress in second.status()["ports"]
    assert shown_at(on_port(url_of(first), other)) == 1
    assert shown_at(on_port(url_of(second), ingress)) == 2, "it loses only what was asked for"


def test_code_can_take_over_and_dtales_force_does_the_same(two: tuple[Kernel, Kernel]) -> None:
    first, second = two
    ingress = first.ports[0]
    second.run("import dtale_magics; outcome = dtale_magics.take_over()")
    assert second.value("[outcome.ours, outcome.port, type(outcome).__name__]") in (
        [True, ingress, "Steered"],
        [True, ingress, "HandedOver"],
    )
    first.run(f"import dtale; inst = dtale.show(df, port={ingress}, force=True)")
    assert first.status()["holds_ingress"]
    assert shown_at(first.value("inst._main_url").replace("/main/df", "/main/1")) == 1
    wait(lambda: ingress not in second.status()["ports"])
    assert shown_at(url_of(second)) == 2, "nothing was killed"


def test_every_dtale_of_the_pod_is_listed(two: tuple[Kernel, Kernel]) -> None:
    first, second = two

    def listed() -> dict[str, dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "dtale_magics", "list", "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        of_all = json.loads(done.stdout)["kernels"]
        return {one["label"]: one for one in of_all if one["pid"] in (first.pid, second.pid)}

    # A kernel that has no time to answer is listed without its frames.
    wait(lambda: all(one["responding"] and one["url"] for one in listed().values()))
    kernels = listed()
    assert kernels["train.ipynb"]["ports"] == [first.ports[0]]
    assert kernels["eda.ipynb"]["frames"][0]["name"] == "df"
    assert kernels["eda.ipynb"]["url"] == second.status()["url"]
    entry = f"train.ipynb  pid {first.pid}"
    assert entry in second.run("%dtale --list").text
    first.kill()
    assert entry not in second.run("%dtale --list").text


def test_a_stranger_is_named_and_left_alone(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    port = kernel.ports[0]
    stranger = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def answers() -> bool:
            try:
                return request(f"http://127.0.0.1:{port}/").status == 200
            except OSError:
                return False

        wait(answers)
        kernel.run("%load_ext dtale_magics")
        kernel.run("import pandas as pd; df = pd.DataFrame({'a': [1]})")
        shown = kernel.run("%dtale_port --take", ok=False)
        assert shown.error == "PortUnavailableError"
        assert str(stranger.pid) in shown.traceback
        assert "http.server" in shown.traceback
        assert answers()
        assert kernel.status()["ports"] == []
        kernel.run("%dtale df")
        assert kernel.status()["ports"] == [kernel.ports[1]]
        assert kernel.status()["ingress_holder"]["pid"] == stranger.pid
    finally:
        stranger.kill()
        stranger.wait()


def test_what_a_killed_owner_leaves_in_time_wait_does_not_hold_the_port(
    two: tuple[Kernel, Kernel],
) -> None:
    first, second = two
    assert shown_at(url_of(first)) == 1  # the server closed that connection: TIME_WAIT is its own
    first.kill()
    assert second.status()["ingress_holder"] is None
    assert "was free" in second.run("%dtale_port --take").text


PLAIN = """
import pandas as pd, dtale
df = pd.DataFrame({'a': [7] * 3})
inst = dtale.show(df, host='localhost', port=%d, force=%s, name='plain')
"""


def test_a_plain_dtale_is_replaced_and_what_it_loses_is_said(start_kernel: StartKernel) -> None:
    plain, ours = start_kernel(notebook="plain.ipynb"), start_kernel(notebook="eda.ipynb")
    port = ours.ports[0]
    plain.run(PLAIN % (port, False))
    wait(lambda: plain.value("inst.is_up()"))
    ours.run("%load_ext dtale_magics")
    ours.run("import pandas as pd; df = pd.DataFrame({'a': [2] * 3})")
    ours.run("%dtale df")
    said = ours.run("%dtale_port --take").text
    assert "plain (3 rows)" in said
    assert shown_at(on_port(url_of(ours), port)) == 2
    assert plain.value("len(df)") == 3


def test_a_plain_dtale_can_force_its_way_in_and_nobody_else(
    start_kernel: StartKernel,
) -> None:
    ours, plain = start_kernel(notebook="eda.ipynb"), start_kernel(notebook="plain.ipynb")
    ours.run("%load_ext dtale_magics")
    ours.run("import pandas as pd; df = pd.DataFrame({'a': [2] * 3})")
    ours.run("%dtale df")
    port = ours.status()["port"]
    root = f"http://127.0.0.1:{port}"
    agent = {"User-Agent": "python-requests/2.32"}
    for headers in (
        {},
        {"User-Agent": "Mozilla/5.0"},
        {**agent, "X-Forwarded-For": "1.2.3.4"},
        {**agent, "Origin": "http://evil.example"},
    ):
        assert request(f"{root}/shutdown", headers=headers).status == 404
    assert ours.status()["port"] == port
    plain.run(PLAIN % (port, True))
    wait(lambda: plain.value("inst.is_up()"))
    assert (
        request(
            f"http://localhost:{port}/dtale/data/1?ids=%5B%220-1%22%5D", host="127.0.0.1"
        ).json()["results"]["0"]["a"]
        == 7
    )
    wait(lambda: ours.status()["ports"] not in ([], [port]))
    assert shown_at(url_of(ours)) == 2, "its state is kept"
