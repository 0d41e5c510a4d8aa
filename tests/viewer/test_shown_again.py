"""What a frame keeps when it is shown again, whatever its values and types have become."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from dtale import global_state, predefined_filters
from pandas.api.types import pandas_dtype

from dtale_magics.state import Cell
from tests.support import in_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dtale_magics.viewer.viewer import Viewer

# D-Tale looks for a column named "index", also where columns have several levels.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")


class Grid:
    """A frame in D-Tale, and what its page does to it."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.client = viewer.app("").test_client()
        self.runs = 0
        self.id = ""

    def show(self, frame: Any, *, reset: bool = False, **options: Any) -> str:
        """Show it by the same cell; returns what is said to the user."""
        self.runs += 1
        cell = Cell("cell", str(self.runs), self.runs)
        instance = self.viewer.show(frame, "df", options, cell=cell, reset=reset)
        self.id = instance._data_id
        (shown,) = self.viewer.shown.frames()
        return " ".join(shown.notes)

    def api(self, route: str, **parameters: Any) -> dict[str, Any]:
        query = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in parameters.items()
        }
        answer = dict(self.client.get(f"/dtale/{route}/{self.id}", query_string=query).get_json())
        assert answer.get("success", True), answer
        return answer

    def post(self, route: str, **body: Any) -> None:
        assert self.client.post(f"/dtale/{route}/{self.id}", json=body).get_json()["success"]

    def rows(self, column: str) -> list[Any]:
        sort = {"sort": self.settings["sortInfo"]} if self.settings.get("sortInfo") else {}
        found = self.api("data", ids=["0-200"], **sort)["results"]
        return [found[index][column] for index in sorted(found, key=int)]

    @property
    def columns(self) -> list[dict[str, Any]]:
        return list(self.api("dtypes")["dtypes"])

    @property
    def visible(self) -> list[str]:
        return [one["name"] for one in self.columns if one["visible"]]

    @property
    def settings(self) -> dict[str, Any]:
        return dict(global_state.get_settings(self.id))

    def filter(self, column: str, **how: Any) -> None:
        self.api("save-column-filter", col=column, cfg=how)

    def set(self, **settings: Any) -> None:
        global_state.update_settings(self.id, settings)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    with in_process.viewer() as one:
        yield one


@pytest.fixture
def grid(viewer: Viewer) -> Iterator[Grid]:
    yield Grid(viewer)
    for frame in viewer.shown.frames():
        viewer.shown.drop(frame.data_id)


NUMBERS = ["int64", "int32", "Int64", "float64", "float32", "Float64", "int8"]
DATES = ["datetime64[ns]", "datetime64[us]", "datetime64[s]", "datetime64[ns, Europe/Paris]"]
TEXTS = ["str", "object", "string", "category"]
VALUES: dict[str, Any] = {
    **{key: [1, 2, 3] for key in NUMBERS},
    **{key: ["2024-01-01", "2024-01-02", "2024-01-03"] for key in DATES},
    **{key: ["x", "y", "z"] for key in TEXTS},
    "bool": [True, False, True],
    "timedelta64[ns]": ["1h", "2h", "3h"],
}
FILTERS: dict[str, dict[str, Any]] = {
    "N": {"type": "int", "operand": ">", "value": 1},
    "D": {"type": "date", "start": "20240102", "end": ""},
    "S": {"type": "string", "action": "equals", "operand": "=", "value": ["y", "z"]},
    "B": {"type": "string", "action": "equals", "operand": "=", "value": ["True"]},
}


def of_class(dtype: str) -> str:
    kinds = {"N": NUMBERS, "D": DATES, "S": TEXTS}
    found = [kind for kind, dtypes in kinds.items() if dtype in dtypes]
    return found[0] if found else {"bool": "B"}.get(dtype, "TD")


