"""What a notebook is called by the Jupyter server, also when that has no time to answer.

The server is a stand-in that can be made to keep silent; the real one is in the tests of the panel.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kernels import StartKernel


class JupyterServer:
    """One that has a single kernel, and answers while `has_time` is set."""

    def __init__(self) -> None:
        self.name = "train.ipynb"
        self.has_time = threading.Event()
        self.has_time.set()

    def sessions(self) -> bytes:
        self.has_time.wait(60)
        return json.dumps([{"path": f"work/{self.name}", "kernel": {"id": "test"}}]).encode()


@contextmanager
def _serve(jupyter: JupyterServer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(jupyter.sessions())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            jupyter.has_time.set()
            server.shutdown()
            thread.join(20)


def test_the_name_follows_the_server_and_is_known_when_that_has_no_time(
    start_kernel: StartKernel,
) -> None:
    jupyter = JupyterServer()
    train, eda = start_kernel(notebook="before.ipynb"), start_kernel(notebook="eda.ipynb")

    def seen() -> list[tuple[str, bool]]:
        of_all = "__import__('dtale_magics.pod.peers').pod.peers.statuses(0.5)"
        found = eda.value(f"[(one['label'], one['responding'], one['pid']) for one in {of_all}]")
        return [(label, responding) for label, responding, pid in found if pid == train.pid]

    with _serve(jupyter) as url:
        runtime = train.directory / "runtime"
        runtime.mkdir(exist_ok=True)
        (runtime / "jpserver-1.json").write_text(json.dumps({"pid": 1, "url": url, "token": ""}))
        for kernel in (train, eda):
            kernel.run("%load_ext dtale_magics\n%dtale {'a': [1]}")
        wait_until(lambda: seen() == [("train.ipynb", True)], explain=seen)
        jupyter.name = "renamed.ipynb"
        wait_until(lambda: seen() == [("renamed.ipynb", True)], explain=seen)
        jupyter.has_time.clear()
        time.sleep(2)  # an answer under way, and the rest after one that did not come
        wait_until(lambda: seen() == [("renamed.ipynb", True)], explain=seen)
        assert f"renamed.ipynb  pid {train.pid}" in train.run("%dtale --list").text
