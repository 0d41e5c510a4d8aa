"""What is pasted into an issue: it helps, and gives nothing away."""

from __future__ import annotations

import getpass
import json
import socket
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from dtale_magics.frontend.report import outline, shape

if TYPE_CHECKING:
    from tests.support.kernels import StartKernel

SECRETS = {
    "JUPYTERHUB_API_TOKEN": "token-5f1c0a",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/ada-lovelace/gpu-server/",
    "JUPYTERHUB_USER": "ada-lovelace",
    "JUPYTERHUB_SERVER_NAME": "gpu-server",
    "JUPYTERHUB_PUBLIC_URL": "https://hub.secret-company.example/user/ada-lovelace/gpu-server/",
    "POD_NAME": "jupyter-pod-77",
    "POD_NAMESPACE": "secret-namespace",
    "DTALE_INGRESS_URL": "https://{user}.dtale.secret-company.invalid/below",
    "DTALE_ALLOWED_HOSTS": "another.secret-company.invalid",
    "DTALE_PROXY_URL": "/secret-studio/proxy/{port}",
    "COOKIE": "session-cookie-99",
}
COMMAND = (
    "import subprocess, sys; print(subprocess.run([sys.executable, '-m', 'dtale_magics', 'check', "
    "'--json'], capture_output=True, text=True, check=False).stdout)"
)


def test_a_report_says_what_helps_and_no_name_link_or_secret(start_kernel: StartKernel) -> None:
    kernel = start_kernel(environ=SECRETS, notebook="layoffs.ipynb")
    kernel.run("%load_ext dtale_magics\n%dtale {'pay-grade': [1]} --name salaries")
    status = kernel.status()
    shown = kernel.run("found = %dtale --report")
    report: dict[str, Any] = kernel.value("found")
    pasted = kernel.run(COMMAND).stdout

    # It helps: versions, settings, and what was met where.
    assert report["packages"]["dtale"] == version("dtale")
    assert report["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert report["settings"]["range"] == [kernel.ports[0], kernel.ports[-1]]
    assert report["settings"]["ingress_url"] == "https://…/…"
    assert report["settings"]["proxy_url"] == "/…/proxy/{port}"
    assert report["settings"]["allowed_hosts"] == 1
    assert (report["here"]["frames"], report["here"]["in_front"]) == (1, True)
    met = {way["way"]: way["kernel"] for way in report["verdict"]["ways"]}
    assert met["ingress"] == "name-not-found"
    assert met["loopback"].startswith("ours ")
    of_all = json.loads(pasted)
    assert of_all["settings"] == {**report["settings"], **of_all["settings"]}
    assert kernel.pid in {one["pid"] for one in of_all["kernels"]}
    (printed,) = (one["text/plain"] for one in shown.displays)
    assert json.loads(printed) == report

    # It gives nothing away.
    slug = status["url"].rstrip("/").rpartition("/")[2]
    hidden = {*SECRETS.values(), *slug.split("-"), status["owner"], "layoffs", "salaries"}
    hidden |= {"pay-grade", "ada", "secret", "gpu", "/user", "/tmp", getpass.getuser()}
    hidden |= {socket.gethostname()}
    for text in (shown.text, pasted, json.dumps(report)):
        assert len(text) > 500
        assert not [one for one in hidden if one in text]


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://ada.dtale.example.org:8443/below/ada", "https://…:8443/…/…"),
        ("https://ada-{port}.example.org", "https://…"),
        ("http://127.0.0.1:40000", "http://…:40000"),
        ("/user/12345/proxy/40000", "/…/…/proxy/40000"),
        ("//host/{port}", "//…/{port}"),
        ("https://ada:secret@example.org/x?token=1#y", "https://…/…"),
        ("", ""),
    ],
)
def test_an_address_is_written_without_names(url: str, written: str) -> None:
    assert shape(url, 40000) == written


def test_words_of_another_version_or_a_page_are_not_taken_over() -> None:
    met = {"cause": "Ada's finding <b>", "text": "https://ada.example.org", "status": 200}
    row = {"source": "ada", "base": "/user/ada", "port": 40000, "kernel": met, "browser": None}
    told = outline({"reachable": "ada", "rows": [row], "summary": "ada", "label": "ada.ipynb"})
    assert "ada" not in json.dumps(told).lower()
    assert told["ways"][0]["kernel"] == "other 200"
