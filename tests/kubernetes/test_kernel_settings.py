"""What a kernel makes of the settings that the cluster gives it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from dtale_magics.__main__ import _is_reached, main
from dtale_magics.errors import SettingError
from dtale_magics.frontend.display import ports_text, verdict_text
from dtale_magics.reach import causes, public_urls, verdict
from dtale_magics.reach.finding import Finding
from dtale_magics.serving import guard
from dtale_magics.session import Session
from dtale_magics.settings import resolve
from dtale_magics.state import Audience
from dtale_magics.system import jupyter_server

if TYPE_CHECKING:
    from pathlib import Path


def settings(**environ: str) -> Any:
    return resolve(environ={"DTALE_MIN_PORT": "43050", "DTALE_MAX_PORT": "43059", **environ})


def test_the_port_that_is_seen_from_outside_is_tried_first() -> None:
    order = settings(DTALE_INGRESS_PORT="43055").search_order
    assert order[0] == 43055
    assert sorted(order) == list(range(43050, 43060))
    several = settings(DTALE_INGRESS_PORT="43055", DTALE_INGRESS_PORTS="43057-43058, 43055")
    assert list(several.search_order[:4]) == [43055, 43057, 43058, 43050]
    assert list(settings(DTALE_INGRESS_PORT="7000").search_order) == list(range(43050, 43060))


def test_a_port_that_is_not_exposed_gets_no_address_of_its_own() -> None:
    now = settings(
        DTALE_INGRESS_URL="https://ada-{port}.example.org",
        DTALE_INGRESS_PORT="43050",
        DTALE_INGRESS_PORTS="43050,43051",
    )

    def told(port: int) -> list[tuple[str, int]]:
        urls = public_urls.candidates(now, [port], {}, None)
        return [(one.base, one.port) for one in urls if one.source == "ingress"]

    assert told(43051) == [("https://ada-43051.example.org", 43051)]
    assert told(43052) == [("https://ada-43050.example.org", 43050)]


@pytest.mark.parametrize(
    "url",
    [
        "https://*.example.org", "https://{{user}}.example.org", "https://x/{user", "https://x/a b",
        "https://x/a/../b", "https://u:pw@x", "https://x y.org", "https://{user}.x/}", "https://",
        "https://x:0", "https://a%C3.org", "x.example.org", "https://x/?a", "https://x/#a",
    ],
)  # fmt: skip
def test_what_is_no_address_is_said_by_name_and_takes_nothing_else_away(url: str) -> None:
    settings = resolve(environ={"DTALE_INGRESS_URL": url, "JUPYTERHUB_USER": "ada"})
    assert settings.mistake is not None
    assert "DTALE_INGRESS_URL" in settings.mistake.what
    assert "goes on without it" in settings.mistake.hint
    assert settings.ingress_url is None
    hub = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}
    ways = [one.source for one in public_urls.candidates(settings, [43050], hub, None)]
    assert "hub" in ways
    assert "ingress" not in ways


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8000", "https://[::1]:8443/x", "https://10.0.0.1/a", "https://a_b.example.org",
     "https://bücher.example/~ada", "https://x.org/p/{port}", "https://Dtale.Example.org"],
)  # fmt: skip
def test_what_works_is_not_refused(url: str) -> None:
    settings = resolve(environ={"DTALE_INGRESS_URL": url})
    assert (settings.ingress_url, settings.mistake) == (url, None)


def test_a_field_that_nothing_fills_is_refused() -> None:
    mistake = resolve(environ={"DTALE_INGRESS_URL": "https://{user}.example.org"}).mistake
    assert mistake is not None
    assert "JUPYTERHUB_USER is not set" in mistake.what


@pytest.mark.parametrize("name", ["ingress_url", "proxy_url"])
def test_an_empty_setting_takes_away_what_the_environment_says(name: str) -> None:
    environ = {f"DTALE_{name.upper()}": "https://x.example.org/{port}"}
    assert getattr(resolve({name: None}, environ), name)
    assert getattr(resolve({name: ""}, environ), name) is None


def test_a_wildcard_stands_for_every_name_below_it() -> None:
    hosts = settings(DTALE_ALLOWED_HOSTS="*.dtale.example.org, x.org").allowed_hosts
    policy = guard.Policy(hosts=frozenset(hosts))

    def refused(name: str) -> bool:
        return guard.refuses_host({"HTTP_HOST": name}, policy, capable=True)

    assert not refused("ada.dtale.example.org")
    assert not refused("ada.dtale.example.org:8443")
    assert not refused("x.org")
    for name in ("dtale.example.org", "evil-dtale.example.org", "x.org.evil.com", "a.x.org"):
        assert refused(name), name
    assert "*.dtale.example.org:*" in guard.frame_ancestors(policy, ())
    for wrong in ("*", "*.", "a.*.org", "*x.org"):
        with pytest.raises(SettingError, match="not the name of a host"):
            settings(DTALE_ALLOWED_HOSTS=wrong)


def test_that_the_kernel_does_not_get_there_is_said_by_the_check_alone() -> None:
    base = "https://ada.example.org"
    seen = verdict.Row(
        "ingress", base, 40000, Finding(causes.NO_CONNECTION), Finding(causes.OURS, 7)
    )
    found = verdict.judge([seen])
    assert (found.reachable, found.meaning, found.advice) == (True, "", "")
    assert "egress policy" in found.aside
    assert found.aside in verdict_text(found.as_dict())
    untrusted = verdict.Row(
        "ingress", base, 40000, Finding(causes.BAD_CERTIFICATE), Finding(causes.OURS, 7)
    )
    assert "does not trust the certificate" in verdict.judge([untrusted]).aside


def test_a_sign_in_on_another_site_is_said_to_be_one() -> None:
    row = verdict.Row(
        "ingress",
        "https://ada.d.elsewhere.test",
        40000,
        Finding(causes.SIGN_IN),
        Finding(causes.NO_CONNECTION),
    )
    for origin, another in (
        ("https://hub.example.test", True),
        ("https://hub.elsewhere.test", False),
        ("http://127.0.0.1:8888", False),
        ("", False),
    ):
        found = verdict.judge([row], origin=origin)
        assert ("another site" in found.meaning) is another, origin
        assert "Open the link in a tab and sign in" in found.advice


def test_check_says_by_its_exit_code_what_it_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("DTALE_INGRESS_URL", "https://*.example.org")
    assert main(["check"]) == 2
    assert "DTALE_INGRESS_URL is" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "list"])
def test_without_its_dependencies_it_says_what_is_missing(command: str) -> None:
    code = f"""
