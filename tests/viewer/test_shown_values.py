"""What a grid shows is what was shown, whatever happens to the object afterwards."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from dtale_magics.state import Cell
from tests.support import in_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dtale_magics.viewer.viewer import Viewer

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")  # D-Tale's, too


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    with in_process.viewer() as one:
        yield one


def _change_array(array: Any) -> None:
    array[0, 0] = 99


def _change_list(rows: Any) -> None:
    rows[0]["a"] = 99
    rows.append({"a": 100})


def _change_dict(columns: Any) -> None:
    columns["a"][0] = 99


def _change_values(frame: Any) -> None:
    frame.loc[0, "a"] = 99


def _change_text(frame: Any) -> None:
    frame.loc[0, "a"] = "z"


def _change_index(frame: Any) -> None:
    frame.index = ["x", "y"]


def _change_names(frame: Any) -> None:
    frame.columns = ["z", "y"]


def _change_cell(frame: Any) -> None:
    frame["a"].iloc[0].append(99)


def _change_rows(frame: Any) -> None:
    frame.drop(index=0, inplace=True)  # noqa: PD002 (that is what users do)


CASES: list[tuple[Any, Callable[[Any], None]]] = [
    (np.array([[1, 2], [3, 4]]), _change_array),
    ([{"a": 1}, {"a": 2}], _change_list),
    ({"a": np.array([1, 2])}, _change_dict),
    ({"a": [1, 2]}, _change_dict),
    (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), _change_values),
    (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), _change_index),
    (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), _change_names),
    (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), _change_rows),
    (pd.DataFrame({"a": [[1], [2]]}), _change_cell),
    (pd.DataFrame({"a": ["x", "y"]}), _change_text),
    (pd.DataFrame({"a": [1, 2]}).a, lambda series: series.__setitem__(0, 99)),
]


OF_FRAMES = [case for case in CASES if list(getattr(case[0], "columns", ())) == ["a", "b"]]


@pytest.mark.parametrize(
    ("shown", "change", "inplace"),
    [*((*case, False) for case in CASES), *((*case, True) for case in OF_FRAMES)],
)
def test_what_is_shown_is_not_what_the_variable_becomes(
    viewer: Viewer,
    shown: Any,
    change: Callable[[Any], None],
    inplace: bool,  # noqa: FBT001
) -> None:
    cell = Cell("cell", str(id(shown)), 1)
    copied = copy.deepcopy(shown)
    options = {"inplace": True} if inplace else {}
    instance = viewer.show(copied, "shown", options, cell=cell)
    client = viewer.app("").test_client()

    def grid() -> Any:
        answer = client.get(f'/dtale/data/{instance._data_id}?ids=["0-9"]').get_json()
        return answer["results"], [column["name"] for column in answer["columns"]]

    try:
        before = grid()
        change(copied)
        assert grid() == before
    finally:
        viewer.shown.drop(instance._data_id)
