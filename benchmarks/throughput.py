"""Grid requests from many clients, and what the guard in front of them costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

from benchmarks.load import Load
from benchmarks.notebooks import (
    KINDS,
    MAGIC,
    SideBySide,
    notebook,
    numbers,
    one_of_each,
    turns,
)
from benchmarks.rows import Row, Sample, percentile
from benchmarks.shows import ONE_MORE
from tests.support import plain_http

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.notebooks import Plan

_GUARD = """
import time
from werkzeug.test import EnvironBuilder, run_wsgi_app
from dtale_magics.serving.transport import server
from dtale_magics import session

class Connection:
    untaken = False
    def admit(self): pass

one = session.current()
web = one._ports._server._machinery.app
app = one.frames.viewer.app("/" + one.slug)
host = f"127.0.0.1:{one.port}"

def environ(root, path):
    made = EnvironBuilder(
        path, "http://" + host + root, query_string={"ids": '["0-55"]'},
        environ_base={"SERVER_PORT": str(one.port), "REMOTE_ADDR": "127.0.0.1"},
    ).get_environ()
    made[server.CONNECTION_KEY] = Connection()
    return made

def seconds(call, root, path):
    given = environ(root, path)
    began = time.perf_counter()
    _, status, _ = run_wsgi_app(call, given, buffered=True)
    took = time.perf_counter() - began
    assert status.startswith("200"), status
    return took

both = [(web, "", f"/{one.slug}/dtale/data/1"), (app, f"/{one.slug}", "/dtale/data/1")]
pairs = []
for number in range(COUNT):
    turn = slice(None, None, -1 if number % 2 else 1)  # each begins as often as the other
    pairs.append([seconds(*call) for call in both[turn]][turn])
"""


def requests(plan: Plan) -> Iterator[Row]:
    with one_of_each(numbers(10_000)) as both:
        urls = {kind: plain_http.data_url(one.show(), "0-55") for kind, one in both.items()}
        busy, threads = SideBySide(), SideBySide()
        for clients in [8] if plan.quick else [1, 8, 64]:
            each, slow = SideBySide(), SideBySide()
            lost = dict.fromkeys(KINDS, 0)
            for kinds in turns(plan.rounds(6)):
                for kind in kinds:
                    process = psutil.Process(both[kind].kernel.pid)
                    with Load(urls[kind], clients) as load:
                        time.sleep(plan.rounds(2))
                        threads[kind].append(process.num_threads())
                        busy[kind].append(process.memory_full_info().uss / 2**20)
                    each[kind].append(1000 * load.seconds / len(load.times))
                    slow[kind].append(1000 * percentile(load.times, 99))
                    lost[kind] += load.failures
            rates = " and ".join(f"{1000 / Sample.of(each[kind]).median:.0f}" for kind in KINDS)
            note = f"{rates} requests/s; failed: " + " and ".join(map(str, lost.values()))
            who = "1 client" if clients == 1 else f"{clients} clients"
            yield each.row(f"grid request, {who}", "ms", 1.05, note=note)
            yield slow.row(f"p99 of it, {who}", "ms", 1.05)
        yield busy.row("memory under load (USS)", "MB", 1.05)
        ours, plain = (Sample.of([max(threads[kind])]) for kind in KINDS)
        yield Row("threads under load, at most", "", ours, plain, note=ONE_MORE)


def guard(plan: Plan) -> Iterator[Row]:
    """The kernel's whole web application beside D-Tale's app, called without a network."""
    with notebook(MAGIC) as one:
        one.load()
        one.run(f"import numpy as np, pandas as pd\n{numbers(10_000)}")
        one.show()
        one.run(_GUARD.replace("COUNT", str(20 if plan.quick else 1000)))
        pairs = one.kernel.value("pairs")
    ours, app = (Sample.of(1000 * value for value in side) for side in zip(*pairs, strict=True))
    yield Row("grid request through the guard", "ms", ours, app, 1.02, "D-Tale's app alone")
