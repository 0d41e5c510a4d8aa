"""Speed and memory beside plain D-Tale, as ratios of one run: ``make bench``.

Real kernels, driven as a notebook drives them. Everything is measured in turns with what it is
compared to, and medians are compared, because the machine is never quiet.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support import plain_http
from support.kernels import Kernel, environment, port_settings
from support.ports import PortClaims
from support.workers import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FRAME = """
import numpy as np, pandas as pd
df = pd.DataFrame(np.random.rand(100_000, 10)).add_prefix("c")
"""

BUSY = "import time; end = time.time() + 2\nwhile time.time() < end: sum(range(1000))"
WAITING = "import time; time.sleep(2)"

TAKEN_PORTS = 9000

SCANS = """
import json, os, time
from dtale import app
from dtale_magics import listener, settings

def ours():
    listener.reserve(settings.resolve().range.ports).close()

def plain():
    app.ACTIVE_PORT = None
    app.find_free_port()

def seconds(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began

ours(), plain()
print(json.dumps([(seconds(ours), seconds(plain)) for _ in range(ROUNDS)]))
"""


class Figure(NamedTuple):
    """One line of the result: ours beside plain D-Tale's."""

    what: str
    ours: float
    plain: float
    unit: str
    target: str
    met: bool

    def __str__(self) -> str:
        ratio = self.ours / self.plain if self.plain else float("nan")
        values = f"{self.ours:9.3f} {self.plain:9.3f} {self.unit:3}"
        verdict = "yes" if self.met else "NO"
        return f"{self.what:47} {values} {ratio:7.3f}   {self.target:18} {verdict}"


class Magic:
    """A kernel with the extension."""

    load = "%load_ext dtale_magics"
    show = "%dtale {name}"
    url = "__import__('dtale_magics').status().frames[-1].url"


class Plain:
    """A kernel with D-Tale alone."""

    load = "import dtale"
    show = "import dtale; inst = dtale.show({name}); inst"
    url = "inst.build_main_url()"


KINDS = (Magic, Plain)
Kind = type[Magic] | type[Plain]


def seconds_of_cell(kernel: Kernel, code: str) -> float:
    """How long `code` takes inside the kernel."""
    kernel.run("import time")
    kernel.run(f"began = time.perf_counter()\n{code}\ntook = time.perf_counter() - began")
    return float(kernel.value("took"))


def seconds_to_data(kernel: Kernel, kind: Kind, name: str) -> float:
    """From sending the cell to the first data of the grid."""
    began = time.perf_counter()
    kernel.run(kind.show.format(name=name))
    shown = time.perf_counter() - began
    url = kernel.value(kind.url)
    began = time.perf_counter()
    while time.perf_counter() < began + 30:
        try:
            assert plain_http.grid(url, "0-55")
            break
        except ConnectionRefusedError:  # plain D-Tale returns before its server listens
            time.sleep(0.005)
    return shown + time.perf_counter() - began


def fresh_kernels(rounds: int) -> Iterator[tuple[Kernel, Kind]]:
    """Kernels that were just started, of both kinds in turns."""
    for _ in range(rounds):
        for kind in KINDS:
            with PortClaims() as claims, Kernel(claims.take()) as kernel:
                kernel.start()
                yield kernel, kind


def compare(rounds: int, measure: Callable[[Kernel, Kind], float]) -> tuple[float, float]:
    """Medians of both kinds over fresh kernels."""
    found: dict[Kind, list[float]] = {Magic: [], Plain: []}
    for kernel, kind in fresh_kernels(rounds):
        found[kind].append(measure(kernel, kind))
    return statistics.median(found[Magic]), statistics.median(found[Plain])


def loading(rounds: int) -> Figure:
    ours, plain = compare(rounds, lambda kernel, kind: seconds_of_cell(kernel, kind.load))
    met = ours < 0.02 * plain
    return Figure("%load_ext : import dtale", ours, plain, "s", "< 0.02", met)


def warm(rounds: int) -> Figure:
    """In two kernels that live side by side; each show is of a variable not shown before."""
    pairs: list[tuple[float, float]] = []
    with ExitStack() as stack:
        kernels = {}
        for kind in KINDS:
            ports = stack.enter_context(PortClaims()).take()
            kernels[kind] = stack.enter_context(Kernel(ports)).start()
            kernels[kind].run(f"{kind.load}\n{FRAME}")
            seconds_to_data(kernels[kind], kind, "df")
        for number in range(3 * rounds):
            name = f"df{number}"
            for kernel in kernels.values():
                kernel.run(f"{name} = df.copy()")
            took = {kind: seconds_to_data(kernels[kind], kind, name) for kind in KINDS}
            pairs.append((took[Magic], took[Plain]))
    ours, plain = _medians(pairs)
    met = ours <= 1.05 * plain
    return Figure("warm, show to first grid data", ours, plain, "s", "<= 1.05", met)


def cold(rounds: int, work: str, what: str) -> Figure:
    def measure(kernel: Kernel, kind: Kind) -> float:
        if kind is Magic:
            kernel.run(kind.load)
        kernel.run(work)
        kernel.run(FRAME)
        return seconds_to_data(kernel, kind, "df")

    ours, plain = compare(rounds, measure)
    return Figure(f"cold, after 2 s of {what}", ours, plain, "s", "<= 0.333", ours <= plain / 3)


def memory(rounds: int) -> Figure:
    def measure(kernel: Kernel, kind: Kind) -> float:
        kernel.run(kind.load)
        kernel.run(FRAME)
        seconds_to_data(kernel, kind, "df")
        return float(psutil.Process(kernel.pid).memory_full_info().uss / 2**20)

    ours, plain = compare(rounds, measure)
    met = ours - plain < 10
    return Figure(f"memory ({ours - plain:+.1f} MB)", ours, plain, "MB", "< 10 MB more", met)


def reservation(rounds: int) -> Figure:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(TAKEN_PORTS, hard - 100)
    with PortClaims() as claims, Worker() as stranger:
        ports = claims.take(count + 20)
        taken = stranger.do("occupy", ports=[ports[0], ports[count - 1]])
        assert taken == count, f"only {taken} of {count} ports could be taken"
        done = subprocess.run(
            [sys.executable, "-c", SCANS.replace("ROUNDS", str(3 * rounds))],
            env=environment(port_settings(ports), Path()),
            capture_output=True,
            check=True,
            timeout=300,
        )
    ours, plain = _medians(json.loads(done.stdout.splitlines()[-1]))
    what = f"reservation, {count} ports taken"
    return Figure(what, ours, plain, "s", "<= 0.5", ours <= plain / 2)


def _medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    ours, plain = zip(*pairs, strict=True)
    return statistics.median(ours), statistics.median(plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="fresh kernels of each kind")
    rounds = parser.parse_args().rounds
    print(f"{'':47} {'ours':>9} {'plain':>9} {'':3} {'ratio':>7}   {'target':18} met")
    for measure in (
        lambda: loading(rounds),
        lambda: warm(rounds),
        lambda: cold(rounds, BUSY, "computing"),
        lambda: cold(rounds, WAITING, "waiting"),
        lambda: reservation(rounds),
        lambda: memory(rounds),
    ):
        print(measure(), flush=True)


if __name__ == "__main__":
    main()
