"""``--watch`` and ``--auto``: what is shown without being asked for each time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.e2e.frontend.typed_kernel import refusal, rows_of
from tests.support.plain_http import request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.kernels import Kernel

CHANGES = {
    "rebound": "df = pd.DataFrame({'a': [7]})",
    "a value": "df.loc[0, 'a'] = 7",
    "a value, at": "df.at[1, 'a'] = 7",
    "text": "df.iloc[0, 1] = 'other'",
    "a column": "df['new'] = 1",
    "in place": "df.sort_values('a', inplace=True)",
    "dropped": "df.drop(columns='k', inplace=True)",
    "names": "df.columns = ['x', 'y', 'z']",
    "an index": "df.index = [5, 6, 7]",
    "a type": "df['a'] = df['a'].astype(float)",
    "a failing cell": "df['late'] = 2; 1 / 0",
    "a magic": "%timeit -n1 -r1 df.insert(0, 'n', 1)",
    "a function": "def change(frame):\n    frame['f'] = 1\nchange(df)",
    "numbers": "df = np.zeros((2, 2))",
    "polars": "import polars as pl; df = pl.DataFrame({'a': [2**60]})",
}

IN_PLACE = {
    "numpy": ("np.zeros((2, 2))", "it[1, 1] = 5"),
    "structured": ("np.zeros(2, dtype='i4,f8')", "it['f0'][1] = 5"),
    "masked": ("np.ma.array([1, 2])", "it[0] = np.ma.masked"),
    "list": ("[1, 2]", "it.append(3)"),
    "records": ("[{'a': 1}]", "it[0]['a'] = 2"),
    "dictionary": ("{'a': [1, 2]}", "it['a'][0] = 2"),
    "series": ("pd.Series([1, 2])", "it[0] = 5"),
    "categories": ("pd.DataFrame({'a': pd.Categorical(['x', 'y'])})", "it.loc[0, 'a'] = 'y'"),
    "polars": ("pl.DataFrame({'a': [1, 2]})", "it[0, 'a'] = 5"),
    "xarray": ("xr.DataArray(np.zeros(2), name='a')", "it[0] = 5"),
    "attribute": ("pd.DataFrame({'a': [1]})", "it.loc[0, 'a'] = 2", "box.it"),
    "item": ("pd.DataFrame({'a': [1]})", "it.loc[0, 'a'] = 2", "box.d['it']"),
}


@pytest.fixture(autouse=True)
def fresh(kernel: Kernel) -> Iterator[None]:
    kernel.run("df = pd.DataFrame({'a': [3, 1, 2], 't': ['x', 'y', 'z'], 'k': ['p', 'q', 'q']})")
    yield
    kernel.run("%dtale --auto off")
    kernel.run("%dtale --watch off")
    kernel.run("%dtale --drop all")


def expected(kernel: Kernel, name: str = "df") -> Any:
    """What the grid of a frame has to show: the same, shown by hand."""
    kernel.run(f"%dtale {name} --name by_hand")
    rows = rows_of(kernel, "by_hand")
    kernel.run("%dtale --drop by_hand")
    return rows


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_watched_frame_follows_each_change(kernel: Kernel, change: str) -> None:
    kernel.run("%dtale df --watch", cell="one")
    before = rows_of(kernel, "df")
    kernel.run(change, cell="two", ok="1 / 0" not in change)
    assert repr(rows_of(kernel, "df")) == repr(expected(kernel)) != repr(before)
    assert len(kernel.status()["frames"]) == 1


@pytest.mark.parametrize("case", IN_PLACE.values(), ids=IN_PLACE.keys())
def test_what_is_changed_in_place_is_seen(kernel: Kernel, case: tuple[str, ...]) -> None:
    make, change, *place = case
    kernel.run("import numpy as np, polars as pl, types, xarray as xr")
    name = place[0] if place else "it"
    kernel.run(f"box = types.SimpleNamespace(d={{}})\nit = {make}\nbox.it = box.d['it'] = it")
    kernel.run(f"%dtale {name} --watch", cell="one")
    before = rows_of(kernel, name)
    kernel.run(change, cell="two")
    assert rows_of(kernel, name) == expected(kernel, name) != before


def test_what_has_not_changed_is_left_alone(kernel: Kernel) -> None:
    kernel.run("%dtale df --watch", cell="one")
    shown = kernel.status()["frames"]
    kernel.run("x = df.sort_values('a'); y = df.copy(); y['a'] = 5; df.sum(numeric_only=True)")
    assert kernel.status()["frames"] == shown


def test_filters_sorting_and_rows_stay(kernel: Kernel) -> None:
    kernel.run("%dtale df --watch --sort a:DESC --rows 4", cell="one")
    url = kernel.status()["frames"][0]["url"].replace("/main/", "/{}/")
    config = quote(json.dumps({"type": "string", "value": ["q"], "action": "equals"}))
    answer = request(f"{url.format('save-column-filter')}?col=k&cfg={config}").json()
    assert answer["success"]
    kernel.run("df = pd.DataFrame({'a': range(9), 't': 'x', 'k': ['p', 'q', 'q'] * 3})")
    kernel.run("kept = %dtale --data df")
    assert kernel.value("kept['a'].tolist()") == [2, 1]
    assert sorted(row["a"] for row in rows_of(kernel, "df")) == [1, 2]


def test_it_ends_when_it_is_told_or_its_cell_no_longer_asks(kernel: Kernel) -> None:
    def follows() -> bool:
        kernel.run("df = df.assign(a=df.a + 1)", cell="change")
        values: list[int] = kernel.value("df.a.tolist()")
        return [row["a"] for row in rows_of(kernel, "df")] == values

    kernel.run("%dtale df --watch", cell="one")
    assert follows()
    kernel.run("%dtale df", cell="one")
    assert not follows()
    kernel.run("%dtale df --watch", cell="one")
    assert "No longer watched: df" in kernel.run("%dtale df --watch off", cell="two").text
    assert not follows()
    kernel.run("%dtale df --watch", cell="one")
    assert "df" in kernel.run("%dtale --watch off", cell="two").text
    assert not follows()
    kernel.run("%dtale df --watch", cell="one")
    kernel.run("%dtale --drop df", cell="two")
    assert kernel.run("df = df.assign(x=1)").text.strip() == ""
    assert kernel.status()["frames"] == []


def test_what_cannot_be_shown_is_said_once_and_the_grid_stays(kernel: Kernel) -> None:
    kernel.run("%dtale df --watch", cell="one")
    before = rows_of(kernel, "df")
    said = kernel.run("df = None", cell="two").text
    assert "df still shows the values of before: df is None." in said
    assert kernel.run("x = 1").text.strip() == ""
    kernel.run("del df")
    assert rows_of(kernel, "df") == before
    assert "as text" in kernel.run("df = pd.DataFrame({'a': [10**30]})", cell="two").text
    assert kernel.run("df = df.copy()", cell="two").text.strip() == ""
    assert rows_of(kernel, "df") == [{"a": str(10**30)}]


def test_edits_that_give_way_are_told_of(kernel: Kernel) -> None:
    kernel.run("%dtale df --watch", cell="one")
    url = kernel.status()["frames"][0]["url"].replace("/main/", "/edit-cell/")
    assert request(f"{url}?col=a&rowIndex=0&updated=77").json()["success"]
    said = kernel.run("df = df.assign(b=1)", cell="two").text
    assert "1 edit made in the grid of df gave way" in said
    kernel.run("edited = %dtale --edited df")
    assert kernel.value("edited['a'].tolist()") == [77, 1, 2]


def test_nothing_is_bound_again_after_stop(kernel: Kernel) -> None:
    kernel.run("%dtale df --watch", cell="one")
    kernel.run("%dtale --stop")
    kernel.run("df = df.assign(b=1)")
    assert kernel.status()["port"] is None
    kernel.run("%dtale df --name other")
    kernel.run("x = 1")
    assert len(rows_of(kernel, "df")[0]) == 4


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("%dtale df[df.a > 1] --watch", "frame = df[df.a > 1]"),
        ("%dtale df.copy() --watch", "%dtale frame --watch"),
        ("def look(df):\n    %dtale df --watch\nlook(df)", "outside of functions"),
        ("%dtale --watch", "%dtale df --watch"),
        ("%dtale df --watch=on", "--watch takes off"),
        ("%dtale df --watch off --theme dark", "%dtale df --watch off"),
        ("%dtale df --watch off", "%dtale df --watch"),
        ("%dtale --auto", "--auto on"),
        ("%dtale --auto maybe", "on or off"),
        ("%dtale df --auto on", "stands alone"),
    ],
)
def test_what_was_typed_wrong_is_said_in_a_sentence(kernel: Kernel, typed: str, words: str) -> None:
    assert words in refusal(kernel, typed)
    assert kernel.status()["frames"] == []


def test_every_frame_that_a_cell_ends_with_is_shown(kernel: Kernel) -> None:
    def names() -> list[str]:
        return [frame["name"] for frame in kernel.status()["frames"]]

    kernel.run("%dtale --auto on")
    kernel.run("x = 1\ndf", cell="one")
    assert names() == ["df"]
    assert kernel.run("df.assign(b=1)  # more", cell="two").value is None
    assert names() == ["df", "df.assign(b=1)"]
    kernel.run("df = df.head(1)\ndf", cell="one")
    assert len(rows_of(kernel, "df")) == 1
    assert kernel.value("_.shape[0]") == 1
    kernel.run("import polars as pl, pyarrow as pa\npl.DataFrame({'p': [1]})", cell="three")
    kernel.run("pa.table({'p': [2**60]})", cell="four")
    assert rows_of(kernel, "pa.table({'p': [2 ** 60]})") == [{"p": str(2**60)}]

    before = names()
    assert "<table" in kernel.run("display(df)", cell="five").text
    for typed in ("df;", "df['a']", "df.groupby('k')", "1 + 1", "None", "df.style", "print(1)"):
        kernel.run(typed, cell="six")
    assert "<table" in kernel.run("%%capture seen\ndf\n", cell="six").text or names() == before
    assert names() == before

    kernel.run("%dtale --auto off")
    assert "<table" in kernel.run("df", cell="seven").text
    assert names() == before


def test_both_go_together_also_in_a_console(kernel: Kernel) -> None:
    # A console has no cells: the name alone is the frame's place.
    kernel.run("%dtale --auto on")
    kernel.run("%dtale df --watch")
    kernel.run("df")
    kernel.run("df = df.assign(a=[7, 8, 9])")
    assert [row["a"] for row in rows_of(kernel, "df")] == [7, 8, 9]
    assert len(kernel.status()["frames"]) == 1


def test_what_others_have_registered_is_theirs_again(kernel: Kernel) -> None:
    kernel.run(
        "formatters = get_ipython().display_formatter\n"
        "formatters.formatters['text/html'].for_type(pd.DataFrame, lambda one: '<i>theirs</i>')\n"
        "before = {name: dict(one.type_printers) for name, one in formatters.formatters.items()}"
    )
    try:
        kernel.run("%dtale --auto on")
        assert "theirs" not in kernel.run("df", cell="one").text
        kernel.run("%dtale --auto off")
        assert "theirs" in kernel.run("df", cell="one").text
        kernel.run("%dtale --auto on")
        kernel.run("%reload_ext dtale_magics")
        assert "theirs" in kernel.run("df", cell="one").text
        assert kernel.value(
            "before == {name: dict(one.type_printers)"
            " for name, one in formatters.formatters.items()}"
        )
    finally:
        kernel.run("formatters.formatters['text/html'].pop(pd.DataFrame, None)")
