"""From the cell to the first data of the grid, and what a kernel weighs afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

from benchmarks.notebooks import KINDS, MAGIC, PLAIN, mixed, notebook, numbers, one_of_each
from benchmarks.rows import Row, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Kind, Plan

_WORK = {
    "of waiting": ("import time; time.sleep({seconds})", 1 / 3, ""),
    "of computing in Python": (
        "import time; end = time.time() + {seconds}\nwhile time.time() < end: sum(range(1000))",
        1.05,
        "wanted: a third, which the GIL does not give",
    ),
}
ONE_MORE = "one listens to clients as D-Tale's does, one to siblings"

_CONTENTS = {"numbers": numbers, "mixed": mixed}


def cold(plan: Plan) -> Iterator[Row]:
    """Fresh kernels: load, do something else for as long as the import takes, show."""
    loading: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    memory: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    threads: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    shows: list[Row] = []
    for _ in range(plan.rounds(3)):
        with notebook(PLAIN) as one:
            loading[PLAIN].append(one.seconds_of(PLAIN.load))
    seconds = Sample.of(loading[PLAIN]).median
    for what, (work, goal, note) in list(_WORK.items())[: plan.rounds(2)]:
        found: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(plan.rounds(3)):
            for kind in KINDS:
                with notebook(kind) as one:
                    if kind is MAGIC:
                        loading[kind].append(one.seconds_of(kind.load))
                    one.run(work.format(seconds=seconds))
                    one.run(f"import numpy as np, pandas as pd\n{numbers(100_000)}")
                    if kind is PLAIN:  # loads D-Tale with its first frame, as its users do
                        one.run("import pandas")
                    found[kind].append(one.seconds_to_data())
                    time.sleep(plan.rounds(2))  # static files are being compressed
                    process = psutil.Process(one.kernel.pid)
                    memory[kind].append(process.memory_full_info().uss / 2**20)
                    threads[kind].append(process.num_threads())
        ours, plain = (Sample.of(found[kind]) for kind in KINDS)
        row = f"cold show of 1e5 rows, after {seconds:.1f} s {what}"
        shows.append(Row(row, "s", ours, plain, goal, note=note))
    ours, plain = (Sample.of(loading[kind]) for kind in KINDS)
    yield Row("%load_ext, beside import dtale", "s", ours, plain, 0.02)
    yield from shows
    ours, plain = (Sample.of(memory[kind]) for kind in KINDS)
    more = f"{ours.median - plain.median:+.1f} MB; wanted: < 10 MB more"
    yield Row("memory at rest (USS)", "MB", ours, plain, 1.05, note=more)
    ours, plain = (Sample.of(threads[kind]) for kind in KINDS)
    yield Row("threads at rest", "", ours, plain, note=ONE_MORE)


def sizes(plan: Plan) -> Iterator[Row]:
    """Warm shows, each of a variable that was not shown before, and shows of an unchanged one."""
    for content, frame in _CONTENTS.items():
        with one_of_each(frame(100)) as both:
            for one in both.values():
                one.show()
            for rows in [1_000] if plan.quick else [1_000, 100_000, 1_000_000]:
                for one in both.values():
                    one.run(frame(rows))
                first: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
                again: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
                for number in range(plan.rounds(7 if rows < 1_000_000 else 3)):
                    name = f"df{rows}_{number}"
                    for kind, one in both.items():
                        one.run(f"{name} = df.copy()")
                        first[kind].append(one.seconds_to_data(name))
                        if content == "numbers":
                            again[kind].append(one.seconds_to_data(name))
                        one.run(f"del {name}")
                size = f"{rows:.0e}".replace("e+0", "e")
                ours, plain = (Sample.of(first[kind]) for kind in KINDS)
                yield Row(f"warm show of {size} rows, {content}", "s", ours, plain, 1.05)
                if content == "numbers":
                    ours, plain = (Sample.of(again[kind]) for kind in KINDS)
                    yield Row(f"the same again, {size} rows", "s", ours, plain, 1.05)


def first_of_a_kernel(plan: Plan) -> Iterator[Row]:
    """Fresh kernels that show at once, where nothing can be hidden behind other work."""
    for content, rows in (("numbers", 1_000), ("mixed", 1_000_000))[: plan.rounds(2)]:
        found: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(plan.rounds(3)):
            for kind in KINDS:
                with notebook(kind) as one:
                    one.run(f"import numpy as np, pandas as pd\n{_CONTENTS[content](rows)}")
                    loading = one.seconds_of(kind.load) if kind is MAGIC else 0.0
                    found[kind].append(loading + one.seconds_to_data())
        ours, plain = (Sample.of(found[kind]) for kind in KINDS)
        size = f"{rows:.0e}".replace("e+0", "e")
        yield Row(f"cold show at once, {size} rows, {content}", "s", ours, plain, 1.05)
