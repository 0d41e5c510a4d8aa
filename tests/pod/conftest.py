from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest
from support.miniature import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.ports import PortClaims


class StartKernel(Protocol):
    def __call__(
        self, name: str, first: int = 0, env: Mapping[str, str] | None = None
    ) -> Kernel: ...


@pytest.fixture
def kernels() -> Iterator[StartKernel]:
    """Start a kernel in miniature; all end with the test."""
    with ExitStack() as stack:

        def start(name: str, first: int = 0, env: Mapping[str, str] | None = None) -> Kernel:
            kernel = Kernel(name, first, env)
            stack.callback(kernel.kill)
            return kernel.wait_until_ready()

        yield start


@pytest.fixture
def port(port_claims: PortClaims) -> int:
    """A free port that is this test's alone."""
    return port_claims.take(1)[0]
