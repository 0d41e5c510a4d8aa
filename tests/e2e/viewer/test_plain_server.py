"""A kernel has one server: what plain D-Tale started in it goes on under the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.plain_http import request

if TYPE_CHECKING:
    from tests.support.kernels import Kernel, StartKernel

PREPARE = """
import pandas as pd, dtale, time, threading, urllib.request
from flask import Flask
from werkzeug.serving import make_server
df, secret = pd.DataFrame({'a': [1, 2]}), pd.DataFrame({'salary': [123456]})
def serve(app, port):
    server = make_server('127.0.0.1', port, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
mine = Flask('mine')
@mine.route('/')
def hello(): return 'still mine'
def plain_show(data):
    inst = dtale.show(data, host='localhost')
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            return inst, urllib.request.urlopen(
                f'http://localhost:{dtale.app.ACTIVE_PORT}/health', timeout=5).read()
        except OSError:
            time.sleep(0.1)
"""


def status(url: str) -> int:
    """Of an answer; 0 where nobody answers."""
    try:
        return request(url).status
    except OSError:
        return 0


def check_guarded(kernel: Kernel, port: int) -> None:
    """Whatever is shown is seen with the link alone, and the user's own server goes on."""
    kernel.run("%dtale secret")
    for path in ("dtale/main/1", "dtale/data/2?ids=%5B%220%22%5D", "shutdown", "dtale/processes"):
        assert status(f"http://localhost:{port}/{path}") in {0, 404}
        assert status(f"http://127.0.0.1:{port}/{path}") in {0, 404}
    frames = kernel.status()["frames"]
    assert {"secret"} < {one["name"] for one in frames}
    assert all(status(one["url"]) == 200 for one in frames)
    assert request(f"http://127.0.0.1:{kernel.ports[-1]}/").text == "still mine"


@pytest.fixture
def kernel(start_kernel: StartKernel) -> Kernel:
    kernel = start_kernel()
    kernel.run(PREPARE)
    kernel.run(f"server = serve(mine, {kernel.ports[-1]})")
    return kernel


def test_a_show_before_the_extension_goes_on_under_the_guard(kernel: Kernel) -> None:
    kernel.run("inst, ok = plain_show(df)")
    port = kernel.value("dtale.app.ACTIVE_PORT")
    kernel.run("inst.update_settings(precision=4)")
    kernel.run("%load_ext dtale_magics")
    check_guarded(kernel, port)
    state = kernel.status()
    assert port in state["ports"], "its port goes on"
    assert kernel.value("inst._main_url").startswith(f"{state['url']}dtale/main/")
    assert kernel.value("dtale.global_state.get_settings('1')['precision']") == 4
    taken = kernel.run("%dtale_port --take").text
    assert "lost" not in taken
    assert {"secret"} < {one["name"] for one in kernel.status()["frames"]}, "nothing is lost"
    check_guarded(kernel, port)


def test_unload_plain_show_and_load_again(kernel: Kernel) -> None:
    kernel.run("%load_ext dtale_magics")
    kernel.run("%dtale df")
    kernel.run("%unload_ext dtale_magics")
    kernel.run("inst, ok = plain_show(df.T)")
    port = kernel.value("dtale.app.ACTIVE_PORT")
    kernel.run("%load_ext dtale_magics")
    check_guarded(kernel, port)


def test_a_server_that_is_started_behind_our_back(kernel: Kernel) -> None:
    kernel.run("%load_ext dtale_magics")
    kernel.run("%dtale df")
    port = kernel.ports[7]
    kernel.run(f"theirs = serve(dtale.app.build_app(reaper_on=False), {port})")
    assert status(f"http://127.0.0.1:{port}/dtale/main/1") == 200, "it does serve without a guard"
    check_guarded(kernel, port)


def test_a_takeover_leaves_a_server_of_the_users_alone(kernel: Kernel) -> None:
    kernel.run("%load_ext dtale_magics")
    said = kernel.run(f"%dtale_port {kernel.ports[-1]} --force", ok=False)
    assert "a server of your own, in this notebook, has it" in said.text
    assert request(f"http://127.0.0.1:{kernel.ports[-1]}/").text == "still mine"
