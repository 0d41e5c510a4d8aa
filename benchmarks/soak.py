"""``make soak``: kernels that show, take, release, freeze, die and come back at random, under load.

After every step the invariants hold, or the run ends with exit code 1: all notebooks that run share
the port and its sockets, all agree which of them is in front, every link shows its own notebook's
data, and no request was lost but those in the hands of a process that was killed or stopped. At the
end no kernel that lived long has grown. ``--seed`` repeats a run's choices, though not its timing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import time
from contextlib import ExitStack
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, NamedTuple

import psutil

from benchmarks.soak_clients import Clients, Target
from dtale_magics.pod import steering
from dtale_magics.system import procfs
from tests.support import processes
from tests.support.kernels import Kernel
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support import plain_http

_SETTLE_SECONDS = 15.0
_LONG_LIFE = 40
_GROWTH = {"descriptors": 12, "threads": 8, "MB": 40}
"""How much a kernel's median may grow from the first third of its life to the last."""


class Broken(Exception):  # noqa: N818 (an invariant is what is broken)
    """An invariant does not hold."""


class Weight(NamedTuple):
    """What a kernel's process holds."""

    descriptors: int
    threads: int
    megabytes: float


class Actor:
    """A notebook, through all its lives."""

    def __init__(self, name: str, ports: range) -> None:
        self.name = name
        self.kernel = Kernel(ports, notebook=f"{name}.ipynb")
        self.dead = False
        self.stopped = False
        self.target: Target | None = None
        self.weights: list[Weight] = []
        self._marks = 0

    @property
    def runs(self) -> bool:
        return not (self.dead or self.stopped)

    @property
    def mark(self) -> str:
        """What its frame contains now."""
        return f"{self.name}-{self._marks}"

    def begin(self) -> None:
        """Begin a life: a kernel, the extension, a frame."""
        if self.dead:
            self.kernel.restart()
        else:
            self.kernel.start()
        self.dead, self.stopped, self.target, self.weights = False, False, None, []
        self.kernel.run("%load_ext dtale_magics\nimport dtale_magics, pandas as pd")
        self.show()

    def show(self) -> None:
        """Show a frame with a mark that no other frame of this run has."""
        self._marks += 1
        mark = self.mark
        if self.target is not None:
            self.target.marks.add(mark)
        self.kernel.run(f"df = pd.DataFrame({{'mark': ['{mark}'] * 50}})\n%dtale df")
        url = self.kernel.status()["frames"][0]["url"]
        marks = {mark} if self.target is None else self.target.marks
        self.target = Target(url, marks)

    def take(self, port: int) -> None:
        self.kernel.run(f"dtale_magics.take_over({port}).require()")

    def release(self, port: int) -> str:
        """Give `port` back; return what became of that."""
        call = f"__import__('dtale_magics.session').session.current().release({port})"
        return str(self.kernel.value(f"type({call}).__name__"))

    def send(self, number: signal.Signals) -> None:
        os.kill(self.kernel.pid, number)

    def weigh(self) -> None:
        process = psutil.Process(self.kernel.pid)
        megabytes = process.memory_full_info().uss / 2**20
        self.weights.append(Weight(process.num_fds(), process.num_threads(), megabytes))

    def growth(self) -> list[str]:
        """Tell what has grown in this life, if it was a long one."""
        if len(self.weights) < _LONG_LIFE:
            return []
        third = len(self.weights) // 3
        found = []
        for index, (what, allowed) in enumerate(_GROWTH.items()):
            values = [weight[index] for weight in self.weights]
            was, now = statistics.median(values[:third]), statistics.median(values[-third:])
            if now > was + allowed:
                found.append(f"{self.name}: {what} grew from {was:.0f} to {now:.0f}")
        return found


