"""One port that notebooks share: ours beside a notebook that has a port alone."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.load import Load
from benchmarks.notebooks import MAGIC, notebook
from benchmarks.rows import Row, Sample, percentile
from tests.support.miniature import MiniatureKernel
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Notebook, Plan

_MANY = 8
_CLIENTS = 8
_SETTLE_SECONDS = 1.5
_GIL_MILLISECONDS = 100


def sharing(plan: Plan) -> Iterator[Row]:
    yield from _of_dtale(plan)
    yield from _of_many(plan)
    yield from _beside_the_gil(plan)


def _of_dtale(plan: Plan) -> Iterator[Row]:
    """Grid requests of a real notebook: alone on a port, accepted by it, passed by a sibling."""
    with ExitStack() as stack:
        ports = stack.enter_context(PortClaims()).take()
        one, other = (stack.enter_context(notebook(MAGIC, ports)) for _ in range(2))
        one.load()
        one.run("import pandas as pd\ndf = pd.DataFrame({'a': range(1000)})\n%dtale df")
        path = one.kernel.status()["frames"][0]["url"].split("/", 3)[3].replace("main", "data")
        url = f"http://127.0.0.1:{{port}}/{path}?ids=%5B%220-55%22%5D"
        rounds = plan.rounds(7)
        alone, accepted, passed = [], [], []
        for _ in range(rounds):
            alone += _p50(url, ports[0], plan)
        other.load()
        other.run("import pandas as pd\ndf = pd.DataFrame({'a': range(1000)})\n%dtale df")
        time.sleep(_SETTLE_SECONDS)
        for _ in range(rounds):
            _let_only(one, (one, other))
            accepted += _p50(url, ports[0], plan)
            _let_only(other, (one, other))
            passed += _p50(url, ports[0], plan)
    for what, times in (("accepted by itself", accepted), ("passed by a sibling", passed)):
        yield Row(
            f"grid request, {what}, p50",
            "ms",
            Sample.of(times),
            Sample.of(alone),
            1.1,
            beside="alone on its port",
        )


def _let_only(idle: Notebook, both: tuple[Notebook, ...]) -> None:
    """Have that one accept: the other says that it runs a cell."""
    for one in both:
        busy = one is not idle
        one.run(f"from dtale_magics import session as s; s.current().is_busy = lambda: {busy}")


def _p50(url: str, port: int, plan: Plan) -> list[float]:
    with Load(url.format(port=port), 1) as load:
        time.sleep(0.3 if plan.quick else 2.0)
    return [1000 * percentile(load.times, 50)]


def _miniatures(stack: ExitStack, first: int, count: int) -> list[MiniatureKernel]:
    """Kernels without D-Tale, which cost nothing but the machinery."""
    found = []
    for number in range(count):
        one = MiniatureKernel(f"k{number}", first)
        stack.callback(one.kill)
        one.wait_until_ready()
        one.do("ensure")
        found.append(one)
    return found


def _of_many(plan: Plan) -> Iterator[Row]:
    with ExitStack() as stack:
        claims = stack.enter_context(PortClaims())
        single, shared = claims.take(), claims.take()
        (alone,) = _miniatures(stack, single[0], 1)
        many = _miniatures(stack, shared[0], _MANY)
        time.sleep(_SETTLE_SECONDS)
        rates: tuple[list[float], list[float]] = ([], [])
        for number in range(plan.rounds(5)):
            one = many[number % _MANY]
            for found, port, kernel in ((rates[0], shared[0], one), (rates[1], single[0], alone)):
                with Load(f"http://127.0.0.1:{port}{kernel.path()}", _CLIENTS) as load:
                    time.sleep(0.3 if plan.quick else 2.0)
                found.append(load.seconds / max(len(load.times), 1) * 1e6)
    yield Row(
        f"time of a request, {_MANY} notebooks on one port, {_CLIENTS} clients",
        "µs",
        Sample.of(rates[0]),
        Sample.of(rates[1]),
        1.0,
        beside="1",
    )


def _beside_the_gil(plan: Plan) -> Iterator[Row]:
    with ExitStack() as stack:
        ports = stack.enter_context(PortClaims()).take()
        holds, *others = _miniatures(stack, ports[0], 4)
        time.sleep(_SETTLE_SECONDS)
        times: tuple[list[float], list[float]] = ([], [])
        seconds = 0.5 if plan.quick else 3.0
        for _ in range(plan.rounds(5)):
            for found, busy in ((times[0], True), (times[1], False)):
                if busy:
                    count = int(seconds * 1000 / _GIL_MILLISECONDS) + 5
                    holds.ask("hold_the_gil", milliseconds=_GIL_MILLISECONDS, times=count)
                    holds.answer()
                with Load(f"http://127.0.0.1:{ports[0]}{others[0].path()}", _CLIENTS) as load:
                    time.sleep(seconds)
                if busy:
                    holds.answer()
                found.append(1000 * percentile(load.times, 99))
    yield Row(
        f"p99 of a request, a sibling holds the GIL for {_GIL_MILLISECONDS} ms at a time",
        "ms",
        Sample.of(times[0]),
        Sample.of(times[1]),
        1.5,
        beside="none does",
    )
