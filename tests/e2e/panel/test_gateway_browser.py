"""A kernel on another machine than the Jupyter server: a kernel gateway in a pod of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support import plain_http, pods, processes
from tests.support.browser import NotebookPage, open_browser
from tests.support.jupyter import Jupyter
from tests.support.kernels import environment, port_settings
from tests.support.pods import Pod
from tests.support.ports import PortClaims
from tests.support.tunnel import tunnel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(pods.reason_against() is not None, reason=str(pods.reason_against())),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

MACHINE = "127.0.0.2"
"""The address by which the Jupyter server's machine reaches that of the gateway."""

CELLS = [
    "%load_ext dtale_magics\nimport pandas as pd\ndf = pd.DataFrame({'a': ['far away']})",
    "%dtale df",
    "%dtale_port --check",
]


@contextmanager
def gateway(pod: Pod, port: int, ports: range, directory: Path) -> Iterator[None]:
    """Serve kernels from inside the pod at a port of this machine."""
    environ = {**port_settings(ports), "KG_LIST_KERNELS": "True", "POD_IP": MACHINE}
    command = [sys.executable, "-m", "jupyter", "kernelgateway", "--ip=127.0.0.1"]
    with ExitStack() as stack:
        log = stack.enter_context((directory / "log").open("wb"))
        process = subprocess.Popen(
            pod.command([*command, f"--port={port}"]),
            env=environment(environ, directory),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        stack.callback(processes.end, process)
        stack.enter_context(tunnel(pod, port, "127.0.0.1", port))
        deadline = time.monotonic() + 60
        while True:
            try:
                plain_http.request(f"http://127.0.0.1:{port}/api")
            except OSError:
                assert time.monotonic() < deadline, (directory / "log").read_text()
                time.sleep(0.2)
            else:
                break
        yield


def test_a_kernel_of_a_gateway_is_named_and_the_advice_works(tmp_path: Path) -> None:
    with ExitStack() as stack:
        pod = stack.enter_context(Pod(tmp_path))
        claims = stack.enter_context(PortClaims())
        (entry, lab), ports = claims.take()[:2], claims.take()
        stack.enter_context(gateway(pod, entry, ports, tmp_path))
        stack.enter_context(tunnel(pod, ports[0], "127.0.0.1", ports[0], listen=MACHINE))
        browser = stack.enter_context(open_browser())
        address = {"JUPYTER_GATEWAY_URL": f"http://127.0.0.1:{entry}"}
        jupyter = Jupyter(lab, ports, address)

        with jupyter:
            jupyter.write("far.ipynb", CELLS)
            page = NotebookPage(browser, jupyter, "far.ipynb", unfolded=False)
            # The browser gets to the Jupyter server alone.
            page.page.context.route(f"http://{MACHINE}:*/**", lambda route: route.abort())
            page.run(0)
            page.run(1)
            said = page.panel(1)
            expect(said).to_contain_text(f"A kernel gateway started this kernel, on {MACHINE}")
            advice = re.search(
                r"c\.ServerProxy\.host_allowlist = (\[.*?\]).*(%config .*?'.*?')", said.inner_text()
            )
            assert advice
            page.page.context.close()

        with Jupyter(
            lab, ports, address, more=[f"--ServerProxy.host_allowlist={advice[1]}"]
        ) as again:
            again.write("near.ipynb", [CELLS[0], f"{advice[2]}\n%dtale df"])
            page = NotebookPage(browser, again, "near.ipynb", unfolded=False)
            page.page.context.route(f"http://{MACHINE}:*/**", lambda route: route.abort())
            page.run(0)
            page.run(1)
            expect(page.grid(1).locator("body")).to_contain_text("far away")
            assert page.problems == []
