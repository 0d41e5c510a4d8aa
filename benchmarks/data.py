"""Large frames and kinds of columns: the first show, a filter, and what they take in memory."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil

from benchmarks.notebooks import (
    KINDS,
    MAGIC,
    PLAIN,
    SideBySide,
    mixed,
    notebook,
    numbers,
    one_of_each,
    turns,
)
from benchmarks.rows import Row, Sample
from tests.support import plain_http

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Kind, Notebook, Plan

_LARGE_SECONDS = 900.0
"""How long plain D-Tale may take for ten million rows on a busy machine."""

_COLUMNS = {
    "floats": "random.random(n)",
    "whole numbers": "random.integers(0, 10**9, n)",
    "whole numbers with gaps": "pd.array(random.integers(0, 99, n)).astype('Int64')",
    "floats of four bytes": "random.random(n, dtype='f4')",
    "dates": "pd.Timestamp('2020') + pd.to_timedelta(random.integers(0, 10**8, n), unit='s')",
    "dates with a zone": (
        "(pd.Timestamp('2020', tz='Europe/Berlin')"
        " + pd.to_timedelta(random.integers(0, 10**8, n), unit='s'))"
    ),
    "durations": "pd.to_timedelta(random.integers(0, 10**8, n), unit='s')",
    "text": "random.integers(0, 10**5, n).astype(str)",
    "categories": "pd.Categorical(random.choice(['a', 'b', 'c'], n))",
    "truth values": "random.random(n) > 0.5",
    "decimals": (
        "pd.Series([__import__('decimal').Decimal(i) for i in range(1000)] * (n // 1000))"
    ),
}
"""A column of `n` values of each kind."""

_POLARS = """
import polars as pl
df = pl.DataFrame({f"c{i}": np.random.default_rng(i).random(1_000_000) for i in range(10)})
"""


def sizes(plan: Plan) -> Iterator[Row]:
    """Mixed columns and numbers: the first show of a kernel that is warm, and a filter change."""
    cases = (
        ("1e6 rows x 10, mixed", mixed(10**6), "number0", 3, 0.12, 0.1),
        ("1e6 rows x 10, numbers", numbers(10**6), "c0", 5, 0.6, None),
        ("1e7 rows x 10, mixed", mixed(10**7), "number0", 1, 0.12, 0.1),
    )
    for name, code, column, rounds, goal, filter_goal in cases[: 2 if plan.quick else 3]:
        shown, filtered = SideBySide(), SideBySide()
        for kinds in turns(plan.rounds(rounds)):
            for kind in kinds:
                with notebook(kind) as one:
                    one.load()
                    one.run("import numpy as np, pandas as pd\nsmall = pd.DataFrame({'a': [1]})")
                    one.show("small")
                    one.kernel.run(code, _LARGE_SECONDS)
                    shown[kind].append(_seconds_to_show(one))
                    filtered[kind].append(_seconds_to_filter(one, column))
        yield shown.row(f"first show of {name}", "s", goal)
        yield filtered.row(f"filter change, {name}", "s", filter_goal)


def kinds(plan: Plan) -> Iterator[Row]:
    """One column of a million values of each kind."""
    with one_of_each("small = pd.DataFrame({'a': [1]})") as both:
        for one in both.values():
            one.show("small")
        for what, code in _COLUMNS.items():
            found = SideBySide()
            for one in both.values():
                one.run(f"n, random = 10**6, np.random.default_rng(1)\nmade = {code}")
            for number, kinds in enumerate(turns(plan.rounds(3))):
                for kind in kinds:
                    name = f"df{number}"
                    both[kind].run(f"{name} = pd.DataFrame({{'v': made}})")
                    found[kind].append(both[kind].seconds_to_data(name))
                    both[kind].run(_FORGET[kind].format(name=name))
            yield found.row(f"first show of 1e6 {what}", "s", 1.05)


_FORGET = {
    MAGIC: "get_ipython().run_line_magic('dtale', '--drop {name}'); del {name}",
    PLAIN: "inst.cleanup(); del inst, {name}",
}


def memory(plan: Plan) -> Iterator[Row]:
    """What a shown frame adds to the kernel, beside the bytes of its values."""
    grown = SideBySide()
    for kind in KINDS:
        for _ in range(plan.rounds(2)):
            grown[kind].append(_growth(kind, numbers(10**6)))
    yield grown.row("memory that showing 1e6 x 10 numbers adds (80 MB of values)", "MB", 1.1)
    ours = [_growth(MAGIC, _POLARS) for _ in range(plan.rounds(2))]
    plain = [_growth(PLAIN, _POLARS, "df = df.to_pandas()") for _ in range(plan.rounds(2))]
    yield Row(
        "the same of a polars frame",
        "MB",
        Sample.of(ours),
        Sample.of(plain),
        beside="df.to_pandas() and plain D-Tale",
    )


def _growth(kind: Kind, code: str, conversion: str = "") -> float:
    """Return how many megabytes a kernel grows by: by `conversion`, if it has to be, and a show."""
    with notebook(kind) as one:
        one.load()
        one.run("import numpy as np, pandas as pd\nsmall = pd.DataFrame({'a': [1]})")
        one.show("small")
        process = psutil.Process(one.kernel.pid)
        one.run(code)
        before = _uss(process)
        one.run(conversion)
        one.show("df")
        return _uss(process) - before


def _uss(process: psutil.Process) -> float:
    time.sleep(1)
    return float(process.memory_full_info().uss) / 2**20


def _seconds_to_show(one: Notebook) -> float:
    began = time.perf_counter()
    one.kernel.run(one.kind.show.format(name="df"), _LARGE_SECONDS)
    took = time.perf_counter() - began
    url = one.url("df")
    began = time.perf_counter()
    plain_http.grid(url, "0-55", timeout=_LARGE_SECONDS)
    return took + time.perf_counter() - began


def _seconds_to_filter(one: Notebook, column: str) -> float:
    """Set a filter as the page does: save it, describe the rows that are left, get the first."""
    url = one.url("df")
    config = quote(json.dumps({"type": "float", "value": "0.5", "operand": ">"}))
    began = time.perf_counter()
    for path in (
        f"save-column-filter/{{}}?col={column}&cfg={config}",
        "load-filtered-ranges/{}",
    ):
        base, _, data_id = url.partition("/main/")
        answer = plain_http.request(f"{base}/{path.format(data_id)}", timeout=_LARGE_SECONDS)
        assert answer.status == 200, answer.text[:500]
        assert '"error"' not in answer.text[:500], answer.text[:500]
    plain_http.grid(url, "0-55", timeout=_LARGE_SECONDS)
    return time.perf_counter() - began
