"""A kernel with the magics, as the tests of what is typed use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.plain_http import data_url, request

if TYPE_CHECKING:
    from tests.support.kernels import Kernel, Result

MAKE = """
import pandas as pd, numpy as np
df = pd.DataFrame({"a": [3, 1, 2], "zip": ["12345", "1234", "x"], "k": ["p", "q", "q"]})
"""


def prepare(kernel: Kernel) -> Kernel:
    kernel.run("%load_ext dtale_magics")
    kernel.run(MAKE)
    kernel.run("%dtale df")
    kernel.run("%dtale --drop all")
    return kernel


def rows_of(kernel: Kernel, name: str) -> list[dict[str, Any]]:
    """What the grid of a frame has, row by row; of several of that name, the last one shown."""
    frames = [one for one in kernel.status()["frames"] if one["name"] == name]
    assert frames, [one["name"] for one in kernel.status()["frames"]]
    results = request(data_url(frames[-1]["url"])).json()["results"]
    rows = [results[index] for index in sorted(results, key=int)]
    return [{key: one for key, one in row.items() if key != "dtale_index"} for row in rows]


def last_shown(kernel: Kernel, code: str) -> tuple[str, list[dict[str, Any]]]:
    """Run `code` after all frames were dropped, and return the one frame that it shows."""
    kernel.run("%dtale --drop all")
    kernel.run(code)
    frames = kernel.status()["frames"]
    assert len(frames) == 1, [one["name"] for one in frames]
    return frames[0]["name"], rows_of(kernel, frames[0]["name"])


def refusal(kernel: Kernel, code: str) -> str:
    """Run `code`, which fails with a few lines and no traceback, and return these."""
    shown: Result = kernel.run(code, ok=False)
    assert shown.error is not None, f"{code} raised nothing: {shown.text}"
    assert "Traceback" not in shown.traceback, shown.traceback
    assert len(shown.traceback.splitlines()) <= 3, shown.traceback
    return f"{shown.error}: {shown.traceback}"
