"""Values, names and sources that are seldom met, each shown as it is or refused in a sentence."""

from __future__ import annotations

import array
import csv
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import io
import json
import sqlite3
import warnings
import zoneinfo
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from pandas.api.extensions import ExtensionArray, ExtensionDtype

from dtale_magics.errors import FrameRefusedError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries about one another
    import dask.dataframe as dd
    import duckdb
    import ibis
    import narwhals as nw
    import polars as pl
    import pyarrow as pa
    import scipy.sparse as sp
    import xarray as xr
    from dask.delayed import delayed

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from tests.support.shown import Shown

BIG = 2**53 + 1
MISSING = "nan"


class Word(str, enum.Enum):
    """Members whose text is another one in each place: ``str()``, ``format()``, CSV."""

    X = "x"


class Number(enum.IntEnum):
    ONE = 1


class NoComparison:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = object.__hash__

    def __str__(self) -> str:
        return "incomparable"


class FractionDtype(ExtensionDtype):
    name = "fraction"
    type = fractions.Fraction
    na_value = None

    @classmethod
    def construct_array_type(cls) -> builtins.type[Fractions]:
        return Fractions


class Fractions(ExtensionArray):
    """A third party's column type, unknown to pandas and D-Tale."""

    def __init__(self, values: list[Any]) -> None:
        self._values = list(values)

    @classmethod
    def _from_sequence(cls, scalars: Any, *, dtype: Any = None, copy: bool = False) -> Self:  # noqa: ARG003
        return cls(list(scalars))

    @property
    def dtype(self) -> FractionDtype:
        return FractionDtype()

    @property
    def nbytes(self) -> int:
        return 8 * len(self)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int | np.integer):
            return self._values[key]
        return type(self)(list(np.array(self._values, dtype=object)[key]))

    def isna(self) -> Any:
        return np.array([value is None for value in self._values])

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Self:
        del fill_value
        return type(self)(
            [None if allow_fill and one < 0 else self._values[one] for one in indices]
        )

    def copy(self) -> Self:
        return type(self)(self._values)

    @classmethod
    def _concat_same_type(cls, to_concat: Any) -> Self:
        return cls([value for one in to_concat for value in one])


@dataclasses.dataclass
class Point:
    x: int
    y: str


def one(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"v": values})


def objects(*values: Any) -> pd.DataFrame:
    return pd.DataFrame({"v": pd.Series(list(values), dtype=object)})


def series(dtype: Any, *values: Any) -> pl.DataFrame:
    return pl.DataFrame({"v": pl.Series(list(values), dtype=dtype)})


def at(day: str, zone: str) -> pd.DataFrame:
    # Given only a name, pandas 2 takes pytz's zone, whose offsets are whole minutes.
    moments = pd.DatetimeIndex(np.array([day], dtype="M8[s]"))
    return one(moments.tz_localize(zoneinfo.ZoneInfo(zone)))


def levels() -> xr.Coordinates:
    index = pd.MultiIndex.from_tuples([(1, 2)], names=["p", "q"])
    return xr.Coordinates.from_pandas_multiindex(index, "i")


def array_of(values: Any, dtype: Any) -> pd.DataFrame:
    return one(np.array(values, dtype=dtype))


