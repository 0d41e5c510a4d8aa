"""The magics in a real kernel, as a user types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.support.plain_http import data_url, request

if TYPE_CHECKING:
    from tests.support.kernels import Kernel, StartKernel

MAKE_FRAME = "import pandas as pd; df = pd.DataFrame({'a': [3, 1, 2], 'b': list('xyz')})"


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Kernel:
    shared_kernel.renew().run("%load_ext dtale_magics")
    shared_kernel.run(MAKE_FRAME)
    return shared_kernel


def frame_of(kernel: Kernel, name: str) -> dict[str, Any]:
    (frame,) = [one for one in kernel.status()["frames"] if one["name"] == name]
    return dict(frame)


def grid(kernel: Kernel, name: str, **parameters: str) -> dict[str, Any]:
    """What D-Tale's page asks for to fill its grid."""
    extra = "".join(f"&{key}={quote(value)}" for key, value in parameters.items())
    answer = request(data_url(frame_of(kernel, name)["url"]) + extra).json()
    assert answer.get("success", True), answer
    return dict(answer)


def column(kernel: Kernel, frame: str, name: str) -> list[Any]:
    rows = grid(kernel, frame)["results"]
    return [rows[index][name] for index in sorted(rows, key=int)]


def api(kernel: Kernel, frame: str, route: str) -> dict[str, Any]:
    """Call one of D-Tale's own routes for a frame."""
    base, _, data_id = frame_of(kernel, frame)["url"].rpartition("/dtale/main/")
    return dict(request(f"{base}/dtale/{route.format(id=data_id)}").json())


RECORD_IMPORTS = """
import sys, threading
class Recorder:
    names = set()
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            self.names.add(name.partition(".")[0])
sys.meta_path.insert(0, Recorder())
"""


def test_loading_imports_nothing_heavy_in_the_cell(start_kernel: StartKernel) -> None:
    heavy = {"dtale", "pandas", "flask", "ipywidgets", "anywidget", "werkzeug"}
    kernel = start_kernel()
    kernel.run(RECORD_IMPORTS)
    # In one cell: after it, the kernel imports D-Tale as soon as it is idle.
    kernel.run("%load_ext dtale_magics\nimported = sorted(Recorder.names)")
    imported = set(kernel.value("imported"))
    assert "dtale_magics" in imported
    assert not imported & heavy


def test_a_frame_is_shown_with_its_data_and_its_link(kernel: Kernel) -> None:
    shown = kernel.run("%dtale df", cell="one")
    status = kernel.status()
    assert status["label"] == "eda.ipynb"
    assert status["port"] in kernel.ports
    assert status["url"].startswith(f"http://127.0.0.1:{status['port']}/eda-")
    assert (frame_of(kernel, "df")["rows"], frame_of(kernel, "df")["columns"]) == (3, 2)
    assert column(kernel, "df", "a") == [3, 1, 2]
    assert any("application/vnd.jupyter.widget-view+json" in bundle for bundle in shown.displays)
    assert shown.stderr == ""


def test_everything_that_the_page_loads_is_served(
    kernel: Kernel,
) -> None:
    kernel.run("%dtale df")
    url = kernel.status()["url"]
    entrance = request(url)
    assert entrance.status == 302
    data_id = frame_of(kernel, "df")["data_id"]
    assert entrance.headers["Location"].endswith(f"/dtale/main/{data_id}")
    page = request(frame_of(kernel, "df")["url"]).text
    slug = url.rstrip("/").rpartition("/")[2]
    links = [part.split('"')[0] for part in page.split('src="')[1:]]
    assert links
    for link in links:
        assert not link.startswith(("/dtale", "http")), link
        assert request(url.replace(f"/{slug}/", link)).status == 200


def test_without_the_slug_nothing_is_to_be_had(kernel: Kernel) -> None:
    kernel.run("%dtale df")
    root = f"http://127.0.0.1:{kernel.status()['port']}"
    paths = ["/", "/dtale/main/1", "/dtale/data/1", "/health", "/shutdown", "/eda-/dtale/main/1"]
    answers = {(answer.status, answer.body) for answer in (request(root + path) for path in paths)}
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert column(kernel, "df", "a") == [3, 1, 2]


