"""From the cell to the first data of the grid, and what a kernel weighs afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Plan

_WORK = {
    "of waiting": ("import time; time.sleep({seconds})", 1 / 3, ""),
    "of computing in Python": (
        "import time; end = time.time() + {seconds}\nwhile time.time() < end: sum(range(1000))",
        1.05,
        "wanted: a third, which the GIL does not give",
    ),
}
ONE_MORE = "one listens to clients as D-Tale's does, one to siblings"

_ROUNDS = {1_000: 15, 100_000: 7, 1_000_000: 4}
"""How often a frame is shown, by its number of rows."""

_ANALYSIS_DECIDES = 100_000
"""With at least this many rows, D-Tale's analysis takes most of the time of a show."""

_GOALS = {("numbers", 1_000_000): 0.6, ("mixed", 1_000_000): 0.12}
"""Of a first show, where the description of columns decides; 1.05 elsewhere."""

_CONTENTS = {"numbers": numbers, "mixed": mixed}


def cold(plan: Plan) -> Iterator[Row]:
    """Fresh kernels: load, do something else for as long as the import takes, show."""
    loading, memory, threads = SideBySide(), SideBySide(), SideBySide()
    shows: list[Row] = []
    for _ in range(plan.rounds(3)):
        with notebook(PLAIN) as one:
            loading[PLAIN].append(one.seconds_of(PLAIN.load))
    seconds = Sample.of(loading[PLAIN]).median
    for what, (work, goal, note) in list(_WORK.items())[: plan.rounds(2)]:
        found = SideBySide()
        for kinds in turns(plan.rounds(3)):
            for kind in kinds:
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
        row = f"cold show of 1e5 rows, after {seconds:.1f} s {what}"
        shows.append(found.row(row, "s", goal, note=note))
    yield loading.row("%load_ext, beside import dtale", "s", 0.02)
    yield from shows
    ours, plain = (Sample.of(memory[kind]).median for kind in KINDS)
    more = f"{ours - plain:+.1f} MB; wanted: < 10 MB more"
    yield memory.row("memory at rest (USS)", "MB", 1.05, note=more)
    yield threads.row("threads at rest", "", note=ONE_MORE)


def sizes(plan: Plan) -> Iterator[Row]:
    """Warm shows, each of a variable that was not shown before, and shows of an unchanged one."""
    for content, frame in _CONTENTS.items():
        with one_of_each(frame(100)) as both:
            for one in both.values():
                one.show()
            for rows in list(_ROUNDS)[: plan.rounds(len(_ROUNDS))]:
                for one in both.values():
                    one.run(frame(rows))
                first, again = SideBySide(), SideBySide()
                for number, kinds in enumerate(turns(plan.rounds(_ROUNDS[rows]))):
                    name = f"df{rows}_{number}"
                    for kind in kinds:
                        one = both[kind]
                        one.run(f"{name} = df.copy()")
                        first[kind].append(one.seconds_to_data(name))
                        again[kind].append(one.seconds_to_data(name))
                        one.run(f"del {name}")
                size = f"{rows:.0e}".replace("e+0", "e")
                first_goal = _GOALS.get((content, rows), 1.05)
                yield first.row(f"warm show of {size} rows, {content}", "s", first_goal)
                goal = 1.05 if rows < _ANALYSIS_DECIDES else 0.5
                yield again.row(f"the same again, {size} rows, {content}", "s", goal)


def first_of_a_kernel(plan: Plan) -> Iterator[Row]:
    """Fresh kernels that show at once, where nothing can be hidden behind other work."""
    cases = (("numbers", 1_000, 4), ("mixed", 1_000_000, 2))
    for content, rows, rounds in cases[: plan.rounds(2)]:
        found = SideBySide()
        for kinds in turns(plan.rounds(rounds)):
            for kind in kinds:
                with notebook(kind) as one:
                    one.run(f"import numpy as np, pandas as pd\n{_CONTENTS[content](rows)}")
                    loading = one.seconds_of(kind.load) if kind is MAGIC else 0.0
                    found[kind].append(loading + one.seconds_to_data())
        size = f"{rows:.0e}".replace("e+0", "e")
        yield found.row(f"cold show at once, {size} rows, {content}", "s", 1.05)
