"""Notebooks beside each other: real kernels, on the machine as it is and in a pod.

A crowd of eight kernels is started at the same instant, once for each place, and shows its data as
soon as it can. Between the rounds that follow it is kept: ``%dtale --stop`` gives the port up, so
that every round reserves, serves and shows anew, and only what takes seconds and has nothing to do
with ports (``import dtale``) is not done again. All kernels of a round run ``%dtale`` at the same
moment of the clock.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support import plain_http, pods
from tests.support.kernels import Kernel, Result
from tests.support.pods import Pod
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.kernels import StartKernel

SIZE = 8
ROUNDS = 20


class Crowd:
    """Kernels that share a range of ports, each with data of its own."""

    def __init__(self, kernels: Sequence[Kernel], ports: range, pod: Pod | None) -> None:
        self.kernels = kernels
        self.ports = ports
        self.pod = pod
        self._round = 0

    def stop(self) -> None:
        """Let every kernel give up its port."""
        _finish_all(self.kernels, ["%dtale --stop"] * len(self.kernels))

    def show(self, kernels: Sequence[Kernel], *, at_once: bool = True) -> None:
        """Let `kernels` show their data at the same instant, and see what each one shows."""
        self._round += 1
        at = time.time() + 0.2 if at_once else 0.0
        codes = [
            "import time, pandas as pd\n"
            f"df = pd.DataFrame({{'kernel': [{number}] * 3, 'round': {self._round}}})\n"
            f"time.sleep(max(0.0, {at!r} - time.time()))\n"
            "%dtale df"
            for number in range(len(kernels))
        ]
        results = _finish_all(kernels, codes)
        statuses = [kernel.status() for kernel in kernels]
        assert {status["port"] for status in statuses} == {self.ports[0]}, "all share it"
        assert len({status["url"] for status in statuses}) == len(kernels)
        for number, (result, status) in enumerate(zip(results, statuses, strict=True)):
            self._check(number, result, status)

    def _check(self, number: int, result: Result, status: dict[str, Any]) -> None:
        (frame,) = status["frames"]
        assert frame["name"] == "df"
        assert frame["url"].startswith(status["url"])
        assert "df: 3 rows × 2 columns" in result.text
        hosts = ["127.0.0.1"] if self.pod is None else ["127.0.0.1", self.pod.address]
        for host in hosts:
            rows = plain_http.grid(frame["url"], pod=self.pod, host=host)
            assert [row["kernel"] for row in rows] == [number] * 3
            assert [row["round"] for row in rows] == [self._round] * 3


def _finish_all(kernels: Sequence[Kernel], codes: Sequence[str]) -> list[Result]:
    """Run a cell in every kernel at the same time."""
    sent = [kernel.send(code) for kernel, code in zip(kernels, codes, strict=True)]
    return [
        kernel.finish(message, timeout=120) for kernel, message in zip(kernels, sent, strict=True)
    ]


@pytest.fixture(scope="class")
def crowd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crowd]:
    """Eight kernels that were started at the same instant."""
    with ExitStack() as stack:
        ports = stack.enter_context(PortClaims()).take()
        pod = None
        if request.cls.in_pod:
            if reason := pods.reason_against():
                pytest.skip(reason)
            pod = stack.enter_context(Pod(tmp_path_factory.mktemp("pod")))
        kernels = [
            stack.enter_context(Kernel(ports, pod=pod, notebook=f"notebook {number}.ipynb"))
            for number in range(SIZE)
        ]
        for kernel in kernels:
            kernel.launch()
        for kernel in kernels:
            kernel.wait_until_ready()
        _finish_all(kernels, ["%load_ext dtale_magics"] * SIZE)
        crowd = Crowd(kernels, ports, pod)
        crowd.show(kernels, at_once=False)  # as soon as each has imported D-Tale
        yield crowd


@pytest.mark.timeout(400)
class RoundsOfKernels:
    in_pod = False

    def test_two_kernels_at_the_same_instant_each_show_their_own_data(self, crowd: Crowd) -> None:
        for _ in range(ROUNDS):
            crowd.stop()
            crowd.show(crowd.kernels[:2])

    def test_eight_kernels_at_the_same_instant_each_show_their_own_data(self, crowd: Crowd) -> None:
        for _ in range(ROUNDS):
            crowd.stop()
            crowd.show(crowd.kernels)


class TestOnTheMachine(RoundsOfKernels):
    pass


class TestInAPod(RoundsOfKernels):
    in_pod = True


def _show(kernel: Kernel, marker: str, name: str = "df") -> dict[str, Any]:
    """Show a frame that holds `marker` and return the kernel's status."""
    kernel.run("%load_ext dtale_magics" if not kernel.value("'dtale' in dir()") else "")
    kernel.run(f"import pandas as pd\n{name} = pd.DataFrame({{'marker': ['{marker}'] * 3}})")
    kernel.run(f"%dtale {name}")
    return kernel.status()


def _markers(status: dict[str, Any], pod: Pod | None = None) -> list[str]:
    return [plain_http.grid(frame["url"], pod=pod)[0]["marker"] for frame in status["frames"]]


def test_a_killed_and_restarted_kernel_gets_its_port_back(
    place: Pod | None, start_kernel: StartKernel
) -> None:
    kernel, neighbour = start_kernel(pod=place), start_kernel(pod=place)
    before = _show(kernel, "before")
    beside = _show(neighbour, "beside")
    assert beside["port"] == before["port"]
    assert _markers(before, place) == ["before"]  # and its port has a connection in TIME_WAIT now
    kernel.kill()
    kernel.restart()
    after = _show(kernel, "after")
    assert after["port"] == before["port"]
    assert _markers(after, place) == ["after"]
    assert _markers(beside, place) == ["beside"]
    # The tab from before the restart does not pass new data off as old.
    assert plain_http.request(before["frames"][0]["url"], pod=place).status == 404


