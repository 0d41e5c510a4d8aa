"""D-Tale's own Python API under the extension: the right address, or a sentence that says why."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import dtale.app
import pytest
from dtale.views import DtaleData

from tests.support.kernels import Kernel
from tests.support.plain_http import request
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/", "JUPYTERHUB_USER": "ada"}
VIEW = "application/vnd.jupyter.widget-view+json"

METHODS = {
    "adjust_cell_dimensions", "build_main_url", "cleanup", "data", "get_corr_matrix",
    "get_pps_matrix", "get_settings", "is_up", "kill", "main_url", "notebook", "notebook_charts",
    "notebook_correlations", "offline_chart", "open_browser", "update_id", "update_settings",
    "view_data",
}  # fmt: skip

OPTIONS_OF_SHOW = {
    "data", "data_loader", "name", "context_vars", "options",
}  # fmt: skip


@pytest.fixture(scope="module", params=["here", "hub"])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """A kernel with one frame; on a Hub, its address is the Hub's path."""
    environ = HUB if request.param == "hub" else {}
    with PortClaims() as claims, Kernel(claims.take(), environ=environ) as kernel:
        kernel.start()
        kernel.run("%load_ext dtale_magics\nimport pandas as pd, dtale, dtale.global_state as gs")
        kernel.run("df = pd.DataFrame({'a': [1, 2], 'b': [3, 4]})")
        kernel.run("inst = %dtale df", cell="one")
        kernel.run("import dtale.env_util; dtale.env_util.open_browser = print")  # none runs here
        yield kernel


def address(kernel: Kernel) -> str:
    """Where a reader gets to the kernel's D-Tale, without a trailing slash."""
    url: str = kernel.status()["url"].rstrip("/")
    on_hub = kernel.value("__import__('os').environ.get('JUPYTERHUB_USER', '')")
    if not on_hub:
        return url
    port, slug = url.split(":")[2].split("/")
    return f"/user/ada/proxy/{port}/{slug}"


def test_what_dtale_offers_is_known() -> None:
    """A new method or argument of D-Tale's has to be looked at."""
    assert {name for name in vars(DtaleData) if not name.startswith("_")} == METHODS
    assert set(inspect.signature(dtale.app.show).parameters) == OPTIONS_OF_SHOW


@pytest.mark.parametrize(
    "expression",
    [
        "inst._main_url",
        "inst.build_main_url()",
        "inst.build_main_url('df')",
        "dtale.get_instance(inst._data_id)._main_url",
        "dtale.get_instance('df')._main_url",
    ],
)
def test_an_instance_gives_the_frames_address(kernel: Kernel, expression: str) -> None:
    data_id = kernel.status()["frames"][0]["data_id"]
    assert kernel.value(expression) == f"{address(kernel)}/dtale/main/{data_id}"


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("inst.main_url()", "/dtale/main/"),
        ("print(dtale.get_instance(inst._data_id).main_url())", "/dtale/main/"),
        ("dtale.instances()", "/dtale/main/"),
        ("dtale.show(df, ignore_duplicate=False)", "/dtale/main/"),
        ("inst.notebook()", "/dtale/iframe/"),
        ("inst.notebook_charts(chart_type='bar', x='a', y='b')", "/dtale/charts/"),
        ("inst.notebook_correlations('a', 'b')", "/dtale/popup/correlations/"),
        ("inst.open_browser()", "/dtale/main/"),
        ("dtale.show(df, open_browser=True)", "/dtale/main/"),
        ("%dtale df --open-browser", "/dtale/main/"),
    ],
)
def test_what_dtale_prints_and_shows_leads_there(kernel: Kernel, code: str, path: str) -> None:
    shown = kernel.run(code).text
    assert f"{address(kernel)}{path}" in shown
    root = kernel.status()["url"].split("/", 3)
    assert f"{root[0]}//{root[2]}/dtale/" not in shown, "a link without the slug leads nowhere"