def column_of(dtype: str) -> pd.DataFrame:
    values = pd.Series(VALUES[dtype])
    if of_class(dtype) == "D":
        stamps = pd.to_datetime(values)
        values = (
            stamps.dt.tz_localize("Europe/Paris")
            if "Paris" in dtype
            else stamps.astype(pandas_dtype(dtype))
        )
    elif dtype == "timedelta64[ns]":
        values = pd.to_timedelta(values)
    else:
        values = values.astype(pandas_dtype(dtype))
    return pd.DataFrame({"a": values, "other": [7, 8, 9]})


@pytest.mark.parametrize("after", VALUES)
@pytest.mark.parametrize("before", ["int64", "float64", "datetime64[us]", "str", "bool"])
def test_what_is_set_for_a_column_stays_within_a_class_of_types(
    grid: Grid, before: str, after: str
) -> None:
    grid.show(column_of(before))
    kind = of_class(before)
    grid.filter("a", **FILTERS[kind])
    passed = len(grid.rows("a"))
    assert passed == 2
    grid.api("update-formats", col="a", format={"fmt": "0.000"}, all="false", nanDisplay="-")
    grid.set(rangeHighlight={"a": {"active": True}, "all": {"active": False}})
    said = grid.show(column_of(after))
    settings = grid.settings
    assert settings["nanDisplay"] == "-"
    assert "all" in settings["rangeHighlight"]
    if of_class(after) == kind:
        assert said == ""
        assert len(grid.rows("a")) == passed
        assert "a" in settings["columnFormats"]
        assert "a" in settings["rangeHighlight"]
    else:
        assert len(grid.rows("a")) == 3
        assert "the filter on a (it holds" in said
        assert "the format of a (it holds" in said
        assert "the highlights of a (it holds" in said
        assert "a" not in {**settings["columnFormats"], **settings["rangeHighlight"]}


def test_html_that_is_switched_off_is_rendered_no_more(grid: Grid) -> None:
    frame = pd.DataFrame({"a": ["<b>x</b>"], "b": [1]})
    grid.show(frame, enable_html=True)
    grid.api("update-formats", col="a", format={"fmt": {"html": True}}, all="false", nanDisplay="-")
    grid.api("update-formats", col="b", format={"fmt": "0.0"}, all="false", nanDisplay="-")
    grid.show(frame)
    assert set(grid.settings["columnFormats"]) == {"a", "b"}
    said = grid.show(frame, enable_html=False)
    assert "without the format of a (it renders HTML)" in said
    assert set(grid.settings["columnFormats"]) == {"b"}
    forbidden = {"col": "a", "format": '{"fmt": {"html": true}}', "all": "false"}
    refused = grid.client.get(f"/dtale/update-formats/{grid.id}", query_string=forbidden)
    assert refused.status_code == 403
    assert grid.show(frame) == ""


def test_a_column_that_is_gone_takes_what_was_set_for_it(grid: Grid) -> None:
    frame = pd.DataFrame({"a": [3, 1, 2], "b": [1, 2, 3]})
    grid.show(frame, sort=[("a", "ASC"), ("b", "DESC")], background_mode="heatmap-col-a")
    grid.filter("a", type="int", operand=">", value=1)
    said = grid.show(frame.drop(columns="a"))
    assert "the filter on a (it is gone)" in said
    assert "sorting by a (it is gone)" in said
    assert "the heat map of a (it is gone)" in said
    assert grid.rows("b") == [3, 2, 1], "what is left of the sorting"
    assert grid.show(frame) == ""


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, "x", 2.5], dtype=object),
        pd.Series([{1}, {2}, {3}], dtype=object),
        pd.Series([1j, 2j, 3j]),
        pd.Series([None, "x", 1], dtype=object),
    ],
)
def test_what_cannot_be_sorted_is_shown_unsorted(grid: Grid, values: Any) -> None:
    grid.show(pd.DataFrame({"a": [5, 3, 1]}))
    grid.rows("a")
    grid.api("data", ids=["0-5"], sort=[["a", "ASC"]])
    said = grid.show(pd.DataFrame({"a": values, "n": [1, 2, 3]}))
    if "sorting" in said:
        assert "sorting by a (its values cannot be compared)" in said
        assert grid.rows("n") == [1, 2, 3]
        assert "sortInfo" not in grid.settings
    assert len(grid.rows("n")) == 3
    assert grid.show(pd.DataFrame({"a": [1, 2]})) == ""