class Soak:
    """A run.

    Parameters
    ----------
    actors
        The notebooks; all of them have begun.
    port
        The ingress port, for which they contend.
    clients
        Who asks it meanwhile.
    seed
        Decides what happens.
    """

    def __init__(self, actors: Sequence[Actor], port: int, clients: Clients, seed: int) -> None:
        self._actors = actors
        self._port = port
        self._clients = clients
        self._random = random.Random(seed)
        self.counts: dict[str, int] = {}
        self.last: list[str] = []

    def step(self) -> None:
        """Let one thing happen, and check what has to hold afterwards."""
        choices = self._choices()
        names = list(choices)
        weights = [_WEIGHTS[name.partition(" ")[0]] for name in names]
        (chosen,) = self._random.choices(names, weights)
        self.last = [*self.last[-19:], chosen]
        kind = chosen.partition(" ")[0]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        choices[chosen]()
        self._check()

    def finish(self) -> None:
        """Wake and revive everybody, check once more, and look for growth."""
        for actor in self._actors:
            if actor.stopped:
                self._wake(actor)
            if actor.dead:
                actor.begin()
        self._check()
        grown = [line for actor in self._actors for line in actor.growth()]
        if grown:
            raise Broken("; ".join(grown))

    def _choices(self) -> dict[str, Callable[[], object]]:
        """What may happen now; always one kernel at least runs."""
        found: dict[str, Callable[[], object]] = {}
        running = [actor for actor in self._actors if actor.runs]
        for actor in self._actors:
            if actor.dead:
                found[f"revive {actor.name}"] = actor.begin
            elif actor.stopped:
                found[f"wake {actor.name}"] = partial(self._wake, actor)
            else:
                found[f"show {actor.name}"] = actor.show
                found[f"take {actor.name}"] = partial(actor.take, self._port)
                found[f"release {actor.name}"] = partial(actor.release, self._port)
                if len(running) > 1:
                    found[f"kill {actor.name}"] = partial(self._kill, actor)
                    found[f"stop {actor.name}"] = partial(self._stop, actor)
        return found

    def _kill(self, actor: Actor) -> None:
        self._clients.excuse(time.monotonic())
        actor.dead = True
        actor.kernel.kill()
        self._clients.excuse(time.monotonic())

    def _stop(self, actor: Actor) -> None:
        self._clients.excuse(time.monotonic())
        actor.stopped = True
        processes.stop(actor.kernel.pid)
        self._clients.excuse(time.monotonic())

    def _wake(self, actor: Actor) -> None:
        actor.send(signal.SIGCONT)
        actor.stopped = False

    def _check(self) -> None:
        self._clients.targets = [one.target for one in self._actors if one.runs and one.target]
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            try:
                self._look()
            except Broken:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break
        for actor in self._actors:
            if actor.runs:
                actor.weigh()
        self._clients.require()

    def _look(self) -> None:
        running = [actor for actor in self._actors if actor.runs]
        statuses = {actor.name: actor.kernel.status() for actor in running}
        for name, status in statuses.items():
            if self._port not in status["ports"]:
                raise Broken(f"{name} does not share the port: {status['ports']}")
        in_front = {status["ingress_holder"]["pid"] for status in statuses.values()}
        if len(in_front) != 1 or not in_front <= {one.kernel.pid for one in self._actors}:
            raise Broken(f"they do not agree who is in front: {in_front}")
        group = steering.members(self._port)
        sockets = {procfs.socket_inodes(actor.kernel.pid, group) for actor in running}
        if len(sockets) != 1:
            raise Broken(f"they do not share the same sockets: {sockets}")
        for actor in running:
            found = self._ask(actor)
            assert actor.target is not None
            if found.status != 200 or not actor.target.is_newest(found, actor.mark):
                raise Broken(f"{actor.name}: {found.status} {found.text[:200]}")

    def _ask(self, actor: Actor) -> plain_http.Response:
        assert actor.target is not None
        try:
            return actor.target.ask(self._port)
        except OSError as error:
            raise Broken(f"{actor.name}'s link: {error}") from None


_WEIGHTS = {"show": 2, "take": 6, "release": 3, "kill": 0.4, "stop": 1, "wake": 4, "revive": 2}


def run(seconds: float, seed: int, kernels: int) -> None:
    """Soak for about `seconds`; `Broken` says which invariant failed."""
    with ExitStack() as stack:
        ports = stack.enter_context(PortClaims()).take()
        actors = [Actor(name, ports) for name in ("ann", "bob", "cyd", "dan", "eve")[:kernels]]
        for actor in actors:
            stack.callback(actor.kernel.close)
            actor.begin()
        clients = stack.enter_context(Clients(ports[0]))
        soak = Soak(actors, ports[0], clients, seed)
        steps = 0
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                soak.step()
                steps += 1
            soak.finish()
        except (Broken, AssertionError, HTTPException, OSError) as error:
            raise Broken(f"seed {seed}, step {steps}, after {soak.last}: {error}") from error
        asked, excused = clients.asked, clients.excused
    done = ", ".join(f"{count} x {what}" for what, count in sorted(soak.counts.items()))
    print(f"seed {seed}: {steps} steps ({done})")
    print(f"{asked} requests, {excused} of them in the hands of a killed or stopped kernel, 0 lost")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--kernels", type=int, default=4, choices=range(2, 6))
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # the kernels end with it
    print(f"soak for {given.seconds:.0f} s with seed {given.seed}", flush=True)
    try:
        run(given.seconds, given.seed, given.kernels)
    except Broken as error:
        print(f"BROKEN: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