@pytest.mark.parametrize(
    "code", ["inst", "from IPython.display import display; display(inst)", "x = 1; inst"]
)
def test_an_instance_shows_panel_and_grid_wherever_it_is_displayed(
    kernel: Kernel, code: str
) -> None:
    for _ in range(2):
        shown: list[dict[str, Any]] = kernel.run(code, cell="one").displays
        assert len([one for one in shown if VIEW in one]) == 1
    once = kernel.run("inst = %dtale df\ninst", cell="one")
    assert len([one for one in once.displays if VIEW in one]) == 1, "not twice in one cell"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("ssl_context='adhoc'", "plain HTTP"),
        ("host='127.0.0.1'", "every address"),
        ("host='localhost', port=40000", "every address"),
        ("app_root='/elsewhere'", "finds out by which path"),
        ("reaper_on=True", "keeps its frames"),
    ],
)
def test_what_is_not_heeded_is_refused_in_one_sentence(
    kernel: Kernel, option: str, reason: str
) -> None:
    before = kernel.status()
    said = kernel.run(f"dtale.show(df.T, {option})", ok=False)
    assert said.error == "UsageError"
    assert reason in said.text
    assert "Traceback" not in said.text
    after = kernel.status()
    assert (after["frames"], after["ports"]) == (before["frames"], before["ports"])


def test_what_makes_no_difference_is_taken(kernel: Kernel) -> None:
    kernel.run("dtale.show(df.T, host='0.0.0.0', subprocess=False, reaper_on=False, name='turned')")
    (frame,) = [one for one in kernel.status()["frames"] if one["name"] == "turned"]
    assert request(frame["url"]).status == 200
    kernel.run("%dtale --drop turned")


def test_the_rest_of_the_api_works(kernel: Kernel) -> None:
    kernel.run("other = dtale.show(pd.DataFrame({'a': [2, 1], 'b': [5, 6]}))")
    kernel.run("other.update_settings(precision=1); assert other.get_settings()['precision'] == 1")
    kernel.run(
        "assert list(other.view_data['a']) == [2, 1]; assert list(other.data['a']) == [2, 1]"
    )
    kernel.run("other.data = pd.DataFrame({'c': [9]}); assert list(other.data['c']) == [9]")
    kernel.run("other.get_corr_matrix(as_df=True) if len(other.data.columns) > 1 else None")
    kernel.run("assert other.is_up(); other.update_id('4711')")
    assert kernel.value("other._main_url").endswith("/dtale/main/4711")
    kernel.run("other.cleanup()")
    assert "4711" not in [one["data_id"] for one in kernel.status()["frames"]]


def test_dtales_sign_in_can_be_switched_on_and_off_late(kernel: Kernel) -> None:
    base = kernel.status()["url"]
    frame = f"{base}dtale/main/{kernel.status()['frames'][0]['data_id']}"
    kernel.run("gs.set_auth_settings({'active': True, 'username': 'ada', 'password': 'secret'})")
    try:
        asked = request(frame)
        assert (asked.status, asked.headers["Location"]) == (302, f"/{base.split('/')[3]}/login")
        page = request(f"{base}login")
        assert page.status == 200
        assert "password" in page.text
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        wrong = request(f"{base}login", "POST", headers=form, body=b"username=ada&password=x")
        assert "Invalid credentials" in wrong.text
        right = request(f"{base}login", "POST", headers=form, body=b"username=ada&password=secret")
        assert right.status == 302
        cookie = right.headers["Set-Cookie"].split(";")[0]
        assert request(frame, headers={"Cookie": cookie}).status == 200
    finally:
        kernel.run("gs.set_auth_settings({'active': False})")
    assert request(frame).status == 200


def test_colab_and_ngrok_are_left_to_dtale() -> None:
    """Simulated: neither runs here. D-Tale's own functions are asked, and ours stay away."""
    with PortClaims() as claims, Kernel(claims.take()) as kernel:
        kernel.start()
        kernel.run("%load_ext dtale_magics\nimport pandas as pd, dtale.app, sys, types")
        kernel.run(
            "output = types.ModuleType('google.colab.output')\n"
            "output.eval_js = lambda code: 'https://8888-colab.example.test/'\n"
            "sys.modules['google.colab.output'] = output\n"
            "for name in ('google', 'google.colab'): sys.modules[name] = types.ModuleType(name)\n"
            "dtale.app.USE_COLAB = True; dtale.app.is_up = lambda base: True\n"
            f"inst = dtale.show(pd.DataFrame({{'a': [1]}}), port={kernel.ports[4]})"
        )
        assert kernel.value("dtale.app.ACTIVE_HOST") == "0.0.0.0"
        assert kernel.value("inst._main_url") == "https://8888-colab.example.test/dtale/main/1"
        assert kernel.status()["ports"] == []
