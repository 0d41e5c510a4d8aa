from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import pods
from tests.support.activity_hub import ActivityHub
from tests.support.kernels import Kernel
from tests.support.miniature import MiniatureKernel
from tests.support.pods import Pod
from tests.support.ports import PortClaims
from tests.support.workers import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.kernels import StartKernel
    from tests.support.miniature import StartMiniature
    from tests.support.workers import StartWorker


@pytest.fixture
def port_claims() -> Iterator[PortClaims]:
    """Ranges of free ports that no other test run uses."""
    with PortClaims() as claims:
        yield claims


@pytest.fixture
def ports(port_claims: PortClaims) -> range:
    """Twenty free ports that are this test's alone."""
    return port_claims.take()


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """A pod-like network namespace; skips the test where there can be none."""
    reason = pods.reason_against()
    if reason is not None:
        pytest.skip(reason)
    with Pod(tmp_path) as one:
        yield one


@pytest.fixture(params=["machine", "pod"])
def place(request: pytest.FixtureRequest) -> Pod | None:
    """Where kernels run: on the machine as it is (None), and in a pod."""
    return request.getfixturevalue("pod") if request.param == "pod" else None


@pytest.fixture
def start_kernel(ports: range) -> Iterator[StartKernel]:
    """Start a kernel, by default with the range `ports`; all end with the test."""
    with ExitStack() as stack:

        def start(own_ports: range | None = None, /, **options: Any) -> Kernel:
            return stack.enter_context(Kernel(own_ports or ports, **options)).start()

        yield start


@pytest.fixture(scope="session")
def shared_kernel() -> Iterator[Kernel]:
    """One kernel for all tests that leave a kernel as good as new; call its `renew` first."""
    with PortClaims() as claims, Kernel(claims.take(), notebook="eda.ipynb") as kernel:
        yield kernel.start()


@pytest.fixture
def port(ports: range) -> int:
    """The first of this test's ports, where kernels look first."""
    return ports[0]


@pytest.fixture
def start_miniature(port: int) -> Iterator[StartMiniature]:
    """Start a kernel in miniature; all end with the test."""
    with ExitStack() as stack:

        def start(name: str, *, ready: bool = True, count: int = 20) -> MiniatureKernel:
            kernel = MiniatureKernel(name, port, count)
            stack.callback(kernel.kill)
            return kernel.wait_until_ready() if ready else kernel

        yield start


@pytest.fixture
def activity_hub() -> Iterator[ActivityHub]:
    """A Hub that hears of activity."""
    with ActivityHub() as one:
        yield one


@pytest.fixture
def start_worker() -> Iterator[StartWorker]:
    """Start a process that reserves ports on demand; all end with the test."""
    with ExitStack() as stack:

        def start(pod: Pod | None = None, prefix: tuple[str, ...] = ()) -> Worker:
            return stack.enter_context(Worker(pod, prefix))

        yield start