VALUES: dict[str, tuple[Any, list[Any]]] = {
    "float32 with a gap": (array_of([0.1, np.nan], "f4"), [0.1, MISSING]),
    "Float32": (one(pd.array([0.1, None], dtype="Float32")), [0.1, MISSING]),
    "Float64 of both gaps": (
        one(pd.arrays.FloatingArray(np.array([np.nan, 1.5, 2]), np.array([False, False, True]))),
        [MISSING, 1.5, MISSING],
    ),
    "float[pyarrow]": (one(pd.array([0.1, None], dtype="float[pyarrow]")), [0.1, MISSING]),
    "whole numbers of four bytes": (array_of([123456792, 2**24], "f4"), [123456792.0, 2.0**24]),
    "half floats": (array_of([65504, 0.5], "f2"), [65504.0, 0.5]),
    "a whole number that a float would round": (objects(BIG, 0.5), [str(BIG), "0.5"]),
    "days and moments": (
        objects(dt.datetime(2024, 1, 2, 3), dt.date(2024, 1, 2)),  # noqa: DTZ001
        ["2024-01-02 03:00:00", "2024-01-02"],
    ),
    "times with and without a zone": (
        objects(dt.time(1, 2), dt.time(1, 2, tzinfo=dt.timezone.utc)),
        ["01:02:00", "01:02:00+00:00"],
    ),
    "before there were zones": (
        at("1850-01-01", "Europe/Berlin"),
        ["1850-01-01 00:00:00+00:53:28"],
    ),
    "the same in the west": (
        at("1850-01-01T12:00", "America/New_York"),
        ["1850-01-01 12:00:00-04:56:02"],
    ),
    "a zone beyond the year 9999": (at("12345-01-01", "UTC"), ["12345-01-01 00:00:00+00:00"]),
    "a zone before the year 1": (at("-0005-01-01", "UTC"), ["-005-01-01 00:00:00+00:00"]),
    "an offset and a gap beyond the year 9999": (
        one(
            pd.DatetimeIndex(np.array(["12345-01-01", "NaT"], "M8[s]")).tz_localize(
                dt.timezone(-dt.timedelta(hours=4, minutes=56, seconds=2))
            )
        ),
        ["12345-01-01 00:00:00-04:56:02", MISSING],
    ),
    "periods beyond the year 9999": (
        one(pd.PeriodIndex([pd.Period(ordinal=10**7, freq="D")])),
        ["29349-01-26"],
    ),
    "members of an enumeration": (objects(Word.X, "y", None), ["x", "y", MISSING]),
    "whole numbers of an enumeration": (objects(Number.ONE, 2), [1, 2]),
    "what may not be compared": (objects(NoComparison(), 1), ["incomparable", "1"]),
    "bytes of NumPy's": (array_of([b"a", b""], "S2"), ["b'a'", "b''"]),
    "a frame in a cell": (objects(pd.DataFrame({"a": [1]})), ["   a\n0  1"]),
    "infinite decimals": (
        objects(decimal.Decimal("-Infinity"), decimal.Decimal("1E+50")),
        ["-Infinity", "1E+50"],
    ),
    "a type of somebody else's": (
        one(Fractions([fractions.Fraction(1, 3), None])),
        ["1/3", MISSING],
    ),
    "categories alike as text": (one(pd.Categorical([1, "1", 2.5])), ["1", "1", "2.5"]),
    "categories of large numbers": (one(pd.Categorical([BIG, None])), [str(BIG), MISSING]),
    "times of polars": (
        series(pl.Time, dt.time(1, 2, 3, 4), None),
        ["01:02:03.000004", MISSING],
    ),
    "UUIDs of Arrow's": (
        pa.table({"v": pa.array([b"\0" * 15 + b"\5"], pa.binary(16)).cast(pa.uuid())}),
        ["00000000-0000-0000-0000-000000000005"],
    ),
    "flags of one byte": (
        pa.table({"v": pa.array([1, 0, None], pa.int8()).cast(pa.bool8())}),
        ["True", "False", MISSING],
    ),
    "far days of Arrow's": (
        pa.table({"v": pa.array([10**7], pa.date32())}),
        ["29349-01-26 00:00:00"],
    ),
    "durations of polars": (
        series(pl.Duration("ns"), dt.timedelta(days=1), None),
        ["1 days 00:00:00", MISSING],
    ),
}

