"""Which filters may run for a browser: decided on what pandas reads, never on characters."""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd
import pytest
from dtale import column_filters
from dtale.column_filters import DateFilter, NumericFilter, StringFilter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtale_magics.viewer.patches.filters import is_plain, quote_values
from tests.support.repeats import repeats

quote_values(column_filters)

PLAIN = [
    "i % 2 == 0",
    "i + op > 3",
    "abs(f) < 1",
    "i.between(1, 5)",
    "i > i.mean()",
    "f.round(1) == 0.1",
    "s.str.strip() == 'foo'",
    "d.dt.month_name() == 'March'",
    "-i < 3",
    "i in [1, 2]",
    "i not in (1, 2)",
    "not i > 3",
    "~(i > 3) and (s == 'x' or `c d` == 1)",
    "i ** 2 > 4",
    "1 < i < 3",
    "sqrt(i) > 1",
    "i / 2 > f",
    "i // 2 == 1",
    "s.str.len() + 1 > 3",
    "s.str.lower().str.startswith('f')",
    "d > '2024-02-01'",
    "f.isnull()",
    "i.rank() > 2",
    "i.clip(lower=2) == 2",
    "s.str.contains('o', regex=False)",
    "i == op",
    "s == '`'",
    "s == '# @pd'",
    "s == \"'''\"",
    "`c d` > 1 and s != '@x'",
    "d.dt.day_of_week < 5",
    "i.isin([1, 2])",
]

CODE = [
    "i.to_csv('x')",
    "i.map(print)",
    "@pd.read_csv('x')",
    "i == @pd",
    "__import__('os')",
    "(lambda: 1)()",
    "[x for x in i]",
    "f'{i}' == 1",
    "'%s' % i == 'x'",
    "'{}'.format(i) == ''",
    "i.__class__ == 1",
    "i[0] == 1",
    "i.round(out=f) == 1",
    "i.fillna(1, inplace=True) == 1",
    "9**9**9 == i",
    "(9**99)**99 == i",
    "9**(9**9) == i",
    "'x' * 999999999 == s",
    "['x'] * 999999999 == s",
    "(i := 1)",
    "i = 1",
    "i if f else s",
    "eval('1')",
    "list(i)",
    "__pd_eval_local_pd == 1",
    "s.str.cat(i.to_csv('x')) == 1",
    "i.mean(**f) == 1",
    "i.mean(*f) == 1",
    "i.apply(len)",
    "i @ f == 1",
    "{1: 2}",
    "{1}",
    "i.values.tofile('x')",
    "pd.read_csv('x')",
    "'''`''' == i.to_csv('x') or '''`''' == s",
    "i.plot()",
    "i.pipe(len)",
    "s.str.format",
    "i.eq(f.to_pickle('x'))",
    "`i`.to_sql('x')",
    "@cfg.mean() > 1",
    "(@cfg).max() > 1",
    "await i",
]


def _frame() -> pd.DataFrame:
    return pd.DataFrame({
        "i": [1, 2, 3, 4],
        "op": [1, 3, 2, 4],
        "f": [0.1, -2.0, None, 3.5],
        "s": ["foo", " foo", "bar`", "x"],
        "d": pd.to_datetime(["2024-01-01", "2024-03-02", "2024-03-03", "2024-02-04"]),
        "c d": [1, 2, 3, 4],
    })  # fmt: skip


@pytest.mark.parametrize("query", PLAIN)
def test_what_only_computes_may_run(query: str) -> None:
    assert is_plain(query)
    _frame().query(query, engine="python")


@pytest.mark.parametrize("query", CODE)
def test_what_could_do_more_may_not(query: str) -> None:
    assert not is_plain(query)
    assert not is_plain(f"i == 1 and ({query})")
    assert not is_plain(f"s.str.lower() == 'x' or {query}")


def test_variables_are_those_that_the_notebook_has_set() -> None:
    assert is_plain("i > @limit", {"limit"})
    assert not is_plain("i > @limit", {"other"})
    assert not is_plain("i > @limit.mean()", {"limit"})


_SEEN = r"` `` ' '' # @pd { %s é 日 a B and i.to_csv ( ) , ~ & |"
PIECES = st.sampled_from([*_SEEN.split(), '"', "\\", "'" * 3, '"' * 3, *"\n\r\t \u2028\x00\x85"])
VALUES = st.lists(PIECES, min_size=1, max_size=6).map("".join)
_READ_BY_PANDAS_3 = ["a'b", 'a"b', "a#b"] if int(pd.__version__.partition(".")[0]) > 2 else []
COLUMNS = st.sampled_from(
    ["s", "c d", "a.b", "a-b", "é", "日本", "if", "1a", "a@b", *_READ_BY_PANDAS_3]
)
SLOW = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=repeats(120, 1000)
)


