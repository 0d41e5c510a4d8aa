"""Whose a connection is that names several notebooks."""

from __future__ import annotations

from typing import Any

import pytest

from dtale_magics.pod.passing import Passing, inbox_name

ME, SIBLING, GONE = ("a" * 16, "b" * 16, "c" * 16)


class Deaf(Passing):
    """Passes to one sibling, which is all that there is."""

    def _pass(self, connection: Any, name: str) -> bool:
        del connection
        return name == inbox_name(SIBLING)


@pytest.mark.parametrize(
    ("asked", "passed"),
    [
        ([ME, SIBLING], False),
        ([SIBLING, ME], True),  # it is the sibling that is looked for
        ([GONE, SIBLING, ME], True),
        ([GONE, ME, SIBLING], False),
        ([GONE], False),
    ],
)
def test_a_probe_goes_to_the_first_that_it_names(asked: list[str], *, passed: bool) -> None:
    passing = Deaf(lambda name: name == ME)
    head = f"GET /_magics/who/{'.'.join(asked)} HTTP/1.1\r\n\r\n".encode()
    assert passing.route(None, head) is passed  # type: ignore[arg-type] # nothing looks at it
