"""Wait for what becomes true after a while: `wait_until`, the one way of the tests to do so."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

NOT_YET = (OSError, http.client.HTTPException)
"""What a server raises in a client that asks too early."""


def wait_until(  # noqa: PLR0913 (by keyword)
    condition: Callable[[], T | None],
    seconds: float = 30.0,
    *,
    explain: Callable[[], object] = lambda: "",
    not_yet: type[Exception] | tuple[type[Exception], ...] = NOT_YET,
    pause: Callable[[float], object] = time.sleep,
    every: float = 0.02,
) -> T:
    """Ask again and again until the answer is true, and return it.

    Parameters
    ----------
    condition
        Asks once.
    seconds
        How long to ask; after that, an AssertionError says what `explain` returns.
    explain
        Tells what a reader of the failure should know, such as a log.
    not_yet
        Exceptions of `condition` that mean the same as an answer that is false.
    pause, every
        How to wait between two questions, and for how many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        failure: Exception | None = None
        try:
            if answer := condition():
                return answer
        except not_yet as error:
            failure = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s\n{explain()}") from failure
        pause(every)
