"""What somebody who only looks is given of a frame, from the real D-Tale's own state."""

from __future__ import annotations

import copy
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from dtale_magics.errors import UsageError
from dtale_magics.viewer import rows
from dtale_magics.viewer.rows import Frame, Rows, View
from tests.support import in_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dtale_magics.viewer.viewer import Viewer

    Show = Callable[..., str]

FRAME = pd.DataFrame(
    {
        "number": [3, 1, 2, 5],
        "real": [0.1, np.nan, -2.5, np.inf],
        "text": ["beta", "Alpha", None, "a.b"],
        "day": pd.to_datetime(
            ["2024-03-01", "2024-03-31 12:00", "2024-04-01", "NaT"], format="ISO8601"
        ),
        "flag": [True, False, True, False],
        "big": [2**63 - 1, 2**53 + 1, -1, 0],
        "kind": pd.Categorical(["x", "y", "x", None]),
        "maybe": pd.array([1, None, 3, 4], dtype="Int64"),
    }
)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    with in_process.viewer() as one:
        yield one


@pytest.fixture
def show(viewer: Viewer) -> Show:
    def show(frame: Any, **options: Any) -> str:
        data_id = viewer.show(frame, "df", options)._data_id
        return str(data_id)

    return show


def frame_of(data_id: str) -> Frame:
    found = Frame.of(data_id)
    assert found is not None
    return found


def read(frame: Frame, *, sort: Any = (), filters: Any = (), first: int = 0) -> rows.Part:
    view = {"sort": [[*one] for one in sort], "filters": [[*one] for one in filters]}
    return Rows().part(frame, View.read(view), first, 100)


def numbers(frame: Frame, **view: Any) -> list[Any]:
    return [row[0] for row in read(frame, **view).rows]


def test_values_are_as_exact_as_in_the_grid(show: Show) -> None:
    part = read(frame_of(show(FRAME)))
    assert part.total == 4
    assert part.rows[0] == [
        3, 0.1, "beta", "2024-03-01", "True", str(2**63 - 1), "x", 1,
    ]  # fmt: skip
    assert part.rows[1][1] is part.rows[2][2] is part.rows[3][3] is part.rows[1][7] is None
    assert part.rows[1][5] == str(2**53 + 1)
    assert part.rows[3][1] == "inf"


@pytest.mark.parametrize(
    ("column", "typed", "found"),
    [
        ("number", "> 1", [3, 2, 5]),
        ("number", "<=2", [1, 2]),
        ("number", "3", [3]),
        ("number", "!= 3", [1, 2, 5]),
        ("number", "2..3", [3, 2]),
        ("number", "> 1e400", []),
        ("number", f"< {10**30}", [3, 1, 2, 5]),
        ("real", "is missing", [1]),
        ("real", "not missing", [3, 2, 5]),
        ("real", "< 0", [2]),
        ("real", "inf", [5]),
        ("text", "A", [3, 1, 5]),
        ("text", "=Alpha", [1]),
        ("text", ".", [5]),
        ("text", "none", []),
        ("day", "2024-03", [3, 1]),
        ("day", "2024-03-31", [1]),
        ("day", "> 2024-03-15", [1, 2]),
        ("day", "2024-03-02..2024-03-31 23:59", [1]),
        ("day", "is missing", [5]),
        ("flag", "true", [3, 2]),
        ("big", f"= {2**53 + 1}", [1]),
        ("kind", "x", [3, 2]),
        ("maybe", ">= 3", [2, 5]),
        ("maybe", "is missing", [1]),
    ],
)
def test_filters_find_what_they_say(show: Show, column: str, typed: str, found: list[int]) -> None:
    assert numbers(frame_of(show(FRAME)), filters=[(column, typed)]) == found


def test_sorting_and_filtering_go_together(show: Show) -> None:
    frame = frame_of(show(FRAME))
    assert numbers(frame, sort=[("number", True)]) == [1, 2, 3, 5]
    assert numbers(frame, sort=[("number", False)], filters=[("text", "a")]) == [5, 3, 1]
    assert numbers(frame, sort=[("flag", True), ("number", False)]) == [5, 1, 3, 2]
    assert numbers(frame, sort=[("real", True)])[-1] == 1, "what is missing is last"
    assert numbers(frame, first=3) == [5]
    assert numbers(frame, first=99) == []


def test_what_cannot_be_compared_is_sorted_as_it_reads(show: Show) -> None:
    mixed = pd.DataFrame({"a": [2, "b", 1.5, (1,)]}, dtype=object)
    assert len(numbers(frame_of(show(mixed)), sort=[("a", True)])) == 4