def test_sorting_formats_and_the_rest_stay(grid: Grid) -> None:
    frame = pd.DataFrame({"a": [3, 1, 2], "b": ["x", "y", "z"]})
    grid.show(frame, precision=4, theme="dark", vertical_headers=True)
    grid.api("data", ids=["0-5"], sort=[["a", "DESC"]])
    grid.filter("b", type="string", action="equals", operand="ne", value=["y"])
    grid.set(invertFilter=True, highlightFilter=False)
    assert grid.show(pd.concat([frame, frame + frame], ignore_index=True)) == ""
    assert grid.rows("a") == [1]
    settings = grid.settings
    assert (settings["precision"], settings["theme"], settings["verticalHeaders"]) == (
        4,
        "dark",
        True,
    )
    grid.show(frame, reset=True)
    assert grid.rows("a") == [3, 1, 2]
    assert "theme" not in grid.settings
    assert grid.settings["precision"] == 2


def test_custom_filters_are_tried_and_keep_their_variables(grid: Grid) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [1, 1, 1]})
    grid.show(frame, enable_custom_filters=True, context_vars={"x": 1})
    grid.set(query="a > @x")
    assert grid.rows("a") == [2, 3]
    assert grid.show(frame + 10) == ""
    assert grid.rows("a") == [11, 12, 13]
    assert grid.show(frame, context_vars={"x": 2}) == ""
    assert grid.rows("a") == [3], "a new value of the variable counts"
    said = grid.show(frame.drop(columns="a"))
    assert "the custom filter 'a > @x' (it fails:" in said
    assert grid.rows("b") == [1, 1, 1]


def test_predefined_filters_that_fail_are_switched_off(grid: Grid) -> None:
    spec = {
        "name": "above",
        "column": "a",
        "description": "",
        "handler": lambda df, value: df[df.a > value],
        "input_type": "input",
    }
    predefined_filters.set_filters([spec])
    try:
        frame = pd.DataFrame({"a": [1, 2, 3], "b": [1, 1, 1]})
        grid.show(frame)
        grid.set(predefinedFilters={"above": {"value": 1, "active": True}})
        assert grid.rows("a") == [2, 3]
        assert grid.show(frame) == ""
        assert grid.rows("a") == [2, 3]
        said = grid.show(frame.drop(columns="a"))
        assert "the predefined filter above (it fails on the new values)" in said
        assert grid.rows("b") == [1, 1, 1]
    finally:
        predefined_filters.set_filters([])


def test_filters_on_outliers_follow_the_values(grid: Grid) -> None:
    values = [1.0, 2, 3, 2, 1, 2, 100]
    grid.show(pd.DataFrame({"a": values}))
    grid.api("toggle-outlier-filter", col="a")
    assert grid.rows("a") == [100]
    assert grid.show(pd.DataFrame({"a": [value * 1e6 for value in values]})) == ""
    assert grid.rows("a") == [1e8]
    said = grid.show(pd.DataFrame({"a": [1.0, 2, 3]}))
    assert "the filter on outliers of a (it has no outliers now)" in said
    assert grid.rows("a") == [1, 2, 3]


def wide(columns: list[int]) -> pd.DataFrame:
    return pd.DataFrame({f"c{number}": [0, 1] for number in columns})


def test_columns_that_dtale_hides_are_not_the_users(grid: Grid) -> None:
    grid.show(wide([*range(150)]))
    assert len(grid.visible) == 100
    grid.show(wide([*range(100, 150)]))
    assert len(grid.visible) == 50
    grid.show(wide([*range(149, -1, -1)]))
    assert grid.visible == [f"c{number}" for number in range(149, 49, -1)]


