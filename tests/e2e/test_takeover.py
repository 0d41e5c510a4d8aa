"""Takeovers between real kernels, as users cause them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import processes
from tests.support.kernels import Kernel
from tests.support.plain_http import data_url, request
from tests.support.ports import PortClaims
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kernels import StartKernel


@pytest.fixture(scope="module")
def shared_pair() -> Iterator[tuple[Kernel, Kernel]]:
    """Two kernels for all tests of this module; `pair` makes them as good as new."""
    with PortClaims() as claims:
        ports = claims.take()
        with (
            Kernel(ports, notebook="train.ipynb") as first,
            Kernel(ports, notebook="eda.ipynb") as second,
        ):
            first.launch()
            second.launch()
            yield first.wait_until_ready(), second.wait_until_ready()


@pytest.fixture
def pair(shared_pair: tuple[Kernel, Kernel]) -> tuple[Kernel, Kernel]:
    """Two notebooks that want the same ports and have loaded nothing."""
    for one in shared_pair:
        if one.died:
            one.restart()
        one.renew()
    return shared_pair


@pytest.fixture
def two(pair: tuple[Kernel, Kernel]) -> tuple[Kernel, Kernel]:
    """Two notebooks, each with its frame; the first has the ingress port."""
    for number, kernel in enumerate(pair, 1):
        kernel.run("%load_ext dtale_magics")
        kernel.run(f"import pandas as pd; df = pd.DataFrame({{'a': [{number}] * 3}})")
        kernel.run("%dtale df")
    return pair


def shown_at(url: str) -> Any:
    """The first cell of the frame behind the URL of its page."""
    return request(data_url(url)).json()["results"]["0"]["a"]


def url_of(kernel: Kernel) -> str:
    return str(kernel.status()["frames"][0]["url"])


def on_port(url: str, port: int) -> str:
    host, _, path = url.removeprefix("http://").partition("/")
    return f"http://{host.partition(':')[0]}:{port}/{path}"


def in_front(kernel: Kernel) -> str:
    return str(kernel.status()["ingress_holder"]["label"])


def test_notebooks_share_the_port_and_a_takeover_changes_who_is_in_front(
    two: tuple[Kernel, Kernel],
) -> None:
    first, second = two
    ingress = first.ports[0]
    links = [url_of(one) for one in two]
    for one in two:
        assert one.status()["ports"] == [ingress]
        assert in_front(one) == "train.ipynb"
    assert [shown_at(link) for link in links] == [1, 2]
    assert first.status()["holds_ingress"]
    assert not second.status()["holds_ingress"]

    said = second.run("%dtale_port --take").text
    assert "train.ipynb" in said
    assert str(ingress) in said
    assert second.status()["holds_ingress"]
    assert not first.status()["holds_ingress"]
    holder = first.status()["ingress_holder"]
    assert (holder["kind"], holder["label"]) == ("notebook", "eda.ipynb")
    assert [shown_at(link) for link in links] == [1, 2], "links of both go on"

    assert "train.ipynb is in front" in second.run("%dtale_port --release").text
    assert first.status()["holds_ingress"]
    first.run("from dtale_magics import session")
    events = "[event.text for event in session.current().events()]"
    wait_until(lambda: any(f"gave port {ingress} back" in text for text in first.value(events)))
    assert [shown_at(link) for link in links] == [1, 2]
    refused = second.run("%dtale_port --release", ok=False)
    assert "train.ipynb" in refused.traceback
    assert f"Port {ingress} was not given back" in refused.traceback


def test_the_front_answers_what_is_addressed_to_nobody_under_open_access(
    two: tuple[Kernel, Kernel],
) -> None:
    first, second = two
    for kernel in two:
        kernel.run("%config DtaleMagics.open_access = True")

    def page_of(kernel: Kernel) -> str:
        """The frame's page without the slug, as whoever has no link asks for it."""
        return f"http://127.0.0.1:{first.ports[0]}/dtale/main/{url_of(kernel).rpartition('/')[2]}"

    assert {shown_at(page_of(first)) for _ in range(5)} == {1}
    second.run("%dtale_port --take")
    assert {shown_at(page_of(second)) for _ in range(5)} == {2}
    second.kill()
    assert {shown_at(page_of(first)) for _ in range(5)} == {1}


def test_nobody_waits_for_one_that_runs_a_cell_or_is_stopped(two: tuple[Kernel, Kernel]) -> None:
    first, second = two
    running = first.send("import time; time.sleep(8)")
    second.run("%dtale_port --take")
    assert [shown_at(url_of(second)) for _ in range(5)] == [2] * 5
    first.finish(running)
    processes.stop(second.pid)
    try:
        assert in_front(first) == "eda.ipynb"
        first.run("%dtale_port --take")
        assert first.status()["holds_ingress"]
        assert [shown_at(url_of(first)) for _ in range(10)] == [1] * 10
        first.run("from dtale_magics.pod import peers")
        first.run(f"its = [one for one in peers.siblings() if one.pid == {second.pid}]")
        assert first.value("[one['responding'] for one in peers.statuses(600, its)]") == [False]
    finally:
        os.kill(second.pid, signal.SIGCONT)
    assert [shown_at(url_of(one)) for one in two] == [1, 2]
    assert not second.status()["holds_ingress"]


def test_one_whose_siblings_are_all_stopped_gets_the_port_and_shares_it_when_they_wake_up(
    pair: tuple[Kernel, Kernel],
) -> None:
    first, second = pair
    for number, kernel in enumerate((first, second), 1):
        kernel.run("%load_ext dtale_magics")
        kernel.run(f"import pandas as pd; df = pd.DataFrame({{'a': [{number}] * 3}})")
    first.run("%dtale df")
    link = url_of(first)
    processes.stop(first.pid)
    try:
        second.run("%dtale df")
        assert second.status()["ports"] == [first.ports[0]]
        assert [shown_at(url_of(second)) for _ in range(20)] == [2] * 20
    finally:
        os.kill(first.pid, signal.SIGCONT)
    assert [shown_at(link) for _ in range(20)] == [1] * 20
    assert [shown_at(url_of(second)) for _ in range(20)] == [2] * 20


