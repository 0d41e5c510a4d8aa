"""What grows with the notebooks of a pod and the panels of a notebook: ours beside less of ours."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.idle import WATCH, cpu_in_a_minute
from benchmarks.notebooks import MAGIC, Notebook, notebook, numbers
from benchmarks.rows import Row, Sample
from benchmarks.takeovers import TAKE, back_and_forth, contenders
from tests.support.kernels import Kernel
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Plan

_FEW, _MANY = 2, 6
_PANELS = 20

_SHOW = "get_ipython().run_line_magic('dtale', 'df')"
_COMPUTE = """
import threading
def compute():
    while True: sum(range(1000))
threading.Thread(target=compute, daemon=True).start()
"""


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


def siblings(plan: Plan) -> Iterator[Row]:
    """Show a frame beside notebooks that compute: with the extension in them, and without.

    They take the same part of the processors in both cases, so that the ratio is what it costs that
    they are siblings.
    """
    with PortClaims() as claims, ExitStack() as stack:
        ports = claims.take()
        kernels = [stack.enter_context(Kernel(ports)).start() for _ in range(1 + _MANY)]
        one, *others = (Notebook(kernel, MAGIC) for kernel in kernels)
        one.load()
        one.run("import pandas as pd; df = pd.DataFrame({'a': [1, 2, 3]})")
        one.run(_SHOW)
        for other in others:
            other.run(_COMPUTE)
        rounds = plan.rounds(15)
        found = [[1000 * one.seconds_of(_SHOW) for _ in range(rounds)]]
        for other in others:
            other.load()
            other.run("from dtale_magics import session; session.current().ensure()")
        found.append([1000 * one.seconds_of(_SHOW) for _ in range(rounds)])
    alone, beside = found
    name = f"%dtale df beside {_MANY} computing notebooks with the extension"
    yield Row(name, "ms", Sample.of(beside), Sample.of(alone), 1.2, beside="without")