def test_running_again_updates_in_place_and_keeps_what_the_user_did(kernel: Kernel) -> None:
    kernel.run("%dtale df")
    data_id = frame_of(kernel, "df")["data_id"]
    above_one = quote(json.dumps({"type": "int", "operand": ">", "value": 1}))
    assert api(kernel, "df", f"save-column-filter/{{id}}?col=a&cfg={above_one}")["success"]
    assert column(kernel, "df", "a") == [3, 2]
    kernel.run("df = pd.DataFrame({'a': [1, 5, 6, 7], 'c': [0.5] * 4})")
    shown = kernel.run("%dtale df")
    assert frame_of(kernel, "df")["data_id"] == data_id
    assert column(kernel, "df", "a") == [5, 6, 7]
    assert "already" not in shown.text
    kernel.run("df = df[['c']]")
    kernel.run("%dtale df")
    assert column(kernel, "df", "c") == [0.5] * 4, "a filter on a column that is gone is dropped"


def test_what_dtale_says_of_a_column_follows_its_values(kernel: Kernel) -> None:
    def greatest() -> dict[str, int]:
        columns = api(kernel, "df", "dtypes/{id}")["dtypes"]
        return {one["name"]: one["max"] for one in columns if "max" in one}

    kernel.run(
        "from dtale_magics.viewer.patches import column_analysis; column_analysis._MANY_VALUES = 1"
    )
    kernel.run("df['c'] = [7, 8, 9]")
    kernel.run("%dtale df")
    assert greatest() == {"a": 3, "c": 9}
    kernel.run("df.loc[1, 'a'] = 100")  # in place
    kernel.run("%dtale df")
    assert greatest() == {"a": 100, "c": 9}
    assert column(kernel, "df", "a") == [3, 100, 2]
    # What is edited in D-Tale is gone when the cell is run again, and so is what D-Tale says of it.
    edit = "edit-cell/{id}?col=c&rowIndex=0&updated=50&type=int64"
    assert api(kernel, "df", edit)["success"]
    assert column(kernel, "df", "c") == [50, 8, 9]
    kernel.run("%dtale df")
    assert column(kernel, "df", "c") == [7, 8, 9]
    assert greatest() == {"a": 100, "c": 9}
    kernel.run("df['c'] = [50, 8, 9]")
    kernel.run("%dtale df")
    assert greatest() == {"a": 100, "c": 50}
    kernel.run(
        "from dtale_magics.viewer.patches import column_analysis\n"
        "column_analysis._MANY_VALUES = 100_000"
    )


def test_sorting_is_kept_and_still_true(kernel: Kernel) -> None:
    kernel.run("%dtale df --sort a:ASC")

    def as_the_page_asks() -> list[int]:
        rows = grid(kernel, "df", sort=json.dumps([["a", "ASC"]]))["results"]
        return [rows[index]["a"] for index in sorted(rows, key=int)]

    assert as_the_page_asks() == [1, 2, 3]
    kernel.run("df = pd.DataFrame({'a': [9, 7, 8]})")
    kernel.run("%dtale df")
    assert as_the_page_asks() == [7, 8, 9]


def test_dtales_own_options_pass_through(kernel: Kernel) -> None:
    kernel.run("inst = %dtale df --theme dark --hide-columns b --precision 4 --hide-shutdown")
    assert kernel.value("inst.get_settings()['theme']") == "dark"
    assert kernel.value("inst.get_settings()['precision']") == 4
    visible = {one["name"]: one["visible"] for one in grid(kernel, "df")["columns"]}
    assert (visible["a"], visible["b"]) == (True, False)


def test_names_that_dtale_would_mix_up_stay_apart(kernel: Kernel) -> None:
    kernel.run("my_df = pd.DataFrame({'a': [10]}); mydf = pd.DataFrame({'a': [20]})")
    kernel.run("_1 = pd.DataFrame({'a': [30]})")
    for name in ("df", "my_df", "mydf", "_1"):
        kernel.run(f"{name}_inst = %dtale {name}")
    for name, first in (("df", 3), ("my_df", 10), ("mydf", 20), ("_1", 30)):
        assert column(kernel, name, "a")[0] == first
        url = kernel.value(f"{name}_inst._main_url")
        assert request(data_url(url)).json()["results"]["0"]["a"] == first


