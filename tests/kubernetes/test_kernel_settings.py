"""What a kernel makes of the settings that the cluster gives it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from dtale_magics.__main__ import main
from dtale_magics.errors import SettingError
from dtale_magics.reach import public_urls
from dtale_magics.settings import resolve
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
def test_what_is_no_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingError) as caught:
        resolve(environ={"DTALE_INGRESS_URL": url, "JUPYTERHUB_USER": "ada"})
    assert "DTALE_INGRESS_URL" in caught.value.what
    assert "%env DTALE_INGRESS_URL=" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8000", "https://[::1]:8443/x", "https://10.0.0.1/a", "https://a_b.example.org",
     "https://bücher.example/~ada", "https://x.org/p/{port}", "https://Dtale.Example.org"],
)  # fmt: skip
def test_what_works_is_not_refused(url: str) -> None:
    assert resolve(environ={"DTALE_INGRESS_URL": url}).ingress_url == url


def test_a_field_that_nothing_fills_is_refused() -> None:
    with pytest.raises(SettingError, match="JUPYTERHUB_USER is not set"):
        resolve(environ={"DTALE_INGRESS_URL": "https://{user}.example.org"})


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
from dtale_magics.__main__ import main
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
