"""``python -m benchmarks``: measure, print the table, write it as JSON.

The exit code is 1 when a goal that is a ratio was missed, or a group could not be measured.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks import (
    ROOT,
    data,
    growth,
    idle,
    page,
    paint,
    reservations,
    routes,
    sharing,
    shows,
    takeovers,
    throughput,
)
from benchmarks.notebooks import Plan
from benchmarks.rows import HEAD, Row, markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

GROUPS: dict[str, Callable[[Plan], Iterator[Row]]] = {
    "cold": shows.cold,
    "first": shows.first_of_a_kernel,
    "sizes": shows.sizes,
    "large": data.sizes,
    "kinds": data.kinds,
    "memory": data.memory,
    "paint": paint.paint,
    "page": page.page,
    "requests": throughput.requests,
    "guard": throughput.guard,
    "reservation": reservations.reservation,
    "takeover": takeovers.takeover,
    "sharing": sharing.sharing,
    "panel": idle.panel,
    "check": idle.check,
    "growth": growth.growth,
    "siblings": growth.siblings,
    "routes": routes.rows,
}

_PACKAGES = ("dtale", "pandas", "numpy", "flask", "werkzeug", "ipython", "ipykernel")
_WIDTHS = (58, 4, 26, 26, 8, 8, 5, 0)
_DOCUMENT = ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- table -->\n", "<!-- /table -->"


def machine() -> dict[str, str]:
    """What the figures belong to; nothing that names the machine."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    memory = psutil.virtual_memory().total / 2**30
    return {
        "processors": str(os.cpu_count()),
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        **versions,
    }


def measure(names: Sequence[str], plan: Plan) -> tuple[list[Row], list[str]]:
    """Measure groups, printing each row as it comes; return the rows and what failed."""
    rows: list[Row] = []
    failed: list[str] = []
    _print_line(HEAD)
    for name in names:
        began = time.monotonic()
        try:
            for row in GROUPS[name](plan):
                rows.append(row)
                _print_line(row.cells())
        except Exception:  # noqa: BLE001 (the other groups are still worth measuring)
            failed.append(name)
            traceback.print_exc()
        print(f"  [{name}: {time.monotonic() - began:.0f} s]", flush=True)
    return rows, failed


def write_document(rows: Sequence[Row], path: Path = _DOCUMENT) -> None:
    """Put the table between the markers of docs/performance.md."""
    before, _, rest = path.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    where = ", ".join(f"{what} {value}" for what, value in machine().items())
    path.write_text(
        f"{before}{_BEGIN}\nMeasured with {where}.\n\n{markdown(rows)}\n\n{_END}{after}"
    )


def _print_line(cells: Sequence[str]) -> None:
    columns = (cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    print(" ".join(columns).rstrip(), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=GROUPS, help="a group; repeatable")
    parser.add_argument("--quick", action="store_true", help="once each: does it run at all?")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--document", action="store_true", help="renew docs/performance.md")
    given = parser.parse_args()
    rows, failed = measure(given.only or list(GROUPS), Plan(quick=given.quick))
    missed = [row.name for row in rows if row.missed]
    result = {
        "machine": machine(),
        "rows": [row.as_dict() for row in rows],
        "missed": missed,
        "failed": failed,
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(result, indent=1))
    if given.document:
        write_document(rows)
    for name in missed:
        print(f"missed: {name}")
    for name in failed:
        print(f"could not be measured: {name}")
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