def test_columns_that_the_user_hides_or_shows_stay_so(grid: Grid) -> None:
    grid.show(wide([*range(120)]))
    grid.post("update-visibility", toggle="c0")
    grid.post("update-visibility", toggle="c110")
    grid.show(wide([*range(119, -1, -1)]))
    assert "c0" not in grid.visible
    assert "c110" in grid.visible
    assert "c5" not in grid.visible, "the 115th now"
    grid.show(wide([*range(20), 110]))
    assert grid.visible == [*(f"c{number}" for number in range(1, 20)), "c110"]
    grid.show(wide([0]))
    assert grid.visible == ["c0"], "a grid without any column helps nobody"


def test_options_that_hide_columns_stay_until_others_are_given(grid: Grid) -> None:
    frame = pd.DataFrame({"a": [1.0], "b": [2.0], "c": [np.nan]})
    grid.show(frame, hide_columns=["a", "c"])
    grid.show(frame)
    assert grid.visible == ["b"]
    grid.show(frame, show_columns=["a", "b"])
    assert grid.visible == ["a", "b"]
    grid.show(frame, reset=True, auto_hide_empty_columns=True)
    assert grid.visible == ["a", "b"]
    grid.show(frame.assign(a=np.nan, c=1.0))
    assert grid.visible == ["b", "c"], "which columns are empty follows the values"


def locked(grid: Grid) -> list[str]:
    return list(grid.settings["locked"])


def test_locks_are_the_users_and_the_index_follows_the_frame(grid: Grid) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4], "d": [5, 6]}, index=["x", "y"])
    grid.show(frame)
    assert locked(grid) == ["index"]
    grid.api("update-locked", action="lock", col="b")
    grid.show(frame)
    assert locked(grid) == ["index", "b"]
    assert [one["name"] for one in grid.columns] == ["index", "b", "a", "d"]
    grid.api("update-locked", action="unlock", col="index")
    grid.show(frame)
    assert locked(grid) == ["b"]
    grid.show(frame, reset=True)
    assert locked(grid) == ["index"]
    grid.show(frame.set_index("d"))
    assert locked(grid) == ["d"]
    grid.show(frame.set_index("d").reset_index())
    assert locked(grid) == []
    grid.show(frame.reset_index(drop=True), locked=["d"])
    assert locked(grid) == ["d"]
    grid.show(frame.reset_index(drop=True)[["a", "b"]])
    assert locked(grid) == []
    pairs = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "y"), (" a ", "")]))
    grid.show(pairs)
    grid.api("update-locked", action="lock", col="a_y")
    grid.show(pairs)
    assert locked(grid) == ["a_y"]


def test_columns_that_the_user_moves_stay_there(grid: Grid) -> None:
    frame = pd.DataFrame({"a": [1], "b": [2], "c": [3]})
    grid.show(frame)
    grid.api("update-column-position", action="front", col="c")
    assert grid.show(frame) == "", "to move a column is no edit"
    assert [one["name"] for one in grid.columns] == ["c", "a", "b"]
    grid.show(frame.assign(d=4)[["a", "d", "b", "c"]])
    assert [one["name"] for one in grid.columns] == ["c", "a", "d", "b"]
    assert [one["index"] for one in grid.columns] == [0, 1, 2, 3]
    assert grid.rows("d") == [4]


@pytest.mark.parametrize(
    "settings",
    [
        {"sortInfo": "x"},
        {"columnFilters": [1]},
        {"outlierFilters": {"a": None}},
        {"columnFormats": 3, "columnFilters": {"a": "nonsense"}},
        {"locked": 5},
    ],
)
def test_nonsense_in_the_settings_fails_no_show(grid: Grid, settings: dict[str, Any]) -> None:
    grid.show(pd.DataFrame({"a": [1, 2], "b": [3, 4]}))
    grid.set(**settings)
    grid.show(pd.DataFrame({"a": [5, 6], "c": [3, 4]}))
    assert grid.rows("a") == [5, 6]
    assert grid.show(pd.DataFrame({"a": [7, 8]})) == ""