BAD_INPUT = [
    ("%dtale nope", "UsageError", "There is no variable 'nope'"),
    ("%dtale my_frane", "UsageError", "Did you mean my_frame"),
    ("%dtale 1 +", "UsageError", "no Python expression"),
    ("%dtale 1 / 0", "ZeroDivisionError", "division by zero"),
    ("%dtale None", "FrameRefusedError", "None is None"),
    ("%dtale object()", "FrameRefusedError", "D-Tale cannot show object()"),
    ("%dtale df.groupby('a')", "FrameRefusedError", "%dtale df.groupby('a').size()"),
    ("%dtale df --themee dark", "UsageError", "Did you mean --theme"),
    ("%dtale df --port 99999", "SettingError", "outside 1-65535"),
    ("%dtale --drop nope", "UnknownFrameError", "There are: df"),
    ("%dtale --list df", "UsageError", "--list stands alone"),
    ("%dtale --theme dark", "UsageError", "needs a frame"),
    ("%dtale_port many", "SettingError", "not a port"),
    ("%dtale_port 40010 40000", "SettingError", "%dtale_port 40000 40010"),
]


def test_bad_input_is_explained_once_and_changes_nothing(kernel: Kernel) -> None:
    kernel.run("my_frame = df")
    kernel.run("%dtale df")
    before = kernel.status()
    for code, error, says in BAD_INPUT:
        shown = kernel.run(code, ok=False)
        assert shown.error == error, code
        assert says in shown.traceback, code
        assert shown.stderr == "", code
        if error != "ZeroDivisionError":
            assert "Traceback" not in shown.traceback, code
        assert kernel.status() == before, code
    assert kernel.run("%dtale 1 / 0", ok=False).traceback.count("division by zero") == 1
    assert column(kernel, "df", "a") == [3, 1, 2]
    processes = request(before["url"] + "dtale/processes").json()
    assert [one["name"] for one in processes["data"]] == ["df"]


def test_whatever_holds_a_table_is_shown_and_changes_are_said(kernel: Kernel) -> None:
    kernel.run("twins = pd.DataFrame([[1, 2]], columns=['a', 'a'])")
    assert "names made different" in str(kernel.run("%dtale twins").displays)
    assert (column(kernel, "twins", "a"), column(kernel, "twins", "a (2)")) == ([1], [2])
    assert "['a', 'a']" in str(kernel.run("list(twins.columns)").value)
    kernel.run("import polars as pl; lazy = pl.LazyFrame({'n': [2**53 + 1, None, 3]})")
    assert "the first 2 rows" in str(kernel.run("%dtale lazy --rows 2").displays)
    assert column(kernel, "lazy", "n") == ["9007199254740993", "nan"]
    kernel.run("reset = pd.DataFrame({'v': [1, 2]}, index=['x', 'y']).reset_index()")
    kernel.run("%dtale reset --inplace")
    assert column(kernel, "reset", "index") == ["x", "y"]
    assert "['index', 'v']" in str(kernel.run("list(reset.columns)").value)


def test_odd_frames_are_shown(kernel: Kernel) -> None:
    kernel.run("import numpy as np; empty = pd.DataFrame(); no_rows = df.head(0)")
    kernel.run("big = pd.DataFrame({'n': np.arange(2_000_000)})")
    kernel.run("frames = {'<script>alert(1)</script>': df}")
    for expression, rows in (("empty", 0), ("no_rows", 0), ("big", 2_000_000)):
        kernel.run(f"%dtale {expression}")
        assert frame_of(kernel, expression)["rows"] == rows
        assert request(frame_of(kernel, expression)["url"]).status == 200
    assert column(kernel, "big", "n")[:3] == [0, 1, 2]
    shown = kernel.run("""%dtale frames['<script>alert(1)</script>']""")
    markup = "".join(bundle.get("text/html", "") for bundle in shown.displays)
    assert "<script" not in markup
    assert column(kernel, "frames['<script>alert(1)</script>']", "a") == [3, 1, 2]


def test_dropping_and_stopping(kernel: Kernel) -> None:
    kernel.run("%dtale df")
    kernel.run("%dtale df.head(1)")
    url = frame_of(kernel, "df")["url"]
    assert "df.head(1)" in kernel.run("%dtale --list").text
    kernel.run("%dtale --drop df.head(1)")
    assert [one["name"] for one in kernel.status()["frames"]] == ["df"]
    kernel.run("%dtale --stop")
    assert kernel.status()["ports"] == []
    with pytest.raises(ConnectionError):
        request(url)
    kernel.run("%dtale df")
    assert frame_of(kernel, "df")["url"] == url, "the same link works again"
    assert request(url).status == 200


