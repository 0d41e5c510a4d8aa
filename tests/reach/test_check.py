"""Whose D-Tale is where: the identity, and the kernel's side of a check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from dtale_magics import url_template
from dtale_magics.errors import SettingError
from dtale_magics.frontend.extension import _panel_api as panel_api
from dtale_magics.reach import causes, probe
from dtale_magics.reach.finding import Finding
from dtale_magics.reach.public_urls import candidates
from dtale_magics.serving import identity
from dtale_magics.serving.guard import HEADER
from dtale_magics.session import Session
from dtale_magics.settings import PortRange, Settings, resolve
from tests.support import plain_http
from tests.support.kernels import environment, port_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


INGRESS = "http://dtale.example.org/dtale/ada"


@pytest.fixture
def session(ports: range, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("DTALE_INGRESS_URL", INGRESS)
    for name, value in port_settings(ports).items():
        monkeypatch.setenv(name, value)
    one = Session()
    one.panel_api = panel_api(one)
    one.ensure()
    yield one
    one.stop()


def test_a_kernel_says_who_it_is_to_those_who_know_its_id(session: Session) -> None:
    def ask(path: str, **headers: str) -> plain_http.Response:
        return plain_http.request(f"http://127.0.0.1:{session.port}{path}", headers=headers)

    who = identity.path(["0" * 16, session.owner])
    answer = ask(who)
    assert answer.status == 200
    assert answer.json() == {"protocol": 1, "owner": session.owner, "prefix": "", "unknown": ""}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    page = ask(who, Origin="https://hub.example.org")
    assert page.headers["Access-Control-Allow-Origin"] == "https://hub.example.org"
    # Below the path of the ingress it is the same; a path that it does not know, it names.
    assert ask(f"/dtale/ada{who}").json()["prefix"] == "/dtale/ada"
    assert ask(f"/elsewhere{who}").json()["unknown"] == "/elsewhere"

    stranger = ask("/anything")
    for path in (identity.path(["0" * 16]), f"{identity.PATH}x", f"{who}/more", identity.PATH):
        other = ask(path)
        assert (other.status, other.body) == (stranger.status, stranger.body), path
        assert "Access-Control-Allow-Origin" not in other.headers


def test_what_a_page_tells_counts_for_its_round_and_nonsense_for_nothing(session: Session) -> None:
    def tell(body: str) -> int:
        headers = {HEADER: "1", "Content-Type": "application/json"}
        url = f"{session.base_url}/_magics/told"
        return plain_http.request(url, "POST", headers=headers, body=body.encode()).status

    way = session.reach.links()["ways"][0]
    found = {"base": way["base"], "port": way["port"], "cause": "ours", "milliseconds": 7}
    said = {"round": session.reach.links()["round"], "origin": "https://x.org", "found": [found]}

    for wrong in (
        "",
        "[]",
        "{}",
        "[" * 4000,
        json.dumps({**said, "found": [{**found, "cause": "bliss"}]}),
        json.dumps({**said, "found": [{**found, "milliseconds": "<b>"}]}),
        json.dumps({**said, "found": 7}),
        "x" * 100_000,
    ):
        assert tell(wrong) == 400, wrong[:50]
    assert tell(json.dumps({**said, "round": "an earlier one"})) == 200
    assert session.reach.verdict().reachable is None

    assert tell(json.dumps(said)) == 200
    verdict = session.reach.verdict()
    assert verdict.reachable
    assert verdict.summary.endswith(f"through the ingress: {INGRESS}")

    session.bind(session.settings().range.last)
    assert session.reach.verdict().reachable is None  # that was about other ports


def test_two_notebooks_are_told_apart(session: Session, ports: range) -> None:
    session.stop()  # else it shares the port, and is met there
    other = Session()
    other.set_range(PortRange(ports[0], ports[-1]))
    other.ensure()
    try:
        base = f"http://127.0.0.1:{other.port}"
        own = probe.Question(base, session.owner, {other.owner: "train.ipynb"})
        assert probe.ask(own) == Finding(causes.ANOTHER_NOTEBOOK, label="train.ipynb")
        assert probe.ask(probe.Question(base, session.owner)) == Finding(causes.OTHER_DTALE)
        assert probe.ask(probe.Question(base, other.owner)).is_ours
    finally:
        other.stop()


def test_the_command_answers_when_nothing_runs(tmp_path: Path, ports: range) -> None:
    environ = environment({"DTALE_INGRESS_URL": f"http://127.0.0.1:{ports[0]}"}, tmp_path)
    # The pod's siblings are those of a network namespace; other tests run in this one.
    code = "from dtale_magics.pod import peers; peers.checks = lambda: []\n"
    code += "from dtale_magics.__main__ import main; raise SystemExit(main(['check', '--json']))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1  # not reachable
    printed = json.loads(done.stdout)
    assert (printed["version"], printed["kernels"], printed["reachable"]) == (1, [], False)
    told = printed["without_kernel"]
    assert told["reachable"] is False
    assert told["ways"][0]["kernel"] == "refused"


def _ways(url: str | None, ports: list[int], **environ: str) -> list[tuple[str, str, int]]:
    settings = Settings(PortRange(40000, 40009), 40000, url)
    return [(one.source, one.base, one.port) for one in candidates(settings, ports, environ)]


def test_a_url_holds_for_the_ports_that_it_leads_to() -> None:
    # It leads to the ingress port, whoever has that.
    assert _ways("https://x.org", [40001])[0] == ("ingress", "https://x.org", 40000)
    # With a placeholder it leads to every port.
    assert _ways("https://x.org/{port}", [40001, 40000])[:2] == [
        ("ingress", "https://x.org/40000", 40000),
        ("ingress", "https://x.org/40001", 40001),
    ]
    hub = _ways(None, [40001], JUPYTERHUB_SERVICE_PREFIX="/user/ada/gpu/")
    assert hub[0] == ("hub", "/user/ada/gpu/proxy/40001", 40001)
    assert hub[-1] == ("loopback", "http://127.0.0.1:40001", 40001)
    told = _ways(
        None,
        [40001],
        JUPYTERHUB_SERVICE_PREFIX="/user/ada/gpu/",
        JUPYTERHUB_PUBLIC_URL="https://hub.example.org/user/ada/gpu/",
    )
    assert told[0] == ("hub", "https://hub.example.org/user/ada/gpu/proxy/40001", 40001)


def test_placeholders_of_the_url() -> None:
    environ: dict[str, Any] = {
        "JUPYTERHUB_USER": "ada",
        "JUPYTERHUB_SERVER_NAME": "gpu",
        "POD_NAME": "jupyter-ada",
        "POD_NAMESPACE": "jhub",
    }
    template = "https://{user}--{server}.x.org/{namespace}/{pod}/{port}/"
    expanded = "https://ada--gpu.x.org/jhub/jupyter-ada/{port}"
    assert url_template.expand(template, environ, "DTALE_INGRESS_URL") == expanded
    assert resolve(environ={**environ, "DTALE_INGRESS_URL": template}).ingress_url == expanded
    for wrong in ("https://{username}.x.org", "x.org", "ftp://x.org", "https://x.org:99999"):
        with pytest.raises(SettingError, match="DTALE_INGRESS_URL"):
            url_template.expand(wrong, os.environ, "DTALE_INGRESS_URL")
