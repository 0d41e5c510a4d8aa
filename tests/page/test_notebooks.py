from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dtale_magics.page.notebooks import Notebooks, OwnReport
from dtale_magics.state import FrameInfo

PORT = 1  # where nobody is in front


def report(label: str, **more: Any) -> dict[str, Any]:
    return {
        "owner": f"owner of {label}",
        "pid": 1,
        "ports": [PORT],
        "label": label,
        "slug": f"{label}-slug",
        "open_access": False,
        "frames": [],
        "responding": True,
        **more,
    }


def test_readers_who_ask_together_ask_the_siblings_once() -> None:
    asked: list[int] = []
    begun = threading.Event()

    def siblings() -> list[Any]:
        begun.set()
        time.sleep(0.05)
        asked.append(threading.get_ident())
        return [report("b.ipynb")]

    notebooks = Notebooks(lambda: report("a.ipynb"), siblings)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: notebooks.listing(PORT), range(16)))
    assert begun.is_set()
    assert len(asked) == 1
    assert [[one["label"] for one in listing] for listing in found] == [["a.ipynb", "b.ipynb"]] * 16


def test_what_is_known_gets_old() -> None:
    names = iter(["b.ipynb", "c.ipynb"])
    notebooks = Notebooks(lambda: report("a.ipynb"), lambda: [report(next(names))])
    first = notebooks.listing(PORT)
    deadline = time.monotonic() + 20
    while notebooks.listing(PORT) == first:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_a_link_one_sees_open_notebooks_alone() -> None:
    silent = {"owner": "x", "label": "process 7", "pid": 7, "ports": [], "frames": []}
    others = [report("open.ipynb", open_access=True), {**silent, "responding": False}]
    notebooks = Notebooks(lambda: report("closed.ipynb"), lambda: others)
    assert [one["label"] for one in notebooks.listing(PORT, open_only=True)] == ["open.ipynb"]
    (_, _, last) = notebooks.listing(PORT)
    assert (last["label"], last["slug"], last["responding"]) == ("process 7", None, False)


def test_a_kernel_asks_for_its_name_now_and_then_only() -> None:
    asked: list[str] = []
    frame = FrameInfo("df", "1", 3, 2, "http://x", shown=4)

    def label() -> str:
        asked.append("")
        return "train.ipynb"

    own = OwnReport(label, lambda: {**report(""), "frames": (frame,) * 1000})
    reports = [own() for _ in range(10)]
    assert len(asked) == 1
    assert reports[0]["label"] == "train.ipynb"
    assert len(reports[0]["frames"]) == 300
    shown = {"id": "1", "name": "df", "rows": 3, "columns": 2, "shown": 4}
    assert reports[0]["frames"][0] == shown
