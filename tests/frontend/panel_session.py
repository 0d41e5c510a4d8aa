"""A session that does as the test tells it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dtale_magics.frames import Frames
from dtale_magics.news import Event
from dtale_magics.outcome import Free, Outcome
from dtale_magics.reach.reachability import Reachability
from dtale_magics.settings import PortRange, Settings
from dtale_magics.state import Audience, FrameInfo, Status

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable


class FakeFrames(Frames):
    """No frames, whatever D-Tale has in the process of the tests."""

    def __init__(self) -> None:
        """Need nothing of a session."""

    def all(self) -> tuple[FrameInfo, ...]:
        return ()

    def head(self, frame: FrameInfo, rows: int) -> Any:
        del frame, rows

    def why_gone(self, data_id: str) -> str:
        del data_id
        return ""


class FakeSession:
    slug = "secret"
    owner = "me"
    port: int | None = 40001
    ports: tuple[int, ...] = (40001,)

    def __init__(self) -> None:
        self.on_use: Callable[[], None] = lambda: None
        self.is_watched: Callable[[], bool] = lambda: False
        self.outcome: Outcome | Exception = Free(40000)
        self.broken: Exception | None = None
        self.gate: threading.Event | None = None
        self.range = PortRange(40000, 40009)
        self.holds = False
        self.calls: list[str] = []
        self.subscribers: list[Callable[[], None]] = []
        self._events: list[Event] = []
        self.controller: Any = None
        self.reach = Reachability(self)
        self.frames: Frames = FakeFrames()

    base_url: str | None = "http://127.0.0.1:40001/secret"
    public_url = base_url

    def option(self, name: str) -> Any:
        del name

    def page_capability(self) -> str:
        return ""

    def audience(self) -> Audience:
        return Audience.INGRESS

    def tell_siblings(self) -> None:
        self.calls.append("tell")

    def settings(self) -> Settings:
        return Settings(self.range, 40000)

    def status(self) -> Status:
        if self.broken:
            raise self.broken
        return Status(
            self.owner,
            "eda.ipynb",
            1,
            self.range,
            self.port,
            self.ports,
            None,
            40000,
            holds_ingress=self.holds,
            ingress_holder=None,
            frames=(),
        )

    def status_here(self) -> Status:
        return self.status()

    def kernels(self) -> list[dict[str, Any]]:
        return []

    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def take_over(self, port: int | None = None) -> Outcome:
        del port
        return self._act("take")

    def release(self, port: int | None = None) -> Outcome:
        del port
        return self._act("release")

    def set_range(self, chosen: PortRange | None) -> None:
        self.range = chosen or PortRange(40000, 40009)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.subscribers.append(callback)
        return lambda: self.subscribers.remove(callback)

    def happen(self, text: str) -> None:
        self._events.append(Event(time.time(), text))
        for subscriber in self.subscribers:
            subscriber()

    def _act(self, name: str) -> Outcome:
        self.calls.append(name)
        if self.gate is not None:
            assert self.gate.wait(10)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        self.holds = self.outcome.ours
        return self.outcome