def test_the_range_and_the_port_can_be_set(kernel: Kernel) -> None:
    kernel.run("%dtale df")
    first, *_, other, last = kernel.ports
    url = frame_of(kernel, "df")["url"]
    assert f"stays on port {first}" in kernel.run(f"%dtale_port {other}-{last}").text
    assert kernel.status()["range"] == [other, last]
    kernel.run(f"%dtale_port {last}")
    status = kernel.status()
    assert (status["port"], status["ports"]) == (last, [first, last])
    assert request(url).status == 200, "open tabs go on"
    assert request(frame_of(kernel, "df")["url"]).status == 200
    kernel.run("%dtale_port --reset")
    assert kernel.status()["range"] == [first, last]


def test_configuration_is_taken(kernel: Kernel) -> None:
    first = kernel.ports[5]
    kernel.run(f"%config DtaleMagics.min_port = {first}")
    kernel.run("%dtale df")
    assert kernel.status()["port"] == first
    assert kernel.status()["ingress_port"] == first


def test_plain_show_uses_this_server_even_while_dtale_is_loading(
    start_kernel: StartKernel,
) -> None:
    kernel = start_kernel()
    kernel.run(
        "%load_ext dtale_magics\n"
        "import pandas as pd, dtale\n"
        "inst = dtale.show(pd.DataFrame({'a': [42]}))\n"
    )
    status = kernel.status()
    assert status["ports"] == [kernel.ports[0]]
    url = kernel.value("inst._main_url")
    assert url == status["frames"][0]["url"]
    assert request(data_url(url)).json()["results"]["0"]["a"] == 42
    assert kernel.value("inst.is_up()") is True
    kernel.run(f"%dtale_port {kernel.ports[3]}")
    assert f":{kernel.ports[3]}/" in kernel.value("inst._main_url")


def test_dtales_shutdown_frees_the_ports_and_keeps_the_frames(kernel: Kernel) -> None:
    kernel.run("inst = %dtale df")
    url = frame_of(kernel, "df")["url"]
    kernel.run("inst.kill()")
    kernel.run("import time; deadline = time.monotonic() + 30")
    kernel.run(
        "import dtale_magics\n"
        "while dtale_magics.status().ports and time.monotonic() < deadline: time.sleep(0.05)"
    )
    assert kernel.status()["ports"] == []
    kernel.run("%dtale df")
    assert request(url).status == 200


def test_unloading_leaves_nothing(kernel: Kernel) -> None:
    kernel.run("%dtale df")
    url = kernel.status()["url"]
    kernel.run("%unload_ext dtale_magics")
    with pytest.raises(ConnectionError):
        request(url)
    line_magics = kernel.value("list(get_ipython().magics_manager.lsmagic()['line'])")
    assert "who" in line_magics
    assert not {"dtale", "dtale_port"} & set(line_magics)
    kernel.run(
        "import sys\n"
        "def ours(value):\n"
        "    value = value.fget if type(value) is property else value\n"
        "    return type(value) is type(ours) and 'dtale_magics' in value.__code__.co_filename\n"
        "left = [f'{module}.{name}'\n"
        "    for module in [m for m in sys.modules if m.partition('.')[0] == 'dtale']\n"
        "    for name, value in vars(sys.modules[module]).items()\n"
        "    if ours(value) or isinstance(value, type) and any(map(ours, vars(value).values()))]"
    )
    left = kernel.value("left")
    assert left == []
    kernel.run("%load_ext dtale_magics")
    kernel.run("%dtale df")
    assert column(kernel, "df", "a") == [3, 1, 2]


def test_completion_knows_options_and_frames(kernel: Kernel) -> None:
    kernel.run("%dtale df")

    def complete(text: str) -> list[str]:
        reply = kernel.client.complete(text, reply=True, timeout=30)
        return list(reply["content"]["matches"])

    assert "--drop" in complete("%dtale --d")
    assert "--theme" in complete("%dtale df --th")
    assert "df" in complete("%dtale d")
    assert "--reset" in complete("%dtale_port --r")
