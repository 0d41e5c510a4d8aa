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

from tests.support import plain_http, processes
from tests.support.browser import NotebookPage, open_browser
from tests.support.jupyter import Jupyter
from tests.support.kernels import environment, port_settings
from tests.support.ports import PortClaims
from tests.support.tunnel import tunnel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.pods import Pod

pytestmark = [
    pytest.mark.timeout(300),
    # Playwright's loop and Jupyter's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

MACHINE = "127.0.0.2"
"""The address by which the Jupyter server's machine reaches that of the gateway."""

CELL = "%load_ext dtale_magics\nimport pandas as pd\ndf = pd.DataFrame({'a': ['far away']})"


@contextmanager
def gateway(pod: Pod, port: int, ports: range, directory: Path) -> Iterator[None]:
    """Serve kernels from inside the pod at a port of this machine."""
    environ = {**port_settings(ports), "POD_IP": MACHINE}
    environ |= {"KG_LIST_KERNELS": "True", "KG_ENV_PROCESS_WHITELIST": ",".join(environ)}
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


def test_a_kernel_of_a_gateway_is_named_and_the_advice_works(pod: Pod, tmp_path: Path) -> None:
    with ExitStack() as stack:
        claims = stack.enter_context(PortClaims())
        (entry, lab), ports = claims.take()[:2], claims.take()
        stack.enter_context(gateway(pod, entry, ports, tmp_path))
        stack.enter_context(tunnel(pod, ports[0], "127.0.0.1", ports[0], listen=MACHINE))
        browser = stack.enter_context(open_browser())
        address = {"JUPYTER_GATEWAY_URL": f"http://127.0.0.1:{entry}"}

        # As the advice will have it.
        allowed = f'["localhost", "127.0.0.1", "{MACHINE}"]'
        more = [f"--ServerProxy.host_allowlist={allowed}"]
        jupyter = stack.enter_context(Jupyter(lab, ports, address, more=more))
        jupyter.write("far.ipynb", [CELL, "%dtale df", ""])
        page = NotebookPage(browser, jupyter, "far.ipynb", unfolded=False)
        # The browser gets to the Jupyter server alone.
        page.page.context.route(f"http://{MACHINE}:*/**", lambda route: route.abort())
        page.run(0)
        page.run(1)
        panel = page.panel(1)
        expect(panel).to_contain_text(f"A kernel gateway started this kernel, on {MACHINE}")
        expect(panel).to_contain_text(f"Put c.ServerProxy.host_allowlist = {allowed} into")
        typed = re.search(r"then type: (%config .*?'.*?')", panel.inner_text())
        assert typed
        page.cell(2).locator(".cm-content").first.fill(typed[1])
        page.run(2)
        page.run(1)
        expect(page.grid(1).locator("body")).to_contain_text("far away")
        assert page.problems == []