def test_stale_tabs_of_two_kernels_never_show_each_others_data(
    ports: range, start_kernel: StartKernel
) -> None:
    alpha, beta = start_kernel(), start_kernel()
    tab_a, tab_b = _show(alpha, "alpha-data"), _show(beta, "beta-data")
    assert [frame["data_id"] for frame in tab_a["frames"]] == [
        frame["data_id"] for frame in tab_b["frames"]
    ]  # D-Tale's own paths would be the same
    for here, other in ((tab_a, tab_b), (tab_b, tab_a)):
        assert here["port"] == other["port"]
        assert _markers(here) == [f"{'alpha' if here is tab_a else 'beta'}-data"]
    alpha.run("%dtale --stop")
    _check_dead(tab_a)
    assert _markers(tab_b) == ["beta-data"]
    alpha.run(f"%dtale_port {ports[5]}")
    assert _markers(alpha.status()) == ["alpha-data"]
    assert _markers(tab_a) == ["alpha-data"], "whoever has the port knows whose link that is"
    alpha.kill()
    _check_dead(tab_a)
    assert _markers(tab_b) == ["beta-data"]
    # D-Tale's paths without the capability give out nothing either.
    for path in ("/dtale/main/1", "/dtale/data/1?ids=[%220-5%22]", "/dtale/processes", "/"):
        answer = plain_http.request(f"http://127.0.0.1:{tab_a['port']}{path}")
        assert answer.status == 404
        assert "-data" not in answer.text


def _on_port(status: dict[str, Any], port: int) -> dict[str, Any]:
    """Status with its links moved to another port."""
    here, there = f":{status['port']}/", f":{port}/"
    frames = [{**one, "url": one["url"].replace(here, there)} for one in status["frames"]]
    return {**status, "url": status["url"].replace(here, there), "frames": frames}


def _check_dead(status: dict[str, Any]) -> None:
    for frame in status["frames"]:
        urls = [frame["url"], plain_http.data_url(frame["url"]), status["url"]]
        for url in [*urls, f"{status['url']}dtale/iframe/{frame['data_id']}"]:
            answer = plain_http.request(url)
            assert answer.status == 404, url
            assert "-data" not in answer.text


def test_plain_dtale_show_beside_the_magic_uses_the_same_server(
    start_kernel: StartKernel,
) -> None:
    kernel = start_kernel()
    _show(kernel, "magic")
    kernel.run("import dtale\nplain = dtale.show(pd.DataFrame({'marker': ['plain'] * 3}))")
    status = kernel.status()
    assert sorted(_markers(status)) == ["magic", "plain"]
    assert kernel.value("plain.build_main_url()") in [frame["url"] for frame in status["frames"]]
    assert _listening(kernel) == {status["port"]}


def test_plain_dtale_show_before_the_magic_uses_the_same_server(
    ports: range, start_kernel: StartKernel
) -> None:
    kernel = start_kernel()
    kernel.run("%load_ext dtale_magics")
    kernel.run(
        "import dtale, pandas as pd\nplain = dtale.show(pd.DataFrame({'marker': ['plain'] * 3}))"
    )
    assert kernel.status()["port"] == ports[0]
    status = _show(kernel, "magic")
    assert sorted(_markers(status)) == ["magic", "plain"]
    assert _listening(kernel) == {ports[0]}


@pytest.mark.parametrize(
    "statement", ["import dtale", "from dtale.app import show", "import dtale.views"]
)
def test_a_cell_may_import_dtale_while_that_goes_on_in_the_background(
    ports: range, start_kernel: StartKernel, statement: str
) -> None:
    kernel = start_kernel()
    kernel.run("%load_ext dtale_magics")
    kernel.run(f"{statement}\nimport dtale, pandas as pd\ndtale.show(pd.DataFrame({{'a': [1]}}))")
    assert _show(kernel, "magic")["port"] == ports[0]
    assert _listening(kernel) == {ports[0]}


def test_two_kernels_with_plain_dtale_show_in_a_pod_each_show_their_own(
    pod: Pod, start_kernel: StartKernel
) -> None:
    """What goes wrong without this package (man-group/dtale#853)."""
    kernels = [start_kernel(pod=pod) for _ in range(2)]
    for number, kernel in enumerate(kernels):
        kernel.run("%load_ext dtale_magics")
        kernel.run(
            "import dtale, pandas as pd\n"
            f"plain = dtale.show(pd.DataFrame({{'marker': ['{number}'] * 3}}))"
        )
    for number, kernel in enumerate(kernels):
        url = kernel.value("plain.build_main_url()")
        assert plain_http.grid(url, pod=pod)[0]["marker"] == str(number)


def test_showing_a_variable_again_updates_its_frame_in_place(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    first = _show(kernel, "old")
    again = kernel.run("df = pd.DataFrame({'marker': ['new'] * 3})\n%dtale df")
    status = kernel.status()
    assert [frame["url"] for frame in status["frames"]] == [first["frames"][0]["url"]]
    assert _markers(status) == ["new"]
    assert "duplicate" not in again.text.lower()


def _listening(kernel: Kernel) -> set[int]:
    """Ports of the kernel's range on which its process listens (its debugger has another)."""
    return {
        connection.laddr.port
        for connection in psutil.Process(kernel.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in kernel.ports
    }
