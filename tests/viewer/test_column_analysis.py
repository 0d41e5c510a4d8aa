"""D-Tale's analysis of a frame that was shown before is the same as if it had been made anew."""

from __future__ import annotations

import contextlib
import copy
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from dtale import views

from dtale_magics.viewer.patches import column_analysis
from dtale_magics.viewer.patches.column_analysis import ColumnAnalysis, spared

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 40
DAYS = pd.date_range("2020-01-01", periods=ROWS, freq="D", unit="us")
COLUMNS: dict[str, Any] = {
    "whole": np.arange(ROWS),
    "unsigned": np.arange(ROWS, dtype="uint8"),
    "real": np.linspace(0, 1, ROWS),
    "gaps": [None, float("nan"), float("inf"), *range(ROWS - 3)],
    "empty": np.full(ROWS, np.nan),
    "same": [1.0] * (ROWS - 1) + [2.0],
    "flag": np.arange(ROWS) % 2 == 0,
    "day": DAYS,
    "zone": DAYS.tz_localize("Europe/Paris").where(np.arange(ROWS) != 3),
    "lasting": DAYS - DAYS[0],
    "word": ["", *map(str, range(ROWS - 1))],
    "thing": [None, 1, "one", *([2.0] * (ROWS - 3))],
    "kind": pd.Categorical(["a", "b"] * (ROWS // 2)),
    "nullable": pd.array([None, *range(ROWS - 1)], dtype="Int64"),
    "period": DAYS.to_period("D"),
}
NOT_COMPARED = {"word", "thing", "kind", "nullable", "period"}
"""Columns that are analysed each time."""


@pytest.fixture(autouse=True)
def _small_frames_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_analysis, "_MANY_VALUES", 1)


def everything() -> pd.DataFrame:
    return pd.DataFrame(COLUMNS)


def numbers() -> pd.DataFrame:
    """A frame whose columns are all compared, so that none is analysed again."""
    return everything()[["whole", "real", "day"]]


def _past_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    values = frame["real"].to_numpy()
    values.flags.writeable = True
    values[5] = 100.0
    return frame


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "nothing": lambda frame: frame,
    "a copy": lambda frame: frame.copy(),
    "one value": lambda frame: frame.assign(whole=[-7, *range(1, ROWS)]),
    "in place, past pandas": _past_pandas,
    "order of rows": lambda frame: frame.assign(real=frame["real"].to_numpy()[::-1]),
    "every second row": lambda frame: frame[::2].reset_index(drop=True),
    "no row": lambda frame: frame[:0],
    "order of columns": lambda frame: frame[frame.columns[::-1]],
    "one column less": lambda frame: frame.drop(columns="whole"),
    "one column more": lambda frame: frame.assign(more=frame["real"] + 1),
    "a number that is text now": lambda frame: frame.assign(whole="x"),
    "two names changed about": lambda frame: frame.rename(
        columns={"whole": "real", "real": "whole"}
    ),
    "the same bytes, unsigned": lambda frame: frame.astype({"whole": "uint64"}),
    "the same bytes, as moments": lambda frame: frame.assign(
        whole=frame["whole"].to_numpy().view("M8[s]")
    ),
    "the same moments, elsewhere": lambda frame: frame.assign(
        day=frame["day"].dt.tz_localize("Asia/Tokyo")
    ),
}


def analysed(frame: pd.DataFrame, former: ColumnAnalysis | None = None) -> tuple[Any, Any]:
    """Return what D-Tale gets to know of `frame`, and what is kept for the next time."""
    with spared(views, former) as kept:
        return views.build_dtypes_state(frame), kept


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("make", [everything, numbers])
def test_what_is_said_of_a_column_is_what_dtale_says(
    make: Callable[[], pd.DataFrame], change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    frame = make()
    first, kept = analysed(frame)
    assert repr(first) == repr(views.build_dtypes_state(frame))
    frame = change(frame)
    again, kept = analysed(frame, kept)
    assert repr(_ordered(again)) == repr(_ordered(views.build_dtypes_state(frame)))
    assert repr(_ordered(analysed(frame, kept)[0])) == repr(_ordered(again))


def _ordered(described: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    return [sorted(column.items()) for column in described]


def test_only_columns_that_have_changed_are_analysed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[set[str]] = []
    analyse = views.build_dtypes_state

    def spy(data: pd.DataFrame, *args: Any, **kwargs: Any) -> Any:
        seen.append(set(data.columns))
        return analyse(data, *args, **kwargs)

    monkeypatch.setattr(views, "build_dtypes_state", spy)
    frame = everything()
    _, kept = analysed(frame)
    _, kept = analysed(frame.copy(), kept)
    _, kept = analysed(frame.assign(real=1.5, more=2), kept)
    assert seen == [set(COLUMNS), NOT_COMPARED, {*NOT_COMPARED, "real", "more"}]
    _, kept = analysed(numbers())
    analysed(numbers(), kept)
    assert seen[3:] == [{"whole", "real", "day"}]


def test_what_dtale_does_to_its_description_stays_there() -> None:
    frame = everything()
    first, kept = analysed(frame)
    pristine = copy.deepcopy(first)
    for column in first:
        column.update(visible=False, name="renamed")
        column.get("outlierRange", {}).clear()
    again, kept = analysed(frame, kept)
    assert repr(_ordered(again)) == repr(_ordered(pristine))
    again[0]["visible"] = False
    assert repr(_ordered(analysed(frame, kept)[0])) == repr(_ordered(pristine))


def test_other_threads_and_other_times_have_dtales_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "build_dtypes_state", lambda data, *_: [len(data)])
    own = views.build_dtypes_state
    elsewhere: list[Any] = []
    with contextlib.suppress(ZeroDivisionError), spared(views, None) as kept:
        thread = threading.Thread(
            target=lambda: elsewhere.append(views.build_dtypes_state(everything(), []))
        )
        thread.start()
        thread.join(20)
        assert kept == ColumnAnalysis()
        raise ZeroDivisionError
    assert elsewhere == [[ROWS]]
    assert views.build_dtypes_state is own
