from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import shown as shown_module

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def show() -> Iterator[shown_module.Shown]:
    """Show an object in D-Tale, in this process."""
    yield from shown_module.showing()
