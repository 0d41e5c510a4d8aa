"""D-Tale in this process, as the extension has it: shows objects, asks what its page asks."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from dtale_magics.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Grid:
    """One frame as its page gets it."""

    client: Any
    data_id: str
    notes: tuple[str, ...]
    instance: Any

    def ask(self, route: str, **arguments: str) -> Any:
        query = urlencode(arguments)
        return self.client.get(f"/dtale/{route}/{self.data_id}?{query}")

    @property
    def data(self) -> Any:
        answer = self.ask("data", ids='["0-99"]').get_json()
        assert "error" not in answer, answer["error"]
        return answer

    @property
    def types(self) -> dict[str, str]:
        return {one["name"]: one["dtype"] for one in self.data["columns"][1:]}

    @property
    def rows(self) -> list[dict[str, Any]]:
        found = self.data["results"]
        return [found[key] for key in sorted(found, key=int)]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    @property
    def table(self) -> dict[str, list[Any]]:
        return {name: self.column(name) for name in self.types}

    def csv(self) -> str:
        text: str = self.ask("data-export", type="csv").get_data(as_text=True)
        return text


class Shown:
    """Shows objects one after the other."""

    def __init__(self, session: Session) -> None:
        self._viewer = session.frames.viewer
        self.assets = session.assets
        self._client = self._viewer.app("").test_client()

    def __call__(
        self, value: Any, name: str = "x", rows: int | None = None, **options: Any
    ) -> Grid:
        instance = self._viewer.show(value, name, options, rows=rows)
        info = next(one for one in self._viewer.shown.frames() if one.data_id == instance._data_id)
        return Grid(self._client, info.data_id, info.notes, instance)


@pytest.fixture(scope="module")
def show() -> Iterator[Shown]:
    """Show an object in D-Tale, in this process.

    D-Tale with the extension's functions in the place of its own; they are put
    back afterwards.
    """
    session = Session()
    session._plain_show.install()
    try:
        import dtale.app  # noqa: F401

        session._plain_show.install()
        yield Shown(session)
    finally:
        session._plain_show.uninstall()
        sys.modules["dtale.global_state"].cleanup()
