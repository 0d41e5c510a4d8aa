"""Notebooks of both kinds, driven as a user drives them."""

from __future__ import annotations

import time
from collections import UserDict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.rows import Row, Sample
from tests.support import plain_http
from tests.support.kernels import Kernel
from tests.support.ports import PortClaims
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CELL_SECONDS = 120.0


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    quick: bool = False

    def rounds(self, count: int) -> int:
        """Give the number of repetitions: one when it has to be quick."""
        return 1 if self.quick else count


@dataclass(frozen=True)
class Kind:
    """A way to use D-Tale."""

    load: str
    show: str
    url: str


MAGIC = Kind(
    "%load_ext dtale_magics",
    "%dtale {name}",
    "next(f.url for f in __import__('dtale_magics').status().frames if f.name == '{name}')",
)
PLAIN = Kind(
    "import dtale", "import dtale; inst = dtale.show({name}); inst", "inst.build_main_url()"
)
KINDS = (MAGIC, PLAIN)


def turns(rounds: int) -> Iterator[tuple[Kind, ...]]:
    """Give the order of both for each round: each begins as often as the other."""
    for number in range(rounds):
        yield KINDS if number % 2 == 0 else KINDS[::-1]


class SideBySide(UserDict[Kind, list[float]]):
    """Measurements of both."""

    def __init__(self) -> None:
        super().__init__({kind: [] for kind in KINDS})

    def row(self, name: str, unit: str, goal: float | None = None, **more: str) -> Row:
        """Make a row of the medians; `more` as `Row` takes it."""
        ours, plain = (Sample.of(self[kind]) for kind in KINDS)
        return Row(name, unit, ours, plain, goal, **more)


class Notebook:
    """A kernel and the way in which it uses D-Tale."""

    def __init__(self, kernel: Kernel, kind: Kind) -> None:
        self.kernel = kernel
        self.kind = kind

    def run(self, code: str) -> None:
        self.kernel.run(code, CELL_SECONDS)

    def seconds_of(self, code: str) -> float:
        """How long `code` takes inside the kernel."""
        self.run("import time")
        self.run(f"began = time.perf_counter()\n{code}\ntook = time.perf_counter() - began")
        return float(self.kernel.value("took"))

    def load(self) -> None:
        self.run(self.kind.load)

    def show(self, name: str = "df") -> str:
        """Show a variable; return the URL of its page."""
        self.run(self.kind.show.format(name=name))
        url = self.url(name)
        self._wait_for(url)
        return url

    def url(self, name: str = "df") -> str:
        """Return the URL of a variable's page; plain D-Tale has that of the last one shown."""
        return str(self.kernel.value(self.kind.url.format(name=name)))

    def seconds_to_data(self, name: str = "df") -> float:
        """From sending the cell to the first data of the grid."""
        began = time.perf_counter()
        self.run(self.kind.show.format(name=name))
        shown = time.perf_counter() - began
        url = self.url(name)
        began = time.perf_counter()
        self._wait_for(url)
        return shown + time.perf_counter() - began

    def _wait_for(self, url: str) -> None:
        # Plain D-Tale returns before its server listens.
        wait_until(
            lambda: plain_http.grid(url, "0-55"), not_yet=ConnectionRefusedError, every=0.005
        )


@contextmanager
def notebook(kind: Kind, ports: range | None = None) -> Iterator[Notebook]:
    """Start a kernel for `kind`, on ports of its own unless others are given."""
    with PortClaims() as claims, Kernel(ports or claims.take()) as kernel:
        yield Notebook(kernel.start(), kind)


@contextmanager
def one_of_each(frame: str = "") -> Iterator[dict[Kind, Notebook]]:
    """Start a notebook of each kind; both have loaded D-Tale and made `frame`."""
    with ExitStack() as stack:
        both = {kind: stack.enter_context(notebook(kind)) for kind in KINDS}
        for one in both.values():
            one.load()
            one.run(f"import numpy as np, pandas as pd\n{frame}")
        yield both


def numbers(rows: int) -> str:
    """Code for `df`: ten columns of numbers, the same ones each time."""
    return f"df = pd.DataFrame(np.random.default_rng(1).random(({rows}, 10))).add_prefix('c')"


def mixed(rows: int) -> str:
    """Code for `df`: numbers, words, dates, categories and truth values, with gaps."""
    return f"""
n, random = {rows}, np.random.default_rng(1)
df = pd.DataFrame({{
    **{{f"number{{i}}": random.random(n) for i in range(4)}},
    **{{f"word{{i}}": random.choice(["ann", "bob", "cyd", None], n) for i in range(3)}},
    "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n) % 10**6, unit="s"),
    "kind": pd.Categorical(random.choice(["a", "b"], n)),
    "flag": random.random(n) > 0.5,
}})"""
