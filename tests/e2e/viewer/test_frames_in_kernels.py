"""Frames of every sort, typed into a real kernel: shown as they are; the variable is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kernels import Kernel
from tests.support.plain_http import data_url, request
from tests.support.ports import PortClaims

if TYPE_CHECKING:
    from collections.abc import Iterator

SET_UP = """
import collections, datetime as dt, decimal, itertools, uuid, warnings
import numpy as np, pandas as pd
warnings.simplefilter("ignore")
import duckdb, ibis, polars as pl, pyarrow as pa, xarray as xr
import dask.dataframe as dd
warnings.resetwarnings()

BIG = 2**53 + 1

class Spark:
    def __init__(self, rows): self.rows = rows
    def limit(self, rows): return Spark(min(rows, self.rows))
    def toPandas(self): return pd.DataFrame({"a": range(self.rows)})

class Interchange:
    def __dataframe__(self, **_): return pa.table({"a": [1, 2]}).__dataframe__()

class Stream:
    def __arrow_c_stream__(self, requested_schema=None):
        return pa.table({"a": [1, BIG]}).__arrow_c_stream__(requested_schema)

class Fails:
    def to_pandas(self): raise OSError("the disk is full")
"""
BIG = str(2**53 + 1)

SHOWN: dict[str, dict[str, list[Any]]] = {
    "pd.DataFrame([[1, 2]], columns=[1, '1'])": {"1": [1], "1 (2)": [2]},
    "pd.DataFrame([[1, 2]], columns=['a', 'a '])": {"a": [1], "a (2)": [2]},
    ("pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([('a', 'b_c'), ('a_b', 'c')]))"): {
        "a_b_c": [1],
        "a_b_c (2)": [2],
    },
    "pd.DataFrame([[1, 2]], columns=['a', 'a'])": {"a": [1], "a (2)": [2]},
    "pd.DataFrame({'a': [3, 1]}).set_index('a', drop=False)": {"a (index)": [3, 1], "a": [3, 1]},
    "pd.DataFrame({'n': [10**30, 2]})": {"n": [str(10**30), "2"]},
    "pd.DataFrame({'n': [2**64, -1]})": {"n": [str(2**64), "-1"]},
    "pd.DataFrame({'d': [decimal.Decimal('0.10')]})": {"d": ["0.10"]},
    "pd.DataFrame({'u': [uuid.UUID(int=5)]})": {"u": ["00000000-0000-0000-0000-000000000005"]},
    "pd.DataFrame({'b': [b'', b'x']})": {"b": ["b''", "b'x'"]},
    "pd.DataFrame({'l': [[1], []], 'd': [{'x': 1}, {}]})": {
        "l": ["[1]", "[]"],
        "d": ["{'x': 1}", "{}"],
    },
    "pd.DataFrame({'a': [np.array([1, 2]), None]})": {"a": ["[1 2]", "nan"]},
    "pd.DataFrame({'p': pd.period_range('2024', periods=2, freq='M')})": {
        "p": ["2024-01-01", "2024-02-01"]
    },
    "pd.DataFrame({'i': pd.interval_range(0, 2)})": {"i": ["(0, 1]", "(1, 2]"]},
    "pd.DataFrame({'t': pd.to_timedelta([1, None], unit='D')})": {"t": ["1 days 00:00:00", "nan"]},
    (
        "pd.DataFrame({'z': pd.Series([pd.Timestamp('2020', tz='UTC'),"
        " pd.Timestamp('2020', tz='Asia/Tokyo')], dtype=object)})"
    ): {"z": ["2020-01-01 00:00:00+00:00", "2020-01-01 00:00:00+09:00"]},
    "pd.DataFrame({'d': np.array(['1600-01-01', '2300-01-01'], 'M8[s]')})": {
        "d": ["1600-01-01", "2300-01-01"]
    },
    "pl.DataFrame({'a': [1, None, BIG]})": {"a": [1, "nan", BIG]},
    "pl.LazyFrame({'a': [1, None, BIG]})": {"a": [1, "nan", BIG]},
    "pl.Series('a', [1, BIG])": {"a": [1, BIG]},
    "pa.table({'a': [1, BIG]})": {"a": [1, BIG]},
    "pa.record_batch({'a': [1, BIG]})": {"a": [1, BIG]},
    "duckdb.sql('select 9007199254740993 as a')": {"a": [BIG]},
    "dd.from_pandas(pd.DataFrame({'a': [1, BIG]}), 2)": {"a": [1, BIG]},
    "Spark(2)": {"a": [0, 1]},
    "ibis.memtable({'a': [1, 2]})": {"a": [1, 2]},
    "xr.DataArray([1, BIG], dims='x', name='a')": {"x": [0, 1], "a": [1, BIG]},
    "Interchange()": {"a": [1, 2]},
    "Stream()": {"a": [1, BIG]},
    "pd.RangeIndex(2)": {"0": [0, 1]},
    "pd.Index(['x', 'y'], name='k')": {"k": ["x", "y"]},
    "pd.DataFrame({'a': [1]}).style.format('{:.2f}')": {"a": [1]},
    "np.array(5)": {"0": [5]},
    "np.array([(1, 2.5)], dtype=[('a', 'i8'), ('b', 'f8')])": {"a": [1], "b": [2.5]},
    "np.ma.array([BIG, 2], mask=[0, 1])": {"0": [BIG, "nan"]},
    "[{'a': 1}, {'a': None}, {'a': BIG}]": {"a": [1, "nan", BIG]},
    "({'a': i} for i in range(2))": {"a": [0, 1]},
}

REFUSED = {
    "pd.DataFrame({'a': [1]}).groupby('a')": "%dtale pd.DataFrame({'a': [1]}).groupby('a').size()",
    "np.zeros((2, 2, 2))": "%dtale np.zeros((2, 2, 2))[0]",
    "Fails()": "the disk is full",
    "pl.col('a')": "%dtale pl.select(pl.col('a'))",
}


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with PortClaims() as claims, Kernel(claims.take()) as kernel:
        kernel.start().run(f"%load_ext dtale_magics\n{SET_UP}", timeout=120)
        yield kernel


def table(kernel: Kernel, name: str) -> dict[str, list[Any]]:
    url = next(one["url"] for one in kernel.status()["frames"] if one["name"] == name)
    found = request(data_url(url, "0-99")).json()
    names = [one["name"] for one in found["columns"][1:]]
    rows = [found["results"][key] for key in sorted(found["results"], key=int)]
    return {name: [row[name] for row in rows] for name in names}


@pytest.mark.parametrize("code", SHOWN)
def test_it_is_shown_as_it_is(kernel: Kernel, code: str) -> None:
    kernel.run(f"it = {code}\nbefore = repr(it)")
    kernel.run("%dtale it", cell=code)
    assert table(kernel, "it") == SHOWN[code]
    assert kernel.value("repr(it) == before")
    kernel.run("%dtale --drop all")


@pytest.mark.parametrize("code", REFUSED)
def test_it_is_refused_in_a_sentence(kernel: Kernel, code: str) -> None:
    shown = kernel.run(f"%dtale {code}", ok=False)
    assert REFUSED[code] in shown.traceback
    assert len(shown.traceback.splitlines()) <= 3
    assert kernel.status()["frames"] == []


def test_lazy_ones_are_shown_in_part_and_it_is_said(kernel: Kernel) -> None:
    kernel.run("lazy = pl.LazyFrame({'a': range(150_000)})")
    assert "the first 100,000 rows" in str(kernel.run("%dtale lazy").displays)
    assert "the first 7 rows" in str(kernel.run("%dtale Spark(9) --rows 7 --name s").displays)
    assert table(kernel, "s") == {"a": list(range(7))}
    kernel.run("%dtale --drop all")
