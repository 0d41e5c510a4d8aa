"""The notebooks of the pod and their frames, as the page shows them.

Each sibling is asked once, however many readers there are: those who ask while others wait, or
shortly afterwards, get the same answer.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from dtale_magics.pod import front, peers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPORT = "shown"
"""Name of the report that siblings give about themselves for this."""

_FRESH_SECONDS = 0.4
"""How long an answer is reused for those who ask next; a page asks every 0.7 seconds."""

_MAX_FRAMES = 300
"""Maximum number of frames per notebook, because messages between kernels have a maximum size."""

_LABEL_SECONDS = 5.0


class OwnReport:
    """What this kernel says about itself, to its own page and to those of its siblings.

    Parameters
    ----------
    label
        Returns what the user calls this kernel; it may ask the Jupyter server.
    state
        Returns the rest: ``owner``, ``pid``, ``ports``, ``slug``, ``open_access`` and ``frames``.
    """

    def __init__(self, label: Callable[[], str], state: Callable[[], dict[str, Any]]) -> None:
        self._ask_label = label
        self._state = state
        self._label = ""
        self._label_until = 0.0

    def __call__(self) -> dict[str, Any]:
        """Make the report."""
        state = self._state()
        if time.monotonic() > self._label_until:
            self._label = self._ask_label()
            self._label_until = time.monotonic() + _LABEL_SECONDS
        frames = [
            {
                "id": one.data_id,
                "name": one.name,
                "rows": one.rows,
                "columns": one.columns,
                "shown": one.shown,
            }
            for one in state["frames"][-_MAX_FRAMES:]
        ]
        return {**state, "label": self._label, "frames": frames}


class Notebooks:
    """All notebooks of the pod.

    Parameters
    ----------
    own
        This kernel's own report.
    siblings
        Returns the reports of the others.
    """

    def __init__(
        self,
        own: Callable[[], dict[str, Any]],
        siblings: Callable[[], list[Any]] = lambda: peers.statuses(what=REPORT),
    ) -> None:
        self._own = own
        self._siblings = siblings
        self._lock = threading.Lock()
        self._reports: list[dict[str, Any]] = []
        self._until = 0.0

    def listing(self, port: int, *, open_only: bool = False) -> list[dict[str, Any]]:
        """List the notebooks, by their names.

        Parameters
        ----------
        port
            The port that the reader uses, to tell which notebook is in front there.
        open_only
            Whether to leave out notebooks that show nothing without their link.
        """
        place = front.in_front(port)
        owner = None if place is None else place.owner
        reports = [one for one in self._all() if one.get("open_access") or not open_only]
        return [_entry(one, owner) for one in reports]

    def _all(self) -> list[dict[str, Any]]:
        with self._lock:
            if time.monotonic() > self._until:
                found = [{**self._own(), "responding": True}, *self._siblings()]
                self._reports = sorted(found, key=_order)
                self._until = time.monotonic() + _FRESH_SECONDS
            return self._reports


def _order(report: Mapping[str, Any]) -> tuple[str, int, str]:
    return report["label"].lower(), report["pid"], report["owner"]


def _entry(report: Mapping[str, Any], in_front: str | None) -> dict[str, Any]:
    return {
        "owner": report["owner"],
        "label": report["label"],
        "slug": report.get("slug"),
        "front": report["owner"] == in_front,
        "responding": report["responding"],
        "frames": report["frames"],
    }
