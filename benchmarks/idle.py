"""What costs when nothing happens, and one look at all layers."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.notebooks import KINDS, MAGIC, notebook, numbers, one_of_each
from benchmarks.rows import Row, Sample
from tests.support.kernels import environment, port_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.notebooks import Plan

_SETTLE_SECONDS = 3.0
"""Until what begins with the first panel is over."""

WATCH = """
from dtale_magics.frontend.panel import controller
from dtale_magics import session
unwatch = [controller.of(session.current()).watch(lambda state: None) for _ in range({count})]
"""
"""Panels that somebody looks at."""


def panel(plan: Plan) -> Iterator[Row]:
    """CPU of a kernel with a panel that somebody looks at."""
    seconds = 3 if plan.quick else 60
    with one_of_each(numbers(1000)) as both:
        for one in both.values():
            one.show()
        both[MAGIC].run(WATCH.format(count=1))
        used = cpu_in_a_minute([both[kind].kernel.pid for kind in KINDS], seconds)
    ours, plain = (Sample.of([one]) for one in used)
    note = f"measured over {seconds} s" if plan.quick else ""
    yield Row("CPU of an idle kernel with a panel, in a minute", "ms", ours, plain, note=note)


def cpu_in_a_minute(pids: Sequence[int], seconds: float) -> list[float]:
    """Look at processes at the same time for `seconds`; ms of CPU of each, scaled to a minute."""
    time.sleep(_SETTLE_SECONDS)
    before = [_cpu_seconds(pid) for pid in pids]
    time.sleep(seconds)
    used = [_cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
    return [1000 * cpu * 60 / seconds for cpu in used]


def check(plan: Plan) -> Iterator[Row]:
    """The check of all layers, from its command to its exit."""
    command = [sys.executable, "-m", "dtale_magics", "check", "--json"]
    with notebook(MAGIC) as one, tempfile.TemporaryDirectory() as directory:
        one.load()
        one.run(f"import numpy as np, pandas as pd\n{numbers(1000)}")
        one.run("import dtale; instance = dtale.show(df)")  # no panel
        environ = environment(port_settings(one.kernel.ports), Path(directory))

        def seconds() -> float:
            began = time.perf_counter()
            subprocess.run(
                command, env=environ, capture_output=True, check=False, timeout=60, cwd=directory
            )
            return time.perf_counter() - began

        alone = Sample.of(seconds() for _ in range(plan.rounds(5)))
        one.show()  # with a panel, in no browser
        silent = Sample.of(seconds() for _ in range(plan.rounds(3)))
    yield Row("check of all layers (the command)", "s", alone, wish="< 3 s")
    note = "at most 3 s, and Python's start"
    yield Row("the same, with a page that does not answer", "s", silent, note=note)


def _cpu_seconds(pid: int) -> float:
    """Of all threads, also those that have ended; finer than the 10 ms of ``/proc``."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise ProcessLookupError(error, "no clock", pid)
    return time.clock_gettime(clock.value)
