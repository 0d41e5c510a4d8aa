"""The pod's page through JupyterHub's proxy, from the panel on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.browser import SECONDS, open_browser
from tests.support.hub_page import HubPage, HubServer
from tests.support.hub_process import Hub
from tests.support.jupyter import write_notebook
from tests.support.kernels import Kernel
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.ports import PortClaims

pytestmark = [
    pytest.mark.timeout(240),
    # Playwright's loop and the Hub's processes are closed by their own ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CELLS = [
    "%load_ext dtale_magics\nimport pandas as pd\ndf = pd.DataFrame({'a': ['of default', 'x']})",
    "%dtale df",
    "import os\nos.environ['XDG_CACHE_HOME'] = '{home}/cache'\n%dtale --page",
]


def test_the_panel_leads_to_the_pods_page(port_claims: PortClaims) -> None:
    ports = port_claims.take()
    # On a machine that is not a pod, notebooks of other tests are siblings.
    name, its = f"page{ports[0]}.ipynb", f"other{ports[0]}.ipynb"
    with Hub(port_claims.take(3), ports) as hub, open_browser() as browser:
        write_notebook(hub.home / name, [cell.replace("{home}", str(hub.home)) for cell in CELLS])
        page = HubPage(browser, HubServer(hub, ""), name, ports)
        for cell in range(3):
            page.run(cell)
        details = page.panel(2).locator("details")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        link = details.locator("a.dp-pod")
        address = re.compile(rf"^{re.escape(hub.url)}/user/.*/proxy/\d+/pod-[0-9a-f]{{32}}/$")
        expect(link).to_have_attribute("href", address)
        with page.page.context.expect_page() as opened:
            link.click()
        pod = opened.value
        grid = pod.frame_locator("iframe")
        pod.locator(".notebook", has_text=name).locator(".frame").click()
        expect(grid.get_by_text("of default", exact=True)).to_be_visible()
        pod.locator("#follow").click()
        # another notebook of the same server
        environ = {"JUPYTERHUB_SERVICE_PREFIX": f"{hub.prefix('')}/"}
        with Kernel(ports, notebook=its, environ=environ) as other:
            other.start().run("%load_ext dtale_magics")
            other.run("%dtale {'a': ['of other']}")
            # Static files come by the secret that all of them have, the page's link is this test's.
            other.run("from dtale_magics import session; session.current().assets.token")
            other.run(f"import os; os.environ['XDG_CACHE_HOME'] = '{hub.home}/cache'")
            other.run("%dtale_port --take")
            expect(grid.get_by_text("of other", exact=True)).to_be_visible()
        expect(pod.locator(".notebook", has_text=its)).to_contain_text("has ended")
        pod.close()
        page.cell(0).locator(".cm-content").first.click()
        page.page.keyboard.press("Control+s")
        file = hub.home / page.name
        wait_until(lambda: "The pod's page shows" in file.read_text(), SECONDS)
        assert not re.search("pod-[0-9a-f]{32}", file.read_text())
