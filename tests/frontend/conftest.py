from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.kernels import Kernel
from support.ports import PortClaims
from typed_kernel import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """One kernel for the tests of a module, which leave `df` as it was."""
    with PortClaims() as claims, Kernel(claims.take(), notebook="typed.ipynb") as kernel:
        yield prepare(kernel.start())