SOURCES: dict[str, tuple[Callable[[], Any], dict[str, list[Any]]]] = {
    "no columns": (lambda: pd.DataFrame(index=range(3)), {}),
    "no rows": (
        lambda: pd.DataFrame({"a": [], "b": pd.Series([], dtype="Int64")}),
        {"a": [], "b": []},
    ),
    "rows without columns": (lambda: np.zeros((3, 0)), {}),
    "columns without rows": (lambda: np.zeros((0, 2)), {"0": [], "1": []}),
    "years": (lambda: np.array([14, "NaT"], dtype="m8[Y]"), {"0": ["14 years", MISSING]}),
    "attoseconds": (
        lambda: np.array([1], dtype="M8[as]"),
        {"0": ["1970-01-01 00:00:00.000000000000000001"]},
    ),
    "no unit": (lambda: np.array(["NaT"], dtype="M8"), {"0": [MISSING]}),
    "nested fields": (
        lambda: np.array([((1, 2), [3, 4])], dtype=[("p", "i4,i4"), ("q", "i4", (2,))]),
        {"p": ["(1, 2)"], "q": ["[3, 4]"]},
    ),
    "void": (lambda: np.zeros(1, dtype="V2"), {"0": [r"b'\x00\x00'"]}),
    "masked fields": (
        lambda: np.ma.array([(BIG, 2.0)], mask=[(False, True)], dtype=[("a", "i8"), ("b", "f8")]),
        {"a": [str(BIG)], "b": [MISSING]},
    ),
    "array.array": (lambda: array.array("q", [BIG]), {"0": [str(BIG)]}),
    "memory": (lambda: memoryview(b"ab"), {"0": [97, 98]}),
    "a wide sparse matrix": (
        lambda: sp.csr_matrix(([1, BIG], ([0, 5], [3, 9000])), shape=(10, 10_000)),
        {"row": [0, 5], "column": [3, 9000], "value": [1, str(BIG)]},
    ),
    "a data set of values": (lambda: xr.Dataset({"a": 5, "b": "x"}), {"a": [5], "b": ["x"]}),
    "levels of an xarray": (
        lambda: xr.DataArray([1], levels(), "i"),
        {"p": [1], "q": [2], "value": [1]},
    ),
    "a data set with levels": (
        lambda: xr.Dataset({"value": ("i", [1])}, levels()),
        {"p": [1], "q": [2], "value": [1]},
    ),
    "structures with a gap": (lambda: pa.array([{"a": 1}, None]), {"0": ["{'a': 1}", MISSING]}),
    "data classes": (lambda: [Point(1, "a"), Point(2, "b")], {"x": [1, 2], "y": ["a", "b"]}),
    "dictionaries of dictionaries": (
        lambda: {"r": {"a": 1}, "s": {"a": BIG, "b": 2}},
        {"index": ["a", "b"], "r": [1.0, MISSING], "s": [str(BIG), 2]},
    ),
    "series of other lengths": (
        lambda: {"a": pd.Series([1, 2]), "b": pd.Series([BIG])},
        {"a": [1, 2], "b": [str(BIG), MISSING]},
    ),
    "a reader of CSV": (lambda: csv.DictReader(io.StringIO("a,b\n1,2")), {"a": ["1"], "b": ["2"]}),
    "an empty generator": (lambda: (one for one in list[Any]()), {}),
    "names alike in a query": (
        lambda: sqlite3.connect(":memory:").execute("select 1 as a, 2 as a"),
        {"a": [1], "a (2)": [2]},
    ),
    "DuckDB of many types": (
        lambda: duckdb.sql(
            "select 1::hugeint h, uuid() is null n, date 'infinity' > date '1-1-1' b"
        ),
        {"h": ["1"], "n": ["False"], "b": ["True"]},
    ),
    "DuckDB with a column like a method": (
        lambda: duckdb.sql("select 1 to_arrow_reader, 2 fetch_record_batch, 3 fetch_arrow_reader"),
        {"to_arrow_reader": [1], "fetch_record_batch": [2], "fetch_arrow_reader": [3]},
    ),
    "a labelled MultiIndex of names": (
        lambda: pd.DataFrame(
            [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", None)], names=["L", "M"])
        ),
        {"a_1": [1], "a_nan": [2]},
    ),
    "names that are no numbers": (
        lambda: pd.DataFrame([[1, 2, 3]], columns=[1.0, np.nan, np.inf]),
        {"1.0": [1], "nan": [2], "inf": [3]},
    ),
    "flags of pandas": (
        lambda: pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
        {"a": [1]},
    ),
    "an index of periods": (
        lambda: pd.Series([1], index=pd.period_range("2024", periods=1, freq="M"), name="v"),
        {"index": ["2024-01-01"], "v": [1]},
    ),
    "an index with gaps": (
        lambda: pd.DataFrame({"v": [1, 2]}, index=pd.Index([BIG, None], dtype="Int64")),
        {"index": [str(BIG), MISSING], "v": [1, 2]},
    ),
    "counts in bins": (
        lambda: pd.Series([1, 1, 2]).value_counts(bins=2),
        {"index": ["(0.998, 1.5]", "(1.5, 2.0]"], "count": [2, 1]},
    ),
}


def failing() -> Iterator[int]:
    yield 1
    raise ValueError("the line is cut")


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "rolling of polars": (
        lambda: pl.DataFrame({"a": [1]}).rolling("a", period="1i"),
        "%dtale x.agg(pl.len())",
    ),
    "groups of narwhals": (
        lambda: nw.from_native(pl.DataFrame({"a": [1]})).group_by("a"),
        "%dtale x.agg(nw.len())",
    ),
    "groups of Ibis": (lambda: ibis.memtable({"a": [1]}).group_by("a"), "%dtale x.count()"),
    "groups of xarray": (
        lambda: xr.DataArray([1, 2], dims="x", coords={"x": [1, 1]}).groupby("x"),
        "%dtale x.mean()",
    ),
    "a delayed call": (lambda: delayed(pd.DataFrame)({"a": [1]}), "%dtale x.compute()"),
    "a value of dask": (
        dd.from_pandas(pd.DataFrame({"a": [1]}), 1).a.sum,
        "%dtale [x.compute()]",
    ),
    "what fails half-way": (failing, "can be had in a cell"),
    "a lazy frame that cannot be": (
        lambda: pl.LazyFrame({"a": [1]}).select("zz"),
        "can be had in a cell",
    ),
}


