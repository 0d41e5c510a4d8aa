"""What grows with the notebooks of a pod and the panels of a notebook: ours beside less of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.idle import WATCH, cpu_in_a_minute
from benchmarks.notebooks import MAGIC, notebook, numbers
from benchmarks.rows import Row, Sample
from benchmarks.takeovers import TAKE, back_and_forth, contenders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Plan

_FEW, _MANY = 2, 6
_PANELS = 20


def growth(plan: Plan) -> Iterator[Row]:
    takeovers, lists = [], []
    for count in (_FEW, _MANY):
        with contenders(MAGIC, count) as (notebooks, port):
            last_two = notebooks[-2:]
            takeovers.append(back_and_forth(last_two, port, TAKE, plan.rounds(20)).times)
            seconds = [last_two[0].seconds_of("%dtale --list") for _ in range(plan.rounds(10))]
            lists.append([1000 * one for one in seconds])
    for what, (few, many) in (("takeover idle", takeovers), ("%dtale --list", lists)):
        row = f"{what}, {_MANY} notebooks in the pod"
        yield Row(row, "ms", Sample.of(many), Sample.of(few), beside=str(_FEW))
    with notebook(MAGIC) as one:
        one.load()
        one.run(f"import numpy as np, pandas as pd\n{numbers(1000)}")
        used = []
        for more in (1, _PANELS - 1):
            one.run(f"for _ in range({more}):\n    get_ipython().run_line_magic('dtale', 'df')")
            one.run(WATCH.format(count=more))
            used += cpu_in_a_minute([one.kernel.pid], 3 if plan.quick else 10)
    first, all_of_them = used
    yield Row(
        f"CPU of an idle kernel in a minute, {_PANELS} panels",
        "ms",
        Sample.of([all_of_them]),
        Sample.of([first]),
        beside="1",
    )