def test_force_with_the_frame_and_for_another_port(two: tuple[Kernel, Kernel]) -> None:
    first, second = two
    ingress = first.ports[0]
    second.run(f"%dtale df --port {ingress} --force")
    assert second.status()["port"] == ingress
    assert second.status()["holds_ingress"]
    other = first.ports[7]
    second.run(f"%dtale_port {other}")
    assert second.status()["ports"] == [ingress, other]
    assert second.status()["port"] == other
    first.run(f"%dtale_port {other} --force")
    assert first.status()["port"] == other
    for one, number in ((first, 1), (second, 2)):
        assert shown_at(on_port(url_of(one), other)) == number
        assert shown_at(on_port(url_of(one), ingress)) == number


def test_code_can_take_over_and_dtales_force_does_the_same(two: tuple[Kernel, Kernel]) -> None:
    first, second = two
    ingress = first.ports[0]
    second.run("import dtale_magics; outcome = dtale_magics.take_over()")
    assert second.value("[outcome.ours, outcome.port, type(outcome).__name__]") == [
        True,
        ingress,
        "InFront",
    ]
    first.run(f"import dtale; inst = dtale.show(df, port={ingress}, force=True)")
    assert first.status()["holds_ingress"]
    data_id = first.value("inst._data_id")
    assert shown_at(first.value("inst._main_url").replace("/main/df", f"/main/{data_id}")) == 1
    assert shown_at(url_of(second)) == 2, "nothing was killed"


def test_new_links_are_passed_on_and_old_ones_are_dead(two: tuple[Kernel, Kernel]) -> None:
    first, second = two
    before = url_of(second)
    second.run("%dtale --new-link")
    assert request(before).status == 404
    assert [shown_at(url_of(second)) for _ in range(10)] == [2] * 10
    assert shown_at(url_of(first)) == 1


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
    wait_until(lambda: all(one["responding"] and one["url"] for one in listed().values()))
    kernels = listed()
    assert kernels["train.ipynb"]["ports"] == [first.ports[0]]
    assert kernels["eda.ipynb"]["frames"][0]["name"] == "df"
    assert kernels["eda.ipynb"]["url"] == second.status()["url"]
    entry = f"train.ipynb  pid {first.pid}"
    assert entry in second.run("%dtale --list").text
    first.kill()
    assert entry not in second.run("%dtale --list").text


def test_a_stranger_is_named_and_left_alone(pair: tuple[Kernel, Kernel]) -> None:
    kernel, _ = pair
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

        wait_until(answers)
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


def test_what_a_killed_one_leaves_in_time_wait_does_not_hold_the_port(
    two: tuple[Kernel, Kernel],
) -> None:
    first, second = two
    assert shown_at(url_of(first)) == 1  # the server closed that connection: TIME_WAIT is its own
    first.kill()
    assert second.status()["holds_ingress"], "it was the only other one"
    assert shown_at(url_of(second)) == 2
    second.run("%dtale --stop\n%dtale df")
    assert second.status()["port"] == first.ports[0]


PLAIN = """
import pandas as pd, dtale
df = pd.DataFrame({'a': [7] * 3})
inst = dtale.show(df, host='localhost', port=%d, force=%s, name='plain')
"""


def test_a_plain_dtale_is_replaced_and_what_it_loses_is_said(
    pair: tuple[Kernel, Kernel], start_kernel: StartKernel
) -> None:
    plain, ours = start_kernel(notebook="plain.ipynb"), pair[1]
    port = ours.ports[0]
    plain.run(PLAIN % (port, False))
    wait_until(lambda: plain.value("inst.is_up()"))
    ours.run("%load_ext dtale_magics")
    ours.run("import pandas as pd; df = pd.DataFrame({'a': [2] * 3})")
    ours.run("%dtale df")
    said = ours.run("%dtale_port --take").text
    assert "plain (3 rows)" in said
    assert shown_at(on_port(url_of(ours), port)) == 2
    assert plain.value("len(df)") == 3


def test_a_plain_dtale_can_force_its_way_in_and_nobody_else(
    two: tuple[Kernel, Kernel], start_kernel: StartKernel
) -> None:
    plain = start_kernel(notebook="plain.ipynb")
    port = two[0].ports[0]
    root = f"http://127.0.0.1:{port}"
    agent = {"User-Agent": "python-requests/2.32"}
    for headers in (
        {},
        {"User-Agent": "Mozilla/5.0"},
        {**agent, "X-Forwarded-For": "1.2.3.4"},
        {**agent, "Origin": "http://evil.example"},
    ):
        assert request(f"{root}/shutdown", headers=headers).status == 404
    assert [one.status()["port"] for one in two] == [port] * 2
    plain.run(PLAIN % (port, True))
    wait_until(lambda: plain.value("inst.is_up()"))
    theirs = f"http://localhost:{port}/dtale/data/1?ids=%5B%220-1%22%5D"
    assert request(theirs, host="127.0.0.1").json()["results"]["0"]["a"] == 7
    # They go on together at the next one, and their state is kept.
    wait_until(lambda: all(one.status()["ports"] == [port + 1] for one in two))
    assert [shown_at(url_of(one)) for one in two] == [1, 2]
    plain.kill()
    wait_until(lambda: all(one.status()["port"] == port for one in two))
    assert [shown_at(url_of(one)) for one in two] == [1, 2]