@pytest.mark.parametrize(
    ("column", "typed"),
    [
        ("number", "__import__('os')"),
        ("number", "@pd.eval('1')"),
        ("number", "> "),
        ("real", "abc"),
        ("day", "> soon"),
        ("day", "1..2..3"),
    ],
)
def test_what_is_no_value_is_refused_and_never_evaluated(
    show: Show, column: str, typed: str
) -> None:
    with pytest.raises(UsageError, match=r"is no (number|date)"):
        numbers(frame_of(show(FRAME)), filters=[(column, typed)])


def test_text_is_looked_for_as_it_is(show: Show) -> None:
    odd = pd.DataFrame({"a": range(3), "text": ["(a+)+$", "@x", "`__class__`"]})
    frame = frame_of(show(odd))
    for place, text in enumerate(odd["text"]):
        assert numbers(frame, filters=[("text", text)]) == [place]


def test_a_hidden_column_can_neither_be_read_nor_asked_about(show: Show) -> None:
    data_id = show(FRAME)
    for column in sys.modules["dtale.global_state"].get_dtypes(data_id):
        column["visible"] = column["name"] != "real"
    frame = frame_of(data_id)
    assert all(len(row) == 7 for row in read(frame).rows)
    for view in ({"sort": [("real", True)]}, {"filters": [("real", "> 0")]}):
        with pytest.raises(UsageError, match="no column 'real'"):
            read(frame, **view)


def test_a_reader_changes_nothing_for_the_owner(show: Show) -> None:
    data_id = show(FRAME)
    state = sys.modules["dtale.global_state"]
    before = copy.deepcopy((state.get_settings(data_id), state.get_dtypes(data_id)))
    data = state.get_data(data_id)
    kept, ids = data.copy(), [*state.keys()]
    numbers(frame_of(data_id), sort=[("number", False)], filters=[("text", "a"), ("number", ">1")])
    assert (state.get_settings(data_id), state.get_dtypes(data_id)) == before
    assert state.get_data(data_id) is data
    pd.testing.assert_frame_equal(data, kept)
    assert [*state.keys()] == ids


def test_the_owners_sorting_is_not_the_readers(show: Show) -> None:
    data_id = show(FRAME)
    state = sys.modules["dtale.global_state"]
    reader = Rows()
    assert [row[0] for row in reader.part(frame_of(data_id), View(), 0, 9).rows] == [3, 1, 2, 5]
    state.set_data(data_id, state.get_data(data_id).sort_values("number"))  # as D-Tale does it
    assert [row[0] for row in reader.part(frame_of(data_id), View(), 0, 9).rows] == [3, 1, 2, 5]


def test_an_answer_has_so_many_cells_and_no_more(show: Show) -> None:
    frame = frame_of(show(pd.DataFrame(np.zeros((1000, 300)))))
    part = Rows().part(frame, View(), 0, 10**9)
    assert part.total == 1000
    assert len(part.rows) * len(part.rows[0]) <= rows.MAX_CELLS
    narrow = frame_of(show(pd.DataFrame({"a": range(1000)})))
    assert len(Rows().part(narrow, View(), 0, 10**9).rows) == rows.MAX_ROWS


def test_a_frame_that_is_gone_is_not_made_anew(viewer: Viewer) -> None:
    del viewer
    state = sys.modules["dtale.global_state"]
    ids = [*state.keys()]
    assert Frame.of("12345") is None
    assert [*state.keys()] == ids


@pytest.mark.parametrize(
    "view",
    [
        None, [], 7, {"sort": 7}, {"sort": [["a"]]}, {"sort": [["a", 1]]}, {"sort": [[1, True]]},
        {"filters": {"a": "b"}}, {"filters": [["a", True]]}, {"filters": [["a", "x" * 201]]},
        {"query": "a"}, {"sort": [["a", True], ["a", False]]}, {"sort": [["a", True]] * 21},
    ],
)  # fmt: skip
def test_what_says_no_view_is_refused(view: Any) -> None:
    with pytest.raises(UsageError):
        View.read(view)


def test_one_view_is_computed_at_a_time(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frame_of(show(FRAME))
    reader = Rows()
    begun, go_on = threading.Event(), threading.Event()
    original = rows._ordered

    def slowly(*given: Any) -> Any:
        begun.set()
        go_on.wait(60)
        return original(*given)

    monkeypatch.setattr(rows, "_ordered", slowly)
    monkeypatch.setattr(rows, "_WAIT_SECONDS", 0.05)
    first = threading.Thread(target=reader.part, args=(frame, View(), 0, 1))
    first.start()
    assert begun.wait(60)
    with pytest.raises(rows.BusyError):
        reader.part(frame, View((("number", True),)), 0, 1)
    go_on.set()
    first.join(60)
    assert reader.part(frame, View((("number", True),)), 0, 1).total == 4
