"""Which frame is which: names, cells, loops, and what is dropped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.support.plain_http import data_url, request

if TYPE_CHECKING:
    from tests.support.kernels import Kernel

MAKE_FRAME = """
import pandas as pd
df = pd.DataFrame({"a": [3, 1, 2], "k": ["p", "q", "q"]})
"""
LOOP = "for key, part in df.groupby('k'):\n    %dtale part"


@pytest.fixture(scope="module")
def kernel(shared_kernel: Kernel) -> Kernel:
    shared_kernel.renew().run("%load_ext dtale_magics")
    return shared_kernel


@pytest.fixture(autouse=True)
def fresh(kernel: Kernel) -> None:
    kernel.run("%dtale --drop all")
    kernel.run(MAKE_FRAME)


def frames(kernel: Kernel) -> dict[str, dict[str, Any]]:
    return {frame["name"]: frame for frame in kernel.status()["frames"]}


def values(frame: dict[str, Any], column: str = "a") -> list[Any]:
    rows = request(data_url(frame["url"])).json()["results"]
    return [rows[index][column] for index in sorted(rows, key=int)]


def columns(frame: dict[str, Any]) -> list[str]:
    found = request(data_url(frame["url"])).json()["columns"]
    return [column["name"] for column in found][1:]


IN_ONE_RUN = [
    LOOP,
    "def look(part):\n    %dtale part\nlook(df[df.k == 'p'])\nlook(df[df.k == 'q'])",
    "part = df[df.k == 'p']\n%dtale part\npart = df[df.k == 'q']\n%dtale part",
    "for part in [df[df.k == n] for n in 'pq']:\n    get_ipython().run_line_magic('dtale', 'part')",
    "for name in 'pq':\n    part = df[df.k == name]\n    %dtale part  # each",
]


@pytest.mark.parametrize("cell", ["loop-cell", ""], ids=["with a cell id", "as in a console"])
@pytest.mark.parametrize("code", IN_ONE_RUN)
def test_one_name_in_one_run_is_a_frame_each_time(kernel: Kernel, code: str, cell: str) -> None:
    kernel.run(code, cell=cell)
    first = frames(kernel)
    assert {name: values(one) for name, one in first.items()} == {"part": [3], "part (2)": [1, 2]}
    kernel.run("df['a'] += 10")
    kernel.run(code, cell=cell)
    again = frames(kernel)
    shown = {name: values(one) for name, one in again.items()}
    assert shown == {"part": [13], "part (2)": [11, 12]}
    for name, one in first.items():
        assert again[name]["url"] == one["url"], "run again, each is updated in place"


def test_a_shorter_loop_leaves_nothing_behind(kernel: Kernel) -> None:
    kernel.run(LOOP, cell="loop")
    kernel.run("df = df[df.k == 'q']")
    kernel.run(LOOP, cell="loop")
    kernel.run("%dtale --list", cell="list")
    assert {name: values(one) for name, one in frames(kernel).items()} == {"part": [1, 2]}


CHANGES = [
    "df = df.rename(columns={'a': 'z'})",
    "df['x'] = 1",
    "df.drop(columns='a', inplace=True)",
    "df.loc[0, 'a'] = 99",
    "df = pd.DataFrame({'other': [1.5]})",
    "df.sort_values('a', inplace=True, ignore_index=True)",
]


@pytest.mark.parametrize("option", ["", " --inplace"])
@pytest.mark.parametrize("change", CHANGES)
def test_an_earlier_cells_grid_stays_what_it_was(kernel: Kernel, change: str, option: str) -> None:
    kernel.run("%dtale df" + option, cell="first")
    kernel.run(change, cell="second")
    assert values(frames(kernel)["df"]) == [3, 1, 2], "before it is shown again, too"
    kernel.run("%dtale df" + option, cell="third")
    old, new = frames(kernel)["df"], frames(kernel)["df (2)"]
    assert (columns(old), values(old)) == (["a", "k"], [3, 1, 2])
    assert columns(new) == kernel.value("[*df.columns]")
    assert old["newer"]["data_id"] == new["data_id"]
    assert new["newer"] is None
    kernel.run("%dtale df", cell="first")
    old, new = frames(kernel)["df"], frames(kernel)["df (2)"]
    assert columns(old) == columns(new), "run again, the first cell shows what df is now"
    assert new["newer"]["data_id"] == old["data_id"]


def test_without_cells_a_name_is_one_frame(kernel: Kernel) -> None:
    kernel.run("%dtale df --sort a:DESC")
    kernel.run("df = df[df.a > 1]")
    kernel.run("x = 1\n%dtale df")
    assert {name: values(one) for name, one in frames(kernel).items()} == {"df": [3, 2]}


def test_expressions_are_limited_and_said_to_be_dropped(kernel: Kernel) -> None:
    for number in range(5):
        kernel.run(f"%dtale df.head({number})", cell=f"cell {number}")
    assert len(frames(kernel)) == 5
    shown = kernel.run("%dtale df.tail(1)", cell="next")
    assert "Dropped: df.head(0)." in shown.text
    assert "kept_expressions" in shown.text
    assert list(frames(kernel)) == [*(f"df.head({number})" for number in range(1, 5)), "df.tail(1)"]
    kernel.run("%dtale df", cell="a variable")
    kernel.run("%dtale df.tail(2) --name last", cell="named")
    kernel.run("frames = {'x': df}\n%dtale frames['x']", cell="held")
    assert len(frames(kernel)) == 8, "what is held or named does not count"
    kernel.run("for i in range(7):\n    %dtale df.head(i)", cell="loop")
    assert sum(name.startswith("df.head(i)") for name in frames(kernel)) == 7, "a loop is whole"
    kernel.run("%config DtaleMagics.kept_expressions = 1")
    kernel.run("%dtale df.tail(3)", cell="last")
    assert list(frames(kernel)) == ["df", "last", "frames['x']", "df.tail(3)"]
    kernel.run("%config DtaleMagics.kept_expressions = 5")


def test_what_is_listed_and_dropped(kernel: Kernel) -> None:
    kernel.run(LOOP, cell="loop")
    kernel.run("%dtale df", cell="first")
    kernel.run("%dtale df", cell="second")
    number = kernel.value("get_ipython().displayhook.prompt_count") - 1
    listed = kernel.run("%dtale --list").text
    assert f"df (2): 3 rows × 2 columns, cell [{number}], 0.2 kB" in listed
    assert "part (2): 2 rows × 2 columns" in listed
    kernel.run("%dtale --drop part (2)")
    assert list(frames(kernel)) == ["part", "df", "df (2)"]
    refused = kernel.run("%dtale --drop df nope", ok=False)
    assert "no frame 'nope'" in refused.text
    assert list(frames(kernel)) == ["part", "df", "df (2)"], "nothing was dropped"
    kernel.run("%dtale --drop df")
    assert list(frames(kernel)) == ["part"]


@pytest.mark.parametrize("bad", ["None", "nope", "1 / 0", "object()", "df --sort nope"])
def test_a_cell_that_fails_changes_nothing(kernel: Kernel, bad: str) -> None:
    kernel.run("%dtale df", cell="first")
    before = kernel.status()
    failed = kernel.run(f"%dtale {bad}", cell="first", ok=False)
    assert failed.error is not None
    assert kernel.status() == before
    kernel.run(f"%dtale df\n%dtale {bad}", cell="first", ok=False)
    assert {name: values(one) for name, one in frames(kernel).items()} == {"df": [3, 1, 2]}


def test_a_frames_shape_is_its_own(kernel: Kernel) -> None:
    for expression, shape in {
        "df": [3, 2],
        "df.set_index('k')": [3, 1],
        "df[df.a > 1]": [2, 2],
        "df.a": [3, 1],
        "df.set_index(['k', 'a'])": [3, 0],
    }.items():
        kernel.run(f"%dtale {expression} --name one", cell=expression)
        *_, one = kernel.status()["frames"]
        assert [one["rows"], one["columns"]] == shape, expression


def api(kernel: Kernel, name: str, route: str) -> None:
    base, _, data_id = frames(kernel)[name]["url"].rpartition("/dtale/main/")
    assert request(f"{base}/dtale/{route.format(id=data_id)}").json()["success"]


def test_the_way_back_as_it_is_typed(kernel: Kernel) -> None:
    kernel.run("df.index = ['x', 'y', 'z']")
    kernel.run("%dtale df", cell="first")
    above_one = quote(json.dumps({"type": "int", "operand": ">", "value": 1}))
    api(kernel, "df", f"save-column-filter/{{id}}?col=a&cfg={above_one}")
    kernel.run("kept = %dtale --data df")
    assert kernel.value("kept.equals(df[df.a > 1])")
    none = kernel.run("edited = %dtale --edited df", ok=False)
    assert "Nothing was edited in the grid of df." in none.text
    assert "%dtale --data df" in none.text
    api(kernel, "df", "edit-cell/{id}?col=k&rowIndex=0&updated=new&type=string")
    said = kernel.run("%dtale df", cell="first").text
    assert "1 edit made in the grid of df gave way to its value." in said
    typed = "edited = %dtale --edited df"
    assert typed in said
    kernel.run(typed)
    assert kernel.value("[*edited.k]") == ["new", "q", "q"]
    assert kernel.value("[*df.k]") == ["p", "q", "q"]
    kernel.run("%dtale df", cell="second")
    assert "df (2), which was shown last. Others: 'df (1)'" in kernel.run("%dtale --data df").text
    for typed in ("df (1)", "'df (1)'", '"df (1)"'):
        kernel.run(f"kept = %dtale --data {typed}")
        assert kernel.value("[*kept.a]") == [3, 2], "that one has the filter"
    kernel.run("kept = %dtale --data df (2)")
    assert kernel.value("[*kept.a]") == [3, 1, 2]
    api(kernel, "df (2)", "edit-cell/{id}?col=k&rowIndex=0&updated=new&type=string")
    said = kernel.run("%dtale df", cell="second").text
    assert "edited = %dtale --edited 'df (2)'" in said
    assert "gone with it: df" not in kernel.run("%dtale --drop df (2)").text


def test_what_no_longer_applies_is_said_in_one_line(kernel: Kernel) -> None:
    kernel.run("%dtale df --sort a:DESC", cell="first")
    kernel.run("df = df.drop(columns='a')")
    said = kernel.run("%dtale df", cell="first")
    lines = [line for line in said.text.splitlines() if "is shown without" in line]
    assert "df is shown without sorting by a (it is gone)." in lines
    kernel.run("%dtale df", cell="first")
