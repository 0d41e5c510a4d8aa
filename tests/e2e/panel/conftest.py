"""A browser, and a Jupyter server to open in it, for each module of the panel's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import open_browser
from tests.support.jupyter import Jupyter
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as one:
        yield one


@pytest.fixture(scope="module")
def jupyter() -> Iterator[Jupyter]:
    with PortClaims() as claims, Jupyter(claims.take()[0], claims.take()) as one:
        yield one
