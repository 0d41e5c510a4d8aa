"""A takeover of the front, beside plain D-Tale's ``force=True``."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.load import Load
from benchmarks.notebooks import MAGIC, PLAIN, Notebook
from benchmarks.rows import Row, Sample, percentile
from tests.support.kernels import Kernel
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Kind, Plan

_CLIENTS, _RATE = 8, 200.0
_REST_SECONDS = 0.5
"""Between takeovers, so that what follows the one before is over: the others are told."""

_COMMON = """
import socket, time, dtale, pandas as pd
df = pd.DataFrame({"a": [MARK]})

def get(port, path):
    host = dtale.app.ACTIVE_HOST or "localhost"
    with socket.create_connection((host, port), 10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received

def seconds_until_own(take, is_own):
    began = time.perf_counter()
    answer = take()
    while time.perf_counter() < began + 60:
        try:
            if is_own(answer):
                return time.perf_counter() - began
        except OSError:
            pass
        time.sleep(0.0005)
    raise TimeoutError

def force():
    return dtale.show(df, port=PORT, force=True)

def is_own_data(shown):
    path = shown.build_main_url().split("/", 3)[3].replace("main", "data")
    return b'"a":MARK' in get(PORT, f"/{path}?ids=%5B%220-0%22%5D").replace(b" ", b"")
"""

_OURS = """
import dtale_magics
from dtale_magics import session

def take():
    dtale_magics.take_over(PORT).require()

def is_own_answer(_):
    return session.current().status_here().holds_ingress
"""


TAKE = "take, is_own_answer"
FORCE = "force, is_own_data"
"""What `back_and_forth` may call: ours alone, and what both have."""


class Found(NamedTuple):
    """Takeovers of one kind."""

    times: list[float]
    lost: int
    asked: int

    @property
    def worst(self) -> Sample:
        """The 99th percentile of the times."""
        return Sample.of([percentile(self.times, 99)])


@contextmanager
def contenders(kind: Kind, count: int = 2) -> Iterator[tuple[list[Notebook], int]]:
    """Notebooks that have shown a frame, each, and the port that they want."""
    with ExitStack() as stack:
        ports = stack.enter_context(PortClaims()).take()
        notebooks = []
        for mark in range(count):
            kernel = stack.enter_context(Kernel(ports)).start()
            one = Notebook(kernel, kind)
            one.load()
            code = _COMMON + (_OURS if kind is MAGIC else "")
            one.run(code.replace("PORT", str(ports[0])).replace("MARK", str(11 + mark)))
            notebooks.append(one)
        for one in notebooks:
            one.run(f"seconds_until_own({FORCE})")
        yield notebooks, ports[0]


def back_and_forth(
    both: list[Notebook], port: int, call: str, count: int, rate: float = 0.0
) -> Found:
    """Let the one that has not the port take it, `count` times; the last one took it last."""
    times: list[float] = []

    def go() -> None:
        for _ in range(count):
            time.sleep(_REST_SECONDS)
            both.reverse()
            times.append(float(both[-1].kernel.value(f"seconds_until_own({call})")) * 1000)

    if not rate:
        go()
        return Found(times, 0, 0)
    host = "127.0.0.1" if both[0].kind is MAGIC else both[0].kernel.value("dtale.app.ACTIVE_HOST")
    with Load(f"http://{host}:{port}/", _CLIENTS, rate) as load:
        go()
    return Found(times, load.failures, load.failures + len(load.times))


def takeover(plan: Plan) -> Iterator[Row]:
    idle, busy = (2, 2) if plan.quick else (40, 60)
    with contenders(MAGIC) as (both, port):
        ours = {
            "idle": back_and_forth(both, port, TAKE, idle),
            "under load": back_and_forth(both, port, TAKE, busy, _RATE),
        }
        forced = back_and_forth(both, port, FORCE, plan.rounds(10), _RATE)
    with contenders(PLAIN) as (both, port):
        plain = {
            what: back_and_forth(both, port, FORCE, plan.rounds(8), rate)
            for what, rate in (("idle", 0.0), ("under load", _RATE))
        }
    for what, note, wish in (("idle", "wanted: < 1 ms", ""), ("under load", "", "< 30 ms")):
        mine, theirs = ours[what], plain[what]
        row = f"takeover {what}, until all see who is in front"
        samples = Sample.of(mine.times), Sample.of(theirs.times)
        yield Row(f"{row}, p50", "ms", *samples, 0.01, note=note)
        yield Row(f"{row}, p99", "ms", mine.worst, theirs.worst, wish=wish)
    theirs = plain["under load"]
    yield Row(
        "dtale.show(df, port=…, force=True) under load",
        "ms",
        Sample.of(forced.times),
        Sample.of(theirs.times),
        1.05,
    )
    mine = ours["under load"]
    yield Row(
        "requests lost per takeover",
        "",
        Sample.of([mine.lost / len(mine.times)]),
        Sample.of([theirs.lost / len(theirs.times)]),
        wish="0",
        note=f"{mine.lost} of {mine.asked} in {len(mine.times)} takeovers, "
        f"plain {theirs.lost} of {theirs.asked} in {len(theirs.times)}",
    )
