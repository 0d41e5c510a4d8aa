"""Expressions as they are typed, shown from where they are typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.frontend.typed_kernel import last_shown, refusal, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernels import Kernel

AS_IN_PYTHON = [
    r'df[df.zip.str.match(r"^\d{5}$")]',
    'df[df.k.isin({"q"})]',
    'df.drop(columns={"a", "zip"})',
    "df.rename(columns={'a': 'A {b}'})",
    'df.assign(n=df.a.map("{:03d}".format))',
    'df.assign(s="$df and {df} and {0}")',
    'df.assign(f=[f"{x:>{2}}!" for x in df.a])',
    "pd.DataFrame([{'x': {'y': 1}}])",
    'df[df.zip.str.contains("#|--theme")]',
    "df.assign(c='# no comment; -- --theme dark')",
    "df[[c for c in df if c != 'a']]",
    "df.pipe(lambda d: d[d.a > 1])",
    "df.loc[lambda d: d['a'].isin({1, 2})]",
    "(g := df.head(2))",
    "df[df.a >= 2].assign(m=-df.a - -1)",
    "df.assign(m=df.a --1)",
    "df . head( 1 )",
    "df['a':'zip'] if False else df",
    "df.query('a > 1 and k == \"q\"')",
    "df.assign(d=df.zip.str.replace('}', '{'))",
]


@pytest.mark.parametrize("expression", AS_IN_PYTHON)
def test_it_is_what_python_evaluates(kernel: Kernel, expression: str) -> None:
    _, shown = last_shown(kernel, f"%dtale {expression}")
    kernel.run(f"expected = pd.DataFrame({expression})")
    # D-Tale numbers the rows of a frame that is filtered in a column of its own.
    expected = kernel.value("expected.astype(str).to_dict('records')")
    shown = [{key: str(one) for key, one in row.items() if key != "index"} for row in shown]
    assert shown == expected


@pytest.mark.parametrize(
    "line",
    [
        "%dtale df;",
        "%dtale df ;  ",
        "%dtale df  # the raw one",
        "%dtale df  # Ada's",
        "%dtale df# (",
        "%dtale df;  # both [",
        "%dtale df --theme dark;",
        "%dtale df --theme dark  # --sort nope",
        "%dtale --theme dark df # x",
        "%dtale (df)",
        "%dtale ( df )",
    ],
)
def test_comments_and_semicolons_are_none_of_the_frame(kernel: Kernel, line: str) -> None:
    name, rows = last_shown(kernel, line)
    assert name == "df"
    assert [row["a"] for row in rows] == [3, 1, 2]


def test_a_semicolon_means_no_value_of_the_cell(kernel: Kernel) -> None:
    before = kernel.value("len(Out)")
    assert kernel.run("%dtale df;").value is None
    assert kernel.value("len(Out)") == before


def test_what_differs_in_spaces_and_quotes_is_one_frame(kernel: Kernel) -> None:
    for same in ("df[df.a>1]", "df[df.a > 1]", "df[ df.a>1 ]", "(df[df.a > 1])"):
        kernel.run(f"%dtale {same}")
    for same in ("df.query('a > 1')", 'df.query("a > 1")'):
        kernel.run(f"%dtale {same}")
    names = [one["name"] for one in kernel.status()["frames"]]
    assert names.count("df[df.a > 1]") >= 1
    assert set(names) >= {"df[df.a > 1]", "df.query('a > 1')"}
    assert not {"df[df.a>1]", "(df[df.a > 1])", 'df.query("a > 1")'} & set(names)


def test_long_expressions_have_short_names_of_their_own(kernel: Kernel) -> None:
    kernel.run("%dtale --drop all")
    for number in (1, 2):
        kernel.run(
            f"%dtale df[df.a > 1].assign(b={number}).rename(columns=str.upper)"
            ".sort_values('A', ascending=False).reset_index(drop=True)"
        )
    one, two = kernel.status()["frames"]
    assert one["name"].startswith("df[df.a > 1].assign")
    assert one["name"] != two["name"]
    assert max(len(one["name"]), len(two["name"])) <= 52
    assert [row["B"] for row in rows_of(kernel, two["name"])] == [2, 2]


NAMED_BY_A_VARIABLE = [
    ("name = 'df'", "%dtale {name}"),
    ("name = 'df'", "%dtale $name"),
    ("name = 'df'", "%dtale { name } --theme dark"),
    ("name = 'df'", "%dtale --theme dark $name"),
    ("name = 'df'", "%dtale {name};  # by name"),
    ("t = 'dark'", "%dtale df --theme {t}"),
    ("label = 'df'", "%dtale df.copy() --name {label}"),
]


@pytest.mark.parametrize(("before", "line"), NAMED_BY_A_VARIABLE)
def test_a_lone_name_in_braces_is_the_variable_that_it_names(
    kernel: Kernel, before: str, line: str
) -> None:
    kernel.run(before)
    name, rows = last_shown(kernel, line)
    assert name == "df"
    assert len(rows) == 3


def test_people_loop_over_names(kernel: Kernel) -> None:
    kernel.run("%dtale --drop all\none, two = df.head(1), df.head(2)")
    kernel.run("for name in ('one', 'two'):\n    %dtale {name}")
    assert (len(rows_of(kernel, "one")), len(rows_of(kernel, "two"))) == (1, 2)


LOCAL = [
    "def look(part):\n    %dtale part\nlook(df.head(2))",
    "def look(part):\n    get_ipython().run_line_magic('dtale', 'part')\nlook(df.head(2))",
    "def look(part):\n    def inner():\n        %dtale part\n    inner()\nlook(df.head(2))",
    (
        "def look(part):\n    def inner():\n        part\n        %dtale part\n    inner()\n"
        "look(df.head(2))"
    ),
    (
        "class Look:\n    def at(self, part):\n        self.part = part\n        %dtale self.part\n"
        "Look().at(df.head(2))"
    ),
    "class Look:\n    part = df.head(2)\n    %dtale part",
    "(lambda part: get_ipython().run_line_magic('dtale', 'part'))(df.head(2))",
    "[get_ipython().run_line_magic('dtale', 'part') for part in [df.head(2)]];",
    (
        "def look(part):\n    return [get_ipython().run_line_magic('dtale', 'part') for _ in 'x']\n"
        "look(df.head(2));"
    ),
    "def look(part):\n    %dtale part\n    yield\nlist(look(df.head(2)));",
    (
        "def look(part, depth):\n    if depth:\n        return look(part.head(2), depth - 1)\n"
        "    %dtale part\nlook(df, 3)"
    ),
    (
        "def look(part):\n    want = {3, 1}\n    %dtale part.pipe(lambda d: d[d.a.isin(want)])\n"
        "look(df)"
    ),
    "def look(part):\n    n = 2\n    %dtale part[[i < n for i in range(len(part))]]\nlook(df)",
    "def look(part):\n    name = 'part'\n    %dtale {name}\nlook(df.head(2))",
    "def look(limit):\n    %dtale df.query('a != @limit').head(2)\nlook(2)",
    "def look(part):\n    some = 'zip,k'\n    %dtale part --hide-columns {some}\nlook(df.head(2))",
    "async def look(part):\n    %dtale part\nawait look(df.head(2))",
    "def look(df):\n    %dtale df\nlook(df.head(2))",
    "%time get_ipython().run_line_magic('dtale', 'df.head(2)');",
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    %dtale df.head(2)",
    "with open('/dev/null') as _nothing:\n    %dtale df.head(2)",
]


@pytest.mark.parametrize("code", LOCAL)
def test_variables_are_those_of_the_place(kernel: Kernel, code: str) -> None:
    kernel.run("part = 'the global one'")
    _, rows = last_shown(kernel, code)
    assert [row["a"] for row in rows] == [3, 1]
    assert kernel.value("part") == "the global one"


FILES = {
    "plain.py": """