@pytest.mark.parametrize(("frame", "values"), VALUES.values(), ids=VALUES.keys())
def test_values_are_shown_as_they_are(show: Shown, frame: Any, values: list[Any]) -> None:
    grid = show(frame)
    assert grid.column("v") == values
    saved = pd.read_csv(io.StringIO(grid.csv()), dtype=str, keep_default_na=False)["v"]
    for value, text in zip(values, saved, strict=True):
        if value == MISSING:
            assert text == ""
        elif isinstance(value, str):
            assert text.removesuffix(" 00:00:00") == value.removesuffix(" 00:00:00")
        else:
            assert float(text) == value
    assert grid.ask("describe", col="v").get_json()["success"]
    assert "error" not in grid.ask("data", ids='["0-9"]', sort='[["v","ASC"]]').get_json()


@pytest.mark.parametrize(("make", "table"), SOURCES.values(), ids=SOURCES.keys())
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_sources_are_shown_as_they_are(
    show: Shown, make: Callable[[], Any], table: dict[str, list[Any]]
) -> None:
    assert show(make()).table == table


@pytest.mark.parametrize(("make", "advice"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ibis")
@pytest.mark.filterwarnings("ignore:.*infer_string.*")
def test_what_is_refused_gets_advice_that_works(
    show: Shown, make: Callable[[], Any], advice: str
) -> None:
    value = make()
    with pytest.raises(FrameRefusedError) as caught:
        show(value)
    assert advice in f"{caught.value.what} {caught.value.hint}"
    assert "\n" not in f"{caught.value.what}{caught.value.hint}"
    if advice.startswith("%dtale ") and "…" not in advice:
        show(eval(advice.removeprefix("%dtale "), {"x": value, "pl": pl, "nw": nw}))


@pytest.mark.parametrize("name", ["c d", "a'b", "a`b", "a#b", "a\\b", "a\nb"])
def test_a_column_is_filtered_whatever_its_name_or_the_reason_is_given(
    show: Shown, name: str
) -> None:
    frame = pd.DataFrame({name: ["x", "y"]})

    def filtered(frame: pd.DataFrame) -> Any:
        grid = show(frame)
        wanted = {"type": "string", "action": "equals", "operand": "=", "value": ["x"]}
        (column,) = grid.types
        grid.ask("save-column-filter", col=column, cfg=json.dumps(wanted))
        return column, grid.ask("data", ids='["0-9"]').get_json()

    column, answer = filtered(frame)
    if "error" in answer:  # which names pandas can read depends on its version
        assert "cannot read this filter" in answer["error"]
        advice = answer["error"].rpartition("%dtale ")[2].replace('"the name"', repr(name))
        column, answer = filtered(eval(advice, {"df": frame}))
    assert [row[column] for row in answer["results"].values()] == ["x"]


def test_a_number_of_duckdb_without_sign_is_exact_or_its_type_is_named(show: Shown) -> None:
    try:
        said = str(show(duckdb.sql("select 1::uhugeint h")).table)
    except FrameRefusedError as error:  # DuckDB 1.0 has no such number for Arrow
        said = error.what
    assert said == "{'h': ['1']}" or "type UHUGEINT" in said


def test_a_wide_frame_is_shown_whole(show: Shown) -> None:
    frame = pd.DataFrame(np.arange(4000).reshape(2, 2000))
    grid = show(frame)
    assert len(grid.types) == 2000
    assert grid.column("1999") == [1999, 3999]