import sys
for name in ("psutil", "IPython", "dtale", "traitlets"):
    sys.modules[name] = None
from dtale_magics.__main__ import _is_reached, main
sys.exit(main([{command!r}]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "needs psutil" in done.stderr


def test_a_server_file_of_another_pod_on_the_same_home_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    theirs = {"pid": 1, "url": "http://jupyter-ada--gpu:8888/user/ada/gpu/", "token": ""}
    (tmp_path / "jpserver-1.json").write_text(json.dumps(theirs))
    for name in [name for name in os.environ if name.startswith("JUPYTERHUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/gpu/")
    found = jupyter_server.of_this_kernel()
    assert found is not None
    assert found.url == theirs["url"]
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert jupyter_server.of_this_kernel() is None
    monkeypatch.setenv("JUPYTERHUB_SERVICE_URL", "http://0.0.0.0:8888/user/ada/")
    found = jupyter_server.of_this_kernel()
    assert found is not None
    assert found.url == "http://127.0.0.1:8888/user/ada/"


def test_a_hosted_proxy_has_a_path_of_its_own() -> None:
    now = settings(DTALE_PROXY_URL="/studio/{user}/proxy/{port}/", JUPYTERHUB_USER="ada")
    (way,) = (
        one for one in public_urls.candidates(now, [43051], {}, None) if one.source == "server"
    )
    assert way.base == way.path == "/studio/ada/proxy/43051"
    assert "/studio/ada/proxy/43051" in public_urls.prefixes(now, [43051], {})
    assert settings(DTALE_PROXY_URL="https://x.org/p/{port}").proxy_url == "https://x.org/p/{port}"
    config = {"proxy_url": "/own/{port}"}
    assert resolve(config, {"DTALE_PROXY_URL": "/env/{port}"}).proxy_url == "/own/{port}"


@pytest.mark.parametrize(
    "url", ["/studio/proxy", "proxy/{port}", "//x/{port}", "/a b/{port}", "/{p}/{port}"]
)
def test_a_proxy_url_that_leads_nowhere_is_refused(url: str) -> None:
    now = settings(DTALE_PROXY_URL=url)
    assert now.proxy_url is None
    assert now.mistake is not None
    assert "DTALE_PROXY_URL" in now.mistake.what


@pytest.mark.parametrize(
    ("reachable", "source", "cause", "reached"),
    [
        (True, "hub", "ours", True),
        (None, "ingress", "ours", True),  # by the kernel, and no page has told
        (None, "loopback", "ours", False),
        (None, "ingress", "refused", False),
        (False, "ingress", "ours", False),  # the browser's word counts
    ],
)
def test_a_probe_without_a_browser_goes_by_the_kernels_word(
    *, reachable: bool | None, source: str, cause: str, reached: bool
) -> None:
    row = {"source": source, "kernel": {"cause": cause}}
    assert _is_reached({"reachable": reachable, "rows": [row]}) is reached


@pytest.mark.parametrize(
    ("environ", "seen", "audience"),
    [
        ({}, False, Audience.MACHINE),
        ({"DTALE_INGRESS_URL": "https://ada.example.org"}, True, Audience.INGRESS),
        ({"DTALE_INGRESS_PORT": "PORT"}, True, Audience.INGRESS),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}, None, Audience.NOBODY),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}, True, Audience.NOBODY),
        # Nobody gets here: there may be an ingress of which nobody has told the kernel.
        ({"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}, False, Audience.INGRESS),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, False, Audience.INGRESS),
        ({"DTALE_INGRESS_URL": "https://ada-{port}.example.org"}, True, Audience.NOBODY),
        (
            {"DTALE_INGRESS_URL": "https://ada-{port}.example.org", "DTALE_INGRESS_PORTS": "PORT"},
            True,
            Audience.NOBODY,
        ),
        (
            {"DTALE_INGRESS_URL": "https://ada-{port}.example.org", "DTALE_INGRESS_PORTS": "7000"},
            True,
            Audience.INGRESS,
        ),
    ],
)
def test_the_ingress_port_is_spoken_of_where_somebody_asks_for_it(
    *,
    environ: dict[str, str],
    seen: bool | None,
    audience: Audience,
    ports: range,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = str(ports[0])
    for name, value in {"DTALE_MIN_PORT": port, **environ}.items():
        monkeypatch.setenv(name, value.replace("PORT", port) if value == "PORT" else value)
    session = Session()
    session.ensure()
    try:
        links = session.reach.links()
        if seen is not None:
            cause = "ours" if seen else "no-connection"
            found = [
                {"base": one["base"], "port": one["port"], "cause": cause, "milliseconds": 1}
                for one in links["ways"]
            ]
            said = {"round": links["round"], "origin": "https://hub.example.org", "found": found}
            session.reach.told(json.dumps(said))
        assert session.audience() is audience
        text = ports_text(session.status(), session.audience())
        assert ("ingress port" in text) is (audience is not Audience.NOBODY)
    finally:
        session.stop()
