"""Finding a port when many are taken."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rows import Row, Sample
from tests.support import pods
from tests.support.kernels import environment, port_settings
from tests.support.pods import Pod
from tests.support.ports import FIRST, LAST, PortClaims
from tests.support.workers import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Plan

_SCANS = """
import json, time
from dtale import app
from dtale_magics.serving.transport import listener
from dtale_magics import settings

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


def reservation(plan: Plan) -> Iterator[Row]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in [0, 100] if plan.quick else [0, 100, 9000]:
        count = min(wanted, hard - 100)
        with ExitStack() as stack:
            pod = None
            if pods.reason_against() is None:  # all ports are free in there
                directory = stack.enter_context(tempfile.TemporaryDirectory())
                pod = stack.enter_context(Pod(Path(directory)))
                ports = range(20000, 20020 + count)
            else:
                count = min(count, LAST - FIRST - 100)
                ports = stack.enter_context(PortClaims()).take(count + 20)
            if count:
                stranger = stack.enter_context(Worker(pod))
                taken = stranger.do("occupy", ports=[ports[0], ports[count - 1]])
                assert taken == count, f"only {taken} of {count} ports could be taken"
            command = [sys.executable, "-c", _SCANS.replace("ROUNDS", str(plan.rounds(15)))]
            done = subprocess.run(
                pod.command(command) if pod else command,
                env=environment(port_settings(ports), Path()),
                capture_output=True,
                check=True,
                timeout=300,
            )
        pairs = json.loads(done.stdout.splitlines()[-1])
        ours, plain = (Sample.of(1000 * one for one in side) for side in zip(*pairs, strict=True))
        goal = {0: None, 100: 1.05}.get(wanted, 0.5)
        note = "" if count else "ours listens already, plain D-Tale has yet to bind"
        name = f"reservation, {count} ports taken"
        yield Row(name, "ms", ours, plain, goal, note=note)
