from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest
from support.miniature import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator


class StartKernel(Protocol):
    def __call__(self, name: str, *, ready: bool = True, count: int = 20) -> Kernel: ...


@pytest.fixture
def port(ports: range) -> int:
    """The first of this test's ports, where kernels in miniature look first."""
    return ports[0]


@pytest.fixture
def kernels(port: int) -> Iterator[StartKernel]:
    """Start a kernel in miniature; all end with the test."""
    with ExitStack() as stack:

        def start(name: str, *, ready: bool = True, count: int = 20) -> Kernel:
            kernel = Kernel(name, port, count)
            stack.callback(kernel.kill)
            return kernel.wait_until_ready() if ready else kernel

        yield start
