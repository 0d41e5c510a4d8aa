"""Whatever holds a table is shown, its values are the values, and it stays as it was."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import decimal
import io
import itertools
import sqlite3
import types
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtale_magics.errors import FrameRefusedError
from tests.support.repeats import repeats

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries about one another
    import dask.array as da
    import dask.dataframe as dd
    import duckdb
    import geopandas
    import ibis
    import narwhals as nw
    import polars as pl
    import pyarrow as pa
    import pyarrow.dataset
    import scipy.sparse as sp
    import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.shown import Shown

BIG = 2**53 + 1
MISSING = "nan"
BERLIN = "Europe/Berlin"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


class Array:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([1, BIG])


class Stream:
    """What has an Arrow stream and nothing else."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return pa.table({"a": [1, None, BIG]}).__arrow_c_stream__(requested_schema)


class SizedStream(Stream):
    def __len__(self) -> int:
        return 3


class ArrowArray:
    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return pa.record_batch({"a": [1, None, BIG]}).__arrow_c_array__(requested_schema)


class Interchange:
    def __dataframe__(self, **_: Any) -> Any:
        return pa.table({"a": [1, 2]}).__dataframe__()


class Spark:
    """As Spark's frames: lazy, and with a way to pandas of their own."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def limit(self, rows: int) -> Spark:
        return Spark(min(rows, self.rows))

    def toPandas(self) -> pd.DataFrame:  # noqa: N802 (Spark's name)
        return pd.DataFrame({"a": range(self.rows)})


def sqlite() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t(a, b)")
    connection.execute(f"insert into t values (1, 'x'), ({BIG}, null)")
    return connection


def sqlite_rows() -> list[sqlite3.Row]:
    with contextlib.closing(sqlite()) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("select * from t").fetchall()


def masked(values: list[Any], mask: Any, dtype: Any = None) -> Any:
    return np.ma.array(values, mask=mask, dtype=dtype)


def objects(*values: Any) -> pd.DataFrame:
    return pd.DataFrame({"v": pd.Series(values, dtype=object)})


def one(values: Any, **kwargs: Any) -> pd.DataFrame:
    return pd.DataFrame({"v": values}, **kwargs)


def arrow(values: Any, kind: Any) -> pd.DataFrame:
    return one(pd.array(pa.array(values, type=kind), dtype=pd.ArrowDtype(kind)))


def stamps(*texts: str, unit: str = "s") -> Any:
    return np.array(texts, dtype=f"M8[{unit}]")


NAMES: dict[str, tuple[Any, dict[str, list[Any]]]] = {
    "1 and '1'": (pd.DataFrame([[1, 2]], columns=[1, "1"]), {"1": [1], "1 (2)": [2]}),
    "a space": (pd.DataFrame([[1, 2]], columns=["a", "a "]), {"a": [1], "a (2)": [2]}),
    "three alike": (
        pd.DataFrame([[1, 2, 3, 4]], columns=["a", "a", "a (2)", "a"]),
        {"a": [1], "a (3)": [2], "a (2)": [3], "a (4)": [4]},
    ),
    "levels that join alike": (
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b_c"), ("a_b", "c")])),
        {"a_b_c": [1], "a_b_c (2)": [2]},
    ),
    "empty names": (
        pd.DataFrame([[1, 2]], columns=["", " "]),
        {"unnamed": [1], "unnamed (2)": [2]},
    ),
    "None and 'None'": (
        pd.DataFrame([[1, 2]], columns=pd.Index([None, "None"], dtype=object)),
        {"None": [1], "None (2)": [2]},
    ),
    "no text": (
        pd.DataFrame([[1, 2, 3]], columns=pd.Index([1.5, True, dt.date(2024, 1, 2)], dtype=object)),
        {"1.5": [1], "True": [2], "2024-01-02": [3]},
    ),
    "a surrogate": (
        pd.DataFrame([[1]], columns=pd.Index(["\ud800"], dtype=object)),
        {"\\ud800": [1]},
    ),
    "index": (pd.DataFrame({"index": [10, 20], "b": [1, 2]}), {"index": [10, 20], "b": [1, 2]}),
    "index and level_0": (
        pd.DataFrame({"index": [10], "level_0": [1]}, index=["x"]),
        {"level_0 (2)": ["x"], "index": [10], "level_0": [1]},
    ),
    "reset": (
        pd.DataFrame({"v": [1, 2]}, index=["x", "y"]).reset_index(),
        {"index": ["x", "y"], "v": [1, 2]},
    ),
    "dtale_index": (pd.DataFrame({"dtale_index": [7]}), {"dtale_index (2)": [7]}),
    "index named like a column": (
        pd.DataFrame({"a": [3, 1]}).set_index("a", drop=False),
        {"a (index)": [3, 1], "a": [3, 1]},
    ),
    "levels of one name": (
        one([1], index=pd.MultiIndex.from_tuples([(5, 6)], names=["k", "k"])),
        {"k": [5], "k (index)": [6], "v": [1]},
    ),
    "levels without a name": (
        one([1], index=pd.MultiIndex.from_tuples([(5, 6)])),
        {"level_0": [5], "level_1": [6], "v": [1]},
    ),
    "duplicate labels": (one([1, 2], index=["x", "x"]), {"index": ["x", "x"], "v": [1, 2]}),
}

VALUES: dict[str, tuple[Any, list[Any]]] = {
    "int beyond 64 bits": (one([10**30, 2]), [str(10**30), "2"]),
    "int beyond doubles": (one([BIG, -BIG, 2**53 - 1]), [str(BIG), str(-BIG), 2**53 - 1]),
    "uint64": (one(np.array([2**64 - 1, 0], dtype="u8")), [str(2**64 - 1), 0]),
    "Int64": (one(pd.array([BIG, None], dtype="Int64")), [str(BIG), MISSING]),
    "UInt64": (one(pd.array([2**64 - 1, None], dtype="UInt64")), [str(2**64 - 1), MISSING]),
    "ints as objects": (objects(BIG, None), [str(BIG), MISSING]),
    "floats as objects": (objects(1.5, None, 2), [1.5, MISSING, 2.0]),
    "flags as objects": (objects(True, None), ["True", MISSING]),
    "int8": (one(np.array([-1, 5], dtype="i1")), [-1, 5]),
    "big-endian": (one(np.array([1, 2], dtype=">i4")), [1, 2]),
    "small floats": (one([1e-7, 5e-324, 0.00123456789]), [1e-7, 5e-324, 0.00123456789]),
    "infinite": (one([np.inf, -np.inf, np.nan]), ["inf", "-inf", MISSING]),
    "float32": (one(np.array([0.1, 1e-10], dtype="f4")), [0.1, 1e-10]),
    "long double": (one(np.array([0.5, np.nan], dtype="longdouble")), [0.5, MISSING]),
    "exact long double": (
        one(np.array([1], dtype="longdouble") / 3),
        [str(np.longdouble(1) / 3)],
    ),
    "complex": (one([1 + 2j, np.nan]), ["(1+2j)", MISSING]),
    "Decimal": (objects(decimal.Decimal("0.10"), None), ["0.10", MISSING]),
    "UUID": (objects(uuid.UUID(int=5), None), [str(uuid.UUID(int=5)), MISSING]),
    "bytes": (objects(b"", b"\xff", None), ["b''", "b'\\xff'", MISSING]),
    "lists": (objects([], [1, "x"], None), ["[]", "[1, 'x']", MISSING]),
    "dictionaries": (objects({}, {"a": [1]}), ["{}", "{'a': [1]}"]),
    "sets": (objects((), {1}, frozenset()), ["()", "{1}", "frozenset()"]),
    "arrays": (objects(np.array([1, 2]), None), ["[1 2]", MISSING]),
    "text and numbers": (objects(1, "x", None, 2.5), ["1", "x", MISSING, "2.5"]),
    "surrogate": (objects("\ud800", "a"), ["\\ud800", "a"]),
    "unprintable": (objects(Unprintable(), 1), ["<Unprintable: its text is a RuntimeError>", "1"]),
    "text that reads as missing": (objects("nan", "None", None), ['"nan"', "None", MISSING]),
    "dates": (objects(dt.date(2024, 2, 1), None), ["2024-02-01", MISSING]),
    "times": (objects(dt.time(1, 2, 3), None), ["01:02:03", MISSING]),
    "datetime objects": (
        objects(dt.datetime.min, dt.datetime(9999, 12, 31, 23, 59, 59, 1), None),  # noqa: DTZ001, DTZ901
        ["0001-01-01", "9999-12-31 23:59:59.000001", MISSING],
    ),
    "several zones": (
        objects(pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020", tz=BERLIN), None),
        ["2020-01-01 00:00:00+00:00", "2020-01-01 00:00:00+01:00", MISSING],
    ),
    "with and without a zone": (
        objects(pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2021")),
        ["2020-01-01 00:00:00+00:00", "2021-01-01 00:00:00"],
    ),
    "the autumn hour": (
        one(pd.to_datetime(["2024-10-27 00:30", "2024-10-27 01:30"], utc=True).tz_convert(BERLIN)),
        ["2024-10-27 02:30:00+02:00", "2024-10-27 02:30:00+01:00"],
    ),
    "nanoseconds": (
        one(pd.to_datetime([1, 1704067200123456789, 1704067200123456000])),
        [
            "1970-01-01 00:00:00.000000001",
            "2024-01-01 00:00:00.123456789",
            "2024-01-01 00:00:00.123456",
        ],
    ),
    "far dates": (
        one(stamps("0001-01-01", "9999-12-31", "NaT")),
        ["0001-01-01", "9999-12-31", MISSING],
    ),
    "dates beyond Python's": (
        one(stamps("20000-12-31", "NaT")),
        ["20000-12-31 00:00:00", MISSING],
    ),
    "no date at all": (one(stamps("NaT", "NaT")), [MISSING, MISSING]),
    "periods": (one(pd.PeriodIndex(["2024-01", "NaT"], freq="M")), ["2024-01-01", MISSING]),
    "periods as objects": (objects(pd.Period("2024-02"), pd.NaT), ["2024-02-01", MISSING]),
    "periods of several kinds": (
        objects(pd.Period("2024-02"), pd.Period("2024-02-03")),
        ["2024-02", "2024-02-03"],
    ),
    "intervals": (one(pd.interval_range(0, 2)), ["(0, 1]", "(1, 2]"]),
    "intervals as categories": (one(pd.cut([1, 9], [0, 5, 10])), ["(0, 5]", "(5, 10]"]),
    "durations": (
        one(pd.to_timedelta([1, None], unit="D")),
        ["1 days 00:00:00", MISSING],
    ),
    "categories of anything": (one(pd.Categorical([b"x", None])), ["b'x'", MISSING]),
    "sparse": (one(pd.arrays.SparseArray([0, BIG])), [0, str(BIG)]),
    "nullable flags": (one(pd.array([True, None], dtype="boolean")), ["True", MISSING]),
    "Float64": (one(pd.array([0.5, None], dtype="Float64")), [0.5, MISSING]),
    "int64[pyarrow]": (arrow([BIG, None], pa.int64()), [str(BIG), MISSING]),
    "double[pyarrow]": (arrow([0.5, None], pa.float64()), [0.5, MISSING]),
    "bool[pyarrow]": (arrow([True, None], pa.bool_()), ["True", MISSING]),
    "list[pyarrow]": (arrow([[1, None], None], pa.list_(pa.int64())), ["[1, None]", MISSING]),
    "struct[pyarrow]": (
        arrow([{"x": BIG}, None], pa.struct([("x", pa.int64())])),
        [f"{{'x': {BIG}}}", MISSING],
    ),
    "map[pyarrow]": (
        arrow([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        ["[('a', 1)]", MISSING],
    ),
    "binary[pyarrow]": (arrow([b"\xff", None], pa.binary()), ["b'\\xff'", MISSING]),
    "date[pyarrow]": (arrow([dt.date(2024, 1, 2), None], pa.date32()), ["2024-01-02", MISSING]),
    "decimal[pyarrow]": (
        arrow([decimal.Decimal("1.10"), None], pa.decimal128(9, 2)),
        ["1.10", MISSING],
    ),
    "timestamp[pyarrow]": (
        arrow([dt.datetime(2024, 7, 1, tzinfo=dt.timezone.utc), None], pa.timestamp("us", BERLIN)),
        ["2024-07-01 02:00:00+02:00", MISSING],
    ),
    "time[pyarrow]": (arrow([3_600_000_000_001], pa.time64("ns")), ["01:00:00.000000001"]),
    "half[pyarrow]": (arrow([np.float16(0.5)], pa.float16()), [0.5]),
}

A = {"a": [1, MISSING, str(BIG)]}
POLARS = {"a": [1, None, BIG]}
SOURCES: dict[str, tuple[Callable[[], Any], dict[str, list[Any]]]] = {
    "polars": (lambda: pl.DataFrame(POLARS), A),
    "polars, lazy": (lambda: pl.LazyFrame(POLARS), A),
    "polars series": (lambda: pl.Series("a", POLARS["a"]), A),
    "polars series without a name": (lambda: pl.Series([1]), {"0": [1]}),
    "polars of many types": (
        lambda: pl.DataFrame(
            {
                "u": pl.Series([2**64 - 1], dtype=pl.UInt64),
                "c": pl.Series(["x"], dtype=pl.Categorical),
                "e": pl.Series(["x"], dtype=pl.Enum(["x"])),
                "s": [{"x": BIG}],
                "t": pl.Series([1], dtype=pl.Time),
                "n": pl.Series([None], dtype=pl.Null),
                "i": pl.Series([2**100], dtype=pl.Int128),
                "o": pl.Series([b"x"], dtype=pl.Binary),
                "m": pl.Series([decimal.Decimal("1.10")]),
            }
        ),
        {
            "u": [str(2**64 - 1)],
            "c": ["x"],
            "e": ["x"],
            "s": [f"{{'x': {BIG}}}"],
            "t": ["00:00:00.000000001"],
            "n": [MISSING],
            "i": [str(2**100)],
            "o": ["b'x'"],
            "m": ["1.10"],
        },
    ),
    "polars of Python's objects": (
        lambda: pl.DataFrame({"a": pl.Series([{1}], dtype=pl.Object)}),
        {"a": ["{1}"]},
    ),
    "narwhals": (lambda: nw.from_native(pl.DataFrame(POLARS)), A),
    "narwhals, lazy": (lambda: nw.from_native(pl.LazyFrame(POLARS)), A),
    "narwhals of pandas": (lambda: nw.from_native(pd.DataFrame({"a": [1]})), {"a": [1]}),
    "Arrow table": (lambda: pa.table(POLARS), A),
    "Arrow batch": (lambda: pa.record_batch(POLARS), A),
    "Arrow array": (lambda: pa.array(POLARS["a"]), {"0": A["a"]}),
    "Arrow chunks": (lambda: pa.chunked_array([POLARS["a"]]), {"0": A["a"]}),
    "Arrow struct": (lambda: pa.array([{"a": 1}, {"a": None}, {"a": BIG}]), A),
    "Arrow reader": (lambda: pa.table(POLARS).to_reader(), A),
    "Arrow data set": (lambda: pa.dataset.dataset(pa.table(POLARS)), A),
    "Arrow, names alike": (
        lambda: pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]),
        {"a": [1], "a (2)": [2]},
    ),
    "Arrow with pandas' index": (
        lambda: pa.Table.from_pandas(one([1], index=pd.Index(["x"], name="k"))),
        {"k": ["x"], "v": [1]},
    ),
    "Arrow stream": (Stream, A),
    "Arrow stream of a size": (SizedStream, A),
    "Arrow array protocol": (ArrowArray, A),
    "interchange": (Interchange, {"a": [1, 2]}),
    "DuckDB": (lambda: duckdb.sql(f"select * from (values (1), (null), ({BIG})) t(a)"), A),
    "DuckDB result": (
        lambda: duckdb.connect().execute(f"select * from (values (1), (null), ({BIG})) t(a)"),
        A,
    ),
    "DuckDB hugeint": (lambda: duckdb.sql(f"select {2**100}::hugeint as a"), {"a": [str(2**100)]}),
    "dask": (lambda: dd.from_pandas(pd.DataFrame({"a": [1, BIG]}), 2), {"a": [1, str(BIG)]}),
    "dask series": (lambda: dd.from_pandas(pd.Series([1, 2], name="q"), 2), {"q": [1, 2]}),
    "dask array": (lambda: da.from_array(np.array([[1, 2]])), {"0": [1], "1": [2]}),
    "Ibis": (lambda: ibis.memtable(pa.table(POLARS)), A),
    "Ibis column": (lambda: ibis.memtable(pa.table(POLARS)).a, A),
    "Spark": (lambda: Spark(3), {"a": [0, 1, 2]}),
    "geopandas": (
        lambda: geopandas.GeoDataFrame({"a": [1]}, geometry=geopandas.points_from_xy([0], [1])),
        {"a": [1], "geometry": ["POINT (0 1)"]},
    ),
    "geopandas series": (
        lambda: geopandas.GeoSeries(geopandas.points_from_xy([0], [1])),
        {"0": ["POINT (0 1)"]},
    ),
    "xarray": (lambda: xr.Dataset({"a": ("x", [1, BIG])}), {"x": [0, 1], "a": [1, str(BIG)]}),
    "xarray's array": (
        lambda: xr.DataArray([[1], [2]], dims=("x", "y"), name="a"),
        {"x": [0, 1], "y": [0, 0], "a": [1, 2]},
    ),
    "xarray's array without a name": (
        lambda: xr.DataArray([1, 2]),
        {"dim_0": [0, 1], "value": [1, 2]},
    ),
    "xarray's array named as a dimension": (
        lambda: xr.DataArray([3], dims="x", name="x"),
        {"x": [0], "x_value": [3]},
    ),
    "SciPy's sparse": (lambda: sp.csr_matrix([[0, 1]]), {"0": [0], "1": [1]}),
    "SciPy's sparse array": (lambda: sp.coo_array([[0, 1]]), {"0": [0], "1": [1]}),
    "Styler": (lambda: pd.DataFrame({"a": [1]}).style, {"a": [1]}),
    "RangeIndex": (lambda: pd.RangeIndex(2), {"0": [0, 1]}),
    "Index": (lambda: pd.Index(["x", "y"], name="k"), {"k": ["x", "y"]}),
    "PeriodIndex": (lambda: pd.period_range("2024", periods=1, freq="M"), {"0": ["2024-01-01"]}),
    "MultiIndex": (
        lambda: pd.MultiIndex.from_tuples([(1, 2)], names=["k", "k"]),
        {"k": [1], "k (2)": [2]},
    ),
    "pandas' array": (lambda: pd.array([1, None]), {"0": [1, MISSING]}),
    "Categorical": (lambda: pd.Categorical(["x"]), {"0": ["x"]}),
    "Series": (lambda: pd.Series([1], index=["x"], name="v"), {"index": ["x"], "v": [1]}),
    "array, no dimension": (lambda: np.array(5), {"0": [5]}),
    "array, one": (lambda: np.array([1, 2]), {"0": [1, 2]}),
    "array, two": (lambda: np.array([[1, 2]]), {"0": [1], "1": [2]}),
    "array, big-endian": (lambda: np.array([1], dtype=">f8"), {"0": [1.0]}),
    "array, structured": (
        lambda: np.array([(1, 2.5, b"x")], dtype=[("a", ">i8"), ("b", "f8"), ("c", "S1")]),
        {"a": [1], "b": [2.5], "c": ["b'x'"]},
    ),
    "array, masked": (lambda: masked([BIG, 2], [0, 1]), {"0": [str(BIG), MISSING]}),
    "array, masked, two": (
        lambda: masked([[1, 2]], [[0, 1]]),
        {"0": [1], "1": [MISSING]},
    ),
    "array of days": (lambda: np.array(["2024-01-02"], dtype="M8[D]"), {"0": ["2024-01-02"]}),
    "__array__": (Array, {"0": [1, str(BIG)]}),
    "list of dictionaries": (lambda: [{"a": 1}, {"a": None}, {"a": BIG}], A),
    "list of lists": (lambda: [[1, "x"], [2, "y"]], {"0": [1, 2], "1": ["x", "y"]}),
    "list": (lambda: [3, 1], {"0": [3, 1]}),
    "tuple of tuples": (lambda: ((1, 2), (3, 4)), {"0": [1, 3], "1": [2, 4]}),
    "generator": (lambda: ({"a": i} for i in range(2)), {"a": [0, 1]}),
    "map and zip": (lambda: zip([1, 2], "xy", strict=True), {"0": [1, 2], "1": ["x", "y"]}),
    "range": (lambda: range(3), {"0": [0, 1, 2]}),
    "set": (lambda: {3, 1}, {"0": [1, 3]}),
    "dictionary of lists": (lambda: {"a": [1, 2]}, {"a": [1, 2]}),
    "dictionary": (lambda: {"x": 1}, {"index": ["x"], "0": [1]}),
    "UserDict": (lambda: collections.UserDict(a=[1]), {"a": [1]}),
    "MappingProxy": (lambda: types.MappingProxyType({"a": [1]}), {"a": [1]}),
    "keys": ({"x": 1}.keys, {"0": ["x"]}),
    "deque": (lambda: collections.deque([1]), {"0": [1]}),
    "cursor": (
        lambda: sqlite().execute("select * from t"),
        {"a": [1, str(BIG)], "b": ["x", MISSING]},
    ),
    "sqlite3.Row": (sqlite_rows, {"a": [1, str(BIG)], "b": ["x", MISSING]}),
}


@pytest.mark.parametrize(("frame", "table"), NAMES.values(), ids=NAMES.keys())
def test_names_are_shown_and_made_different(
    show: Shown, frame: pd.DataFrame, table: dict[str, list[Any]]
) -> None:
    before = frame.copy()
    grid = show(frame)
    assert grid.table == table
    assert list(grid.types) == list(table)
    pd.testing.assert_frame_equal(frame, before)
    changed = [name for name in table if name.endswith(("(2)", "(3)", "(4)", "(index)"))]
    own = {str(name) for name in before.columns}
    for name in changed:
        assert name in own or name == "level_0 (2)" or name in grid.notes[0]
    for column in table:
        assert grid.ask("describe", col=column).get_json()["success"]


@pytest.mark.parametrize(("frame", "values"), VALUES.values(), ids=VALUES.keys())
def test_values_are_shown_as_they_are(show: Shown, frame: pd.DataFrame, values: list[Any]) -> None:
    before = frame.copy()
    grid = show(frame)
    assert grid.column("v") == values
    pd.testing.assert_frame_equal(frame, before)
    exported = pd.read_csv(io.StringIO(grid.csv()), dtype=str, keep_default_na=False)["v"]
    for shown_value, text in zip(values, exported, strict=True):
        if isinstance(shown_value, str) and shown_value.lstrip("-").isdigit():
            assert text == shown_value


@pytest.mark.parametrize("kind", ["v in the index", "in place"])
@pytest.mark.parametrize(("frame", "values"), VALUES.values(), ids=VALUES.keys())
def test_so_are_those_of_an_index_and_with_inplace(
    show: Shown, frame: pd.DataFrame, values: list[Any], kind: str
) -> None:
    if kind == "v in the index":
        frame = frame.assign(w=1)
        if frame["v"].dtype != "longdouble":
            # pandas 2's set_index would look for a type of objects, and has no half floats.
            column = frame.pop("v")
            frame.index = pd.Index(column, dtype=column.dtype)
    before = frame.copy()
    grid = show(frame, inplace=True)
    assert grid.column("v") == values
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(("make", "table"), SOURCES.values(), ids=SOURCES.keys())
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ibis")
@pytest.mark.filterwarnings("ignore:.*infer_string.*")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_whatever_holds_a_table_is_shown(
    show: Shown, make: Callable[[], Any], table: dict[str, list[Any]]
) -> None:
    assert show(make()).table == table


def test_a_decimal_that_may_not_be_compared_is_text(show: Shown) -> None:
    frame = objects(decimal.Decimal("sNaN"), decimal.Decimal(1), decimal.Decimal("NaN"))
    assert show(frame).column("v") == ["sNaN", "1", MISSING]


def test_numbers_of_any_type_are_numbers(show: Shown) -> None:
    columns = {
        "u1": np.array([1, 2, 3], dtype="u1"),
        "u8": np.array([2**64 - 1, 2, 3], dtype="u8"),
        "U": pd.array([1, None, 3], dtype="UInt32"),
        "arrow": pd.array([1.5, None, 2], dtype="double[pyarrow]"),
        "arrow_u": pd.array([1, None, 2], dtype="uint16[pyarrow]"),
    }
    grid = show(pd.DataFrame(columns))
    described = {one["name"]: one for one in grid.data["columns"]}
    for name in columns:
        assert {"min", "max", "skew"} <= described[name].keys()
        assert grid.ask("column-filter-data", col=name).get_json()["success"]
    rows = grid.ask("data", ids='["0-9"]', sort='[["u8","ASC"]]').get_json()["results"]
    assert [rows[key]["u8"] for key in "012"] == [2, 3, str(2**64 - 1)]


LAZY: dict[str, tuple[Callable[[], Any], str]] = {
    "polars": (lambda: pl.LazyFrame({"a": range(50)}), "the first 20 rows"),
    "DuckDB": (lambda: duckdb.sql("select unnest(range(50)) as a"), "the first 20 rows"),
    "dask": (lambda: dd.from_pandas(pd.DataFrame({"a": range(50)}), 3), "the first 20 rows"),
    "Ibis": (lambda: ibis.memtable(pa.table({"a": range(50)})), "the first 20 rows"),
    "reader": (lambda: pa.table({"a": range(50)}).to_reader(5), "the first 20 rows"),
    "data set": (lambda: pa.dataset.dataset(pa.table({"a": range(50)})), "the first 20 of 50 rows"),
    "generator": (lambda: ({"a": i} for i in range(50)), "the first 20 rows"),
    "Spark": (lambda: Spark(50), "the first 20 rows"),
    "in memory": (lambda: pd.DataFrame({"a": range(50)}), "the first 20 of 50 rows"),
    "endless": (lambda: ({"a": i} for i in itertools.count()), "the first 20 rows"),
}


@pytest.mark.filterwarnings("ignore:.*infer_string.*")
@pytest.mark.parametrize(("make", "note"), LAZY.values(), ids=LAZY.keys())
def test_the_first_rows_of_what_is_lazy_and_it_says_so(
    show: Shown, make: Callable[[], Any], note: str
) -> None:
    grid = show(make(), rows=20)
    assert grid.data["total"] == 20
    assert grid.column("a") == list(range(20))
    assert note in grid.notes[0]
    assert "\n" not in grid.notes[0]


def test_all_rows_of_what_is_in_memory(show: Shown) -> None:
    grid = show(pl.DataFrame({"a": range(100_001)}))
    assert grid.data["total"] == 100_001
    assert grid.notes == ()
    lazy = show(pl.LazyFrame({"a": range(100_001)}))
    assert lazy.data["total"] == 100_000
    assert "the first 100,000 rows" in lazy.notes[0]


REFUSED: dict[str, tuple[Any, str]] = {
    "None": (None, "Assign a frame first"),
    "a file": ("sales.csv.gz", "%dtale pd.read_csv(x)"),
    "a path": (Path("sales.parquet"), "%dtale pd.read_parquet(x)"),
    "a path without suffix": (Path("sales"), "%dtale pd.read_csv(x)"),
    "a connection": (duckdb.connect(), "%dtale x.sql('SHOW ALL TABLES')"),
    "another connection": (
        sqlite3.connect(":memory:", check_same_thread=False),
        "%dtale x.execute('SELECT * FROM sqlite_master')",
    ),
    "number": (3, "%dtale [x]"),
    "text": ("abc", "%dtale [x]"),
    "NumPy's number": (np.float64(1), "%dtale [x]"),
    "time stamp": (pd.Timestamp("2024"), "%dtale [x]"),
    "class": (pd.DataFrame, "x("),
    "method": (pd.DataFrame().head, "%dtale x()"),
    "module": (np, "a frame in it"),
    "grouping": (pd.DataFrame({"a": [1]}).groupby("a"), "%dtale x.size()"),
    "resampled": (one([1], index=pd.to_datetime(["2024"])).resample("D"), "%dtale x.size()"),
    "rolling": (one([1]).rolling(1), "%dtale x.mean()"),
    "polars' grouping": (pl.DataFrame({"a": [1]}).group_by("a"), "%dtale x.len()"),
    "polars' expression": (pl.col("a"), "%dtale pl.select(x)"),
    "three dimensions": (np.zeros((2, 2, 2)), "%dtale x[0]"),
}


@pytest.mark.parametrize(("value", "advice"), REFUSED.values(), ids=REFUSED.keys())
def test_what_holds_no_table_gets_one_sentence(show: Shown, value: Any, advice: str) -> None:
    with pytest.raises(FrameRefusedError) as caught:
        show(value)
    assert advice in caught.value.hint
    assert "\n" not in f"{caught.value.what}{caught.value.hint}"
    if advice.startswith("%dtale ") and not {"pl.", "pd."} & {advice[7:10]}:
        typed = caught.value.hint.split("%dtale ")[1].split("   ")[0]
        show(eval(typed, {"x": value}))


def test_an_edited_cell_with_a_zone_keeps_the_others(show: Shown) -> None:
    times = pd.to_datetime(["2024-10-27 00:30", "2024-10-27 01:30"], utc=True).tz_convert(BERLIN)
    grid = show(one(times))
    answer = grid.ask("edit-cell", col="v", rowIndex="0", updated="2024-10-26 12:00:00+02:00")
    assert answer.get_json()["success"]
    assert grid.column("v") == ["2024-10-26 12:00:00", "2024-10-27 02:30:00+01:00"]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.decimals(),
    st.uuids(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.lists(st.integers(), max_size=2),
    st.sets(st.integers(), max_size=2),
    st.complex_numbers(),
)


@settings(
    max_examples=repeats(40, 500),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(SCALARS, min_size=1, max_size=5))
def test_no_mixture_of_objects_is_refused(show: Shown, values: list[Any]) -> None:
    frame = objects(*values)
    cells = show(frame).column("v")
    assert len(cells) == len(values)
    for value, cell in zip(values, cells, strict=True):
        signals = isinstance(value, decimal.Decimal) and value.is_snan()
        missing = not signals and not isinstance(value, list | set) and pd.isna(value)
        assert (cell == MISSING) == bool(missing)


@settings(
    max_examples=repeats(40, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.one_of(st.none(), st.integers(-(2**70), 2**70)), min_size=1, max_size=6))
def test_whole_numbers_keep_every_digit(show: Shown, values: list[int | None]) -> None:
    texts = [MISSING if value is None else str(value) for value in values]
    for frame in (objects(*values), pd.DataFrame([{"v": value} for value in values], dtype=object)):
        assert [str(cell) for cell in show(frame).column("v")] == texts
    if all(value is None or abs(value) < 2**63 for value in values):
        assert [
            str(cell)
            for cell in show(pl.DataFrame({"v": pl.Series(values, dtype=pl.Int64)})).column("v")
        ] == texts


@settings(
    max_examples=repeats(40, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6))
def test_floats_keep_every_digit(show: Shown, values: list[float]) -> None:
    assert show(one(values)).column("v") == values


@settings(
    max_examples=repeats(20, 200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.text(max_size=3), min_size=1, max_size=6))
def test_any_names_are_told_apart(show: Shown, names: list[str]) -> None:
    frame = pd.DataFrame([range(len(names))], columns=pd.Index(names, dtype=object))
    table = show(frame).table
    assert [value for (value,) in table.values()] == list(range(len(names)))