def _build(kind: Any, column: str, classification: str, **cfg: Any) -> str | None:
    try:
        built = kind(column, classification, cfg).build_filter()
    except ValueError:  # D-Tale refuses some values itself
        return None
    return None if built is None else str(built["query"])


def _run(frame: pd.DataFrame, query: str) -> list[Any] | None:
    try:
        return list(frame.query(query, engine="python").index)
    except Exception:  # noqa: BLE001 (pandas cannot read it)
        return None


@SLOW
@given(
    COLUMNS,
    VALUES,
    VALUES,
    st.sampled_from(["equals", "startswith", "endswith", "contains"]),
    st.sampled_from(["=", "ne"]),
)
def test_a_menus_filter_works_whatever_its_value_holds(
    column: str, value: str, other: str, action: str, operand: str
) -> None:
    frame = pd.DataFrame({column: [value, other, f"x{value}y", "", None], "n": range(5)})
    text = frame[column].astype("string")
    wanted = [value] if len(other) % 2 else [value, other]
    query = _build(
        StringFilter,
        column,
        "S",
        type="string",
        action=action,
        operand=operand,
        value=wanted,
        raw=value,
        caseSensitive=True,
    )
    if query is None:
        return
    match action:
        case "equals":
            found = text.isin(wanted)
        case "contains":
            found = text.str.contains(value, regex=False, na=False)
        case _:
            found = getattr(text.str, action)(value, na=False)
    expected = list(frame.index[found if operand == "=" else ~found.fillna(False)])
    assert is_plain(query), query
    ran = _run(frame, query)
    assert ran == expected, query


@SLOW
@given(COLUMNS, st.sampled_from(["=", "ne", "<", ">", "<=", ">=", "[]", "()"]), st.integers(-9, 9))
def test_numbers_and_dates_of_every_column_may_run(column: str, operand: str, number: int) -> None:
    cfg = {
        "type": "int",
        "operand": operand,
        "value": [str(number)],
        "min": str(number),
        "max": "9",
    }
    query = _build(NumericFilter, column, "I", **(cfg if "[" in operand or "(" in operand else {
        **cfg, "value": [str(number)] if operand in ("=", "ne") else str(number)
    }))  # fmt: skip
    assert query is None or is_plain(query), query
    dates = _build(DateFilter, column, "D", type="date", start="2024-01-01", end="2024-02-01")
    assert dates is not None
    assert is_plain(dates)
    for missing in ("missing", "populated"):
        query = _build(StringFilter, column, "S", type="string", value=[], **{missing: True})
        assert query is not None
        assert is_plain(query)


_TOKENS = (
    "i f s d op `c d` 1 2.5 'x' '`' ( ) [ ] , . == != < + - * / % ** and or not in ~ & | @ pd @pd "
    ".mean() .map(print) .str .dt .len() .to_csv('x') __import__ lambda : if else for = # \\ ; "
    "open('x') .apply .values .__class__ {} f'{i}' '''"
)
TOKENS = st.sampled_from(_TOKENS.split())
_FORBIDDEN = ("open", "os.", "subprocess.", "socket.", "shutil.", "pathlib.", "code.__new__")


class _Watch:
    """An audit hook. It stays to the end of the interpreter, when this module's names are gone."""

    def __init__(self) -> None:
        self.active = False
        self.events: list[str] = []

    def __call__(self, event: str, _arguments: Any) -> None:
        if self.active and event.startswith(_FORBIDDEN):
            self.events.append(event)


_WATCH = _Watch()
sys.addaudithook(_WATCH)


@settings(SLOW, max_examples=repeats(400, 5000))
@given(st.lists(TOKENS, min_size=1, max_size=10).map(" ".join))
def test_nothing_that_may_run_touches_the_system(query: str) -> None:
    if not is_plain(query):
        return
    frame = _frame()
    _WATCH.events.clear()
    _WATCH.active = True
    try:
        _run(frame, query)
    finally:
        _WATCH.active = False
    assert _WATCH.events == [], query
    pd.testing.assert_frame_equal(frame, _frame())