from IPython import get_ipython
import pandas as pd
part = "of the file"
def look(part):
    get_ipython().run_line_magic("dtale", "part")
look(pd.DataFrame({"a": [3, 1]}))
""",
    "global.py": """
from IPython import get_ipython
import pandas as pd
part = pd.DataFrame({"a": [3, 1]})
get_ipython().run_line_magic("dtale", "part")
part = "changed afterwards"
""",
    "cell.ipy": """
def look(part):
    %dtale part
look(df.head(2))
""",
}


@pytest.mark.parametrize(
    ("options", "file"),
    [
        ("", "plain.py"),
        ("-i", "plain.py"),
        ("", "global.py"),
        ("-i", "global.py"),
        ("-i", "cell.ipy"),
    ],
)
def test_files_that_are_run_see_their_own(
    kernel: Kernel, tmp_path: Path, options: str, file: str
) -> None:
    path = tmp_path / file
    path.write_text(FILES[file])
    kernel.run("part = 'of the notebook'")
    _, rows = last_shown(kernel, f"%run {options} {path}")
    assert [row["a"] for row in rows] == [3, 1]


AWAITED = [
    "%dtale await later(df.head(2))",
    "%dtale --theme dark (await later(df)).head(2)",
    "x = %dtale await later(df.head(2))",
    "for _ in 'x':\n    %dtale await later(df.head(2))",
    "async def look(part):\n    %dtale await later(part)\nawait look(df.head(2))",
    "%%dtale\nfound = await later(df)\nfound.head(2)",
    "%%dtale --theme dark\nawait later(df.head(2))",
    "%dtale [{'a': a} async for a in numbers()]",
    "%%dtale\n[{'a': a} async for a in numbers()]",
]


@pytest.mark.parametrize("code", AWAITED)
def test_what_is_awaited_is_shown(kernel: Kernel, code: str) -> None:
    kernel.run("import asyncio\nasync def later(x):\n    await asyncio.sleep(0.01)\n    return x")
    kernel.run("async def numbers():\n    yield 3\n    yield 1")
    _, rows = last_shown(kernel, code)
    assert [row["a"] for row in rows] == [3, 1]


def test_await_where_python_cannot_is_pythons_error(kernel: Kernel) -> None:
    shown = kernel.run("def f():\n    %dtale await later(df)", ok=False)
    assert shown.error == "SyntaxError"
    assert "await" in shown.traceback


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("df.nope", "AttributeError"),
        ("df['nope']", "KeyError"),
        ("df[undefined_name]", "NameError"),
        ("int('x')", "ValueError"),
        ("[][1]", "IndexError"),
    ],
)
def test_an_error_in_the_expression_points_at_it(
    kernel: Kernel, expression: str, error: str
) -> None:
    shown = kernel.run(f"%dtale {expression}", ok=False)
    assert shown.error == error
    assert f"----> 1 {expression}" in shown.traceback
    assert "dtale_magics" not in shown.traceback


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%dtale (df\n  .head(1))", "%%dtale"),
        ("%dtale df[\n'a'\n]", "%%dtale"),
        ("for i in range(1):\n    %dtale (df\n        .head(1))", "%%dtale"),
        ("%dtale df.query('''a > 1\nand a < 3''')", "%%dtale"),
        ("%dtale df[", "%%dtale"),
        ("%dtale df df", "%dtale df   and   %dtale df"),
        ("%dtale df --theme dark df.head()", "One frame at a time"),
        ("%dtale x = df", "x = df   and then: %dtale x"),
        ("%dtale x += df", "%%dtale"),
        ('%dtale df["a]', "other kind of quotes"),
        ("%dtale df — theme dark", "Did you mean --theme?"),
        ("%dtale df –theme dark", "Did you mean --theme?"),
        ("%dtale drop df", "Did you mean %dtale --drop df?"),
        ("%dtale stop", "%dtale --stop"),
        ("%dtale list", "%dtale --list"),
        ("%dtale data", "Run the cell that makes it first. The option is typed so: %dtale --data"),
        ("%dtale_port take", "Did you mean %dtale_port --take?"),
        ("%dtale_port --port 40005", "%dtale_port 40005"),
        ("%dtale --kill", "Did you mean --stop?"),
        ("%dtale df --remove", "Did you mean --drop?"),
        ("%dtale a = 1; df", "%%dtale"),
        ("%dtale import os", "%%dtale"),
        ("%dtale df.", "no Python expression"),
        ("%dtale df, df", "%dtale (df, df)[0]"),
        ("%dtale [df, df.head(1)]", "One frame at a time"),
        ("%dtale dict(list(df.groupby('k')))", "['p']"),
        ("%dtale *[df]", "no Python expression"),
        ("%dtale df.head(1); df.head(2)", "several statements"),
        ("%dtale $name.head()", "only where they stand alone"),
    ],
)
def test_what_is_no_expression_is_told_what_to_type(kernel: Kernel, code: str, says: str) -> None:
    assert says in refusal(kernel, code)


def test_a_missing_variable_is_compared_with_frames_only(kernel: Kernel) -> None:
    kernel.run("def f():\n    pass\nfd = 1\nsales_2024 = df")
    assert "Did you mean sales_2024" in refusal(kernel, "%dtale sales_2023")
    answer = refusal(kernel, "%dtale dff")
    assert "Did you mean df?" in answer
    kernel.run("gone = df.copy()\n%dtale gone\ndel gone")
    answer = refusal(kernel, "%dtale gone")
    assert "D-Tale still shows the last gone" in answer
    assert kernel.value("get_ipython().run_line_magic('dtale', '--data gone').a.tolist()") == [
        3,
        1,
        2,
    ], "the advice works"
    assert "Did you mean" not in refusal(kernel, "%dtale zzzz")


OBJECTS = """
import asyncio, sqlite3, duckdb
async def later():
    return df