EDITS: list[tuple[list[tuple[str, dict[str, Any]]], str]] = [
    ([("edit-cell", {"col": "b", "rowIndex": 0, "updated": "new", "type": "string"})], "1 edit"),
    ([("rename-col", {"col": "b", "rename": "z"})], "1 edit"),
    ([("delete-col", {"cols": ["b"]})], "1 edit"),
    ([("duplicate-col", {"col": "b"})], "1 edit"),
    (
        [
            ("duplicate-col", {"col": "b"}),
            ("edit-cell", {"col": "a", "rowIndex": 1, "updated": "9", "type": "int64"}),
        ],
        "2 edits",
    ),
]


@pytest.mark.parametrize(("calls", "counted"), EDITS)
def test_edits_are_announced_and_can_be_had_back(grid: Grid, calls: Any, counted: str) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=pd.Index([10, 20], name="n"))
    assert grid.show(frame) == ""
    for route, parameters in calls:
        grid.api(route, **parameters)
    edited = grid.viewer.shown.edited(grid.id)
    assert not edited.equals(frame)
    assert list(edited.index) == [10, 20]
    said = grid.show(frame)
    assert f"{counted} made in the grid of df" in said
    assert "edited = %dtale --edited df" in said
    pd.testing.assert_frame_equal(grid.viewer.shown.edited(grid.id), edited)
    pd.testing.assert_frame_equal(grid.viewer.shown.data(grid.id), frame)
    assert grid.show(frame) == "", "said once"
    pd.testing.assert_frame_equal(grid.viewer.shown.edited(grid.id), edited)


FRAMES: dict[str, pd.DataFrame | pd.Series[Any]] = {
    "plain": pd.DataFrame({"a": [3, 1, 2], "b": [1.5, np.nan, 0.0]}),
    "text index": pd.DataFrame({"a": [3, 1, 2]}, index=["x", "y", "z"]),
    "named index": pd.DataFrame({"a": [3, 1, 2]}, index=pd.Index([7, 8, 9], name="id")),
    "two levels": pd.DataFrame(
        {"a": [3, 1, 2]}, index=pd.MultiIndex.from_product([["x"], [1, 2, 3]], names=["k", "n"])
    ),
    "whole numbers as names": pd.DataFrame({0: [3, 1, 2], 1: list("xyz")}),
    "columns of two levels": pd.DataFrame(
        [[3, 1], [1, 1], [2, 1]],
        columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["u", "v"]),
    ),
    "dates": pd.DataFrame({"a": [3, 1, 2], "d": pd.date_range("2024-01-01", periods=3)}),
    "zone": pd.DataFrame(
        {"a": [3, 1, 2], "d": pd.date_range("2024-01-01", periods=3, tz="Europe/Paris")},
        index=pd.date_range("2024-06-01", periods=3, tz="UTC", name="when"),
    ),
    "kinds": pd.DataFrame({"a": [3, 1, 2], "k": pd.Categorical(list("xyx"))}),
    "nullable": pd.DataFrame({"a": [3, 1, 2], "n": pd.array([1, None, 3], dtype="Int64")}),
    "sorted otherwise": pd.DataFrame({"a": [3, 1, 2]}, index=[2, 0, 1]),
    "series": pd.Series([3, 1, 2], name="a"),
    "series with index": pd.Series([3, 1, 2], index=list("xyz"), name="a"),
    "named columns": pd.DataFrame({"a": [3, 1, 2]}).rename_axis(columns="c"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_the_way_back_gives_the_users_own_rows(grid: Grid, name: str) -> None:
    frame = FRAMES[name]
    grid.show(frame)
    whole = grid.viewer.shown.data(grid.id)
    first = frame.index.nlevels if not grid.settings["indexes"] else len(grid.settings["indexes"])
    column = [one["name"] for one in grid.columns][0 if not grid.settings["indexes"] else first]
    grid.filter(column, type="int", operand=">", value=1)
    kept = grid.viewer.shown.data(grid.id)
    check: Callable[..., None] = (
        pd.testing.assert_series_equal
        if isinstance(frame, pd.Series)
        else pd.testing.assert_frame_equal
    )
    check(whole, frame, check_freq=False)
    check(kept, frame.iloc[[0, 2]], check_freq=False)
    kept.iloc[0] = kept.iloc[1]
    assert grid.rows(column)[0] == 3, "what is changed in it changes nothing in the grid"
