"""D-Tale in the process of the tests, with the extension's functions in the place of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import dtale.app  # noqa: F401 (what is imported is changed at once)

from dtale_magics.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dtale_magics.viewer.viewer import Viewer


@contextmanager
def viewer() -> Iterator[Viewer]:
    """Give a viewer; its frames are dropped afterwards, and D-Tale is put back as it was."""
    session = Session()
    session._plain_show.install()
    try:
        yield session.frames.viewer
    finally:
        session.frames.drop("all")
        session._plain_show.uninstall()
        session.stop()
