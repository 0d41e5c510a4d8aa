"""D-Tale's description of columns is the same from vectorised code, in any time zone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from dtale import utils, views
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtale_magics.viewer.frames import description, order, timestamps
from tests.support.repeats import repeats

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Tehran"]
UNITS = ["s", "ms", "us", "ns"]
ANY = settings(
    max_examples=repeats(25, 200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def _vectorised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_MANY", 0)


@pytest.fixture(params=ZONES)
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def described(frame: pd.DataFrame, *, ours: bool) -> list[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patched:
        if ours:
            description.install(views, patched.setattr)
        with np.errstate(all="ignore"):
            found = views.build_dtypes_state(frame)
    # Numbers of NumPy and of Python's own are the same ones.
    return [dict(sorted(description._plain(one).items())) for one in found]


NUMBERS: st.SearchStrategy[Any] = st.one_of(
    st.lists(st.floats(), min_size=1, max_size=40).map(np.array),
    st.lists(st.floats(width=32), min_size=1).map(lambda values: np.array(values, dtype="f4")),
    st.lists(st.integers(-5, 5), min_size=1).map(np.array),
    st.lists(st.integers(-(2**50), 2**50), min_size=1).map(np.array),
    st.lists(st.integers(0, 255), min_size=1).map(lambda values: np.array(values, dtype="i4")),
    st.lists(st.booleans(), min_size=1).map(np.array),
    st.lists(st.text(), min_size=1).map(lambda values: pd.array(values, dtype="str")),
)


@pytest.mark.usefixtures("_vectorised")
@ANY
@given(NUMBERS)
def test_numbers_and_text(values: Any) -> None:
    frame = pd.DataFrame({"v": values, "lat": values})
    assert repr(described(frame, ours=True)) == repr(described(frame, ours=False))


@pytest.mark.usefixtures("_vectorised", "_zone")
@ANY
@given(
    # Clocks are changed in the small hours: there D-Tale's own answer depends on the row before.
    st.lists(
        st.one_of(
            st.none(),
            st.datetimes(pd.Timestamp(1980, 1, 1), pd.Timestamp(2037, 1, 1)).map(
                lambda moment: moment.replace(hour=5 + moment.hour % 18)
            ),
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(UNITS),
)
def test_dates(values: list[Any], unit: str) -> None:
    dates = pd.Series(pd.array(values, dtype="M8[us]")).astype(np.dtype(f"M8[{unit}]"))
    frame = pd.DataFrame({"v": dates})
    assert repr(described(frame, ours=True)) == repr(described(frame, ours=False))
    own = [utils.json_timestamp(one, np.nan) for one in dates]
    np.testing.assert_array_equal(timestamps.timestamps(dates).to_numpy(dtype=float), own)


@pytest.mark.parametrize("_zone", ["America/New_York"], indirect=True)
@pytest.mark.usefixtures("_zone")
def test_an_hour_that_occurs_twice_is_the_first_and_one_left_out_is_as_before() -> None:
    dates = pd.Series(pd.to_datetime(["2020-11-01 01:30", "2020-03-08 02:30"]))
    first = pd.Timestamp("2020-11-01 05:30", tz="UTC").timestamp()
    as_before = pd.Timestamp("2020-03-08 07:30", tz="UTC").timestamp()
    assert list(timestamps.timestamps(dates)) == [first * 1000, as_before * 1000]
