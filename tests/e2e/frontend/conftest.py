from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.frontend.typed_kernel import prepare

if TYPE_CHECKING:
    from tests.support.kernels import Kernel


@pytest.fixture(scope="module")
def kernel(shared_kernel: Kernel) -> Kernel:
    """One kernel for the tests of a module, which leave `df` as it was."""
    return prepare(shared_kernel.renew())