async def rows():
    yield 1
group = df.groupby("k")
con, other = duckdb.connect(), sqlite3.connect(":memory:")
text = "df"
"""

ADVICE = [
    'df.groupby("k")',
    'df.groupby("k") --name grouped',
    'df.groupby("k") if len(df) else None',
    'df.assign(one=df.a + 1, two=df.a + 2, three=df.a + 3, four=df.a + 4).groupby("k")',
    "df.assign(one=df.a + 1, two=df.a + 2, three=df.a + 3, four=df.a + 4).a.max()",
    "df.assign(one=df.a + 1, two=df.a + 2, three=df.a + 3, four=df.a + 4).head",
    "lambda: df",
    "df.head or df.tail",
    "np.zeros((2, 2, 2)) + np.ones((2, 2, 2))",
    "np.zeros((2, 2, 2, 2)) - 1 --name zeros",
    "[df] + [df]",
    "[df] + [df] --name both",
    "{'x': df} | {'y': df}",
    "df,",
    "df.a.max() + 1",
    "df.copy().sort_values('a', inplace=True)",
    "(df.copy() if len(df) else df).sort_values('a', inplace=True)",
    "later()",
    "later() if len(df) else None",
    "rows()",
    "con",
    "con or other",
    "other",
    "text",
    "'df'",
    "--name sales",
    "--sort a",
    "--theme dark --rows 2",
]


@pytest.mark.parametrize("typed", ADVICE)
def test_what_an_error_says_to_type_works(kernel: Kernel, typed: str) -> None:
    """Whatever the expression is: long, with operators, shown under another name."""
    kernel.run(OBJECTS)
    kernel.run("import warnings; warnings.simplefilter('ignore')")
    answer = refusal(kernel, f"%dtale {typed}")
    *_, advice = re.findall(r"%dtale (?:(?!   ).)*", answer.splitlines()[-1])
    last_shown(kernel, advice)


def test_a_grid_says_how_to_show_what_it_holds(kernel: Kernel) -> None:
    kernel.run("%dtale --drop all\ngrid = %dtale df")
    assert "%dtale grid.data" in refusal(kernel, "%dtale grid")
    kernel.run("%dtale grid.data")
    assert [row["a"] for row in rows_of(kernel, "grid.data")] == [3, 1, 2]


def test_each_advice_of_several_works(kernel: Kernel) -> None:
    for typed in ("text", "np.zeros((2, 2, 2))"):
        kernel.run(OBJECTS)
        answer = refusal(kernel, f"%dtale {typed}")
        one, two = re.findall(r"%dtale (?:(?!   ).)*", answer.splitlines()[-1])
        assert one != two
        last_shown(kernel, one)
        last_shown(kernel, two)


@pytest.mark.parametrize("value", ["df.head(2)", "[3, 1]", "{'a': [3, 1]}"])
def test_braces_around_what_can_stand_in_no_set_are_none_of_pythons(
    kernel: Kernel, value: str
) -> None:
    kernel.run(f"braced = {value}")
    _, rows = last_shown(kernel, "%dtale {braced}")
    assert [row.get("a", row.get("0")) for row in rows] == [3, 1]


def test_braces_around_what_can_are_a_set(kernel: Kernel) -> None:
    kernel.run("number = 7")
    assert last_shown(kernel, "%dtale {number}")[1] == [{"0": 7}]
