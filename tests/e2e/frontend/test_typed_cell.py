"""``%%dtale``: a cell runs as ever, and its last expression is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.frontend.typed_kernel import last_shown, refusal

if TYPE_CHECKING:
    from tests.support.kernels import Kernel


@pytest.mark.parametrize(
    "body",
    [
        "(df\n  .head(2)\n)",
        "part = df\npart.head(2)",
        "part = (df[df.a.isin({3, 1})]\n   # the two\n)\npart",
        "def f():\n    return df.head(2)\n\nf()",
        "%time part = df.head(2)\npart",
        "!true\ndf.head(2)",
        "count = !echo 2\ndf.head(int(count[0]))",
        "df.head(2);",
        "df.head(2)  # Ada's",
        "if True:\n    part = df\npart.head(2)",
        "'''a\n%dtale nope\n'''\ndf.head(2)",
        "from __future__ import annotations\ndf.head(2)",
    ],
)
def test_the_cell_runs_and_its_last_expression_is_shown(kernel: Kernel, body: str) -> None:
    _, rows = last_shown(kernel, f"%%dtale --theme dark\n{body}")
    assert [row["a"] for row in rows] == [3, 1]


def test_its_variables_are_the_notebooks(kernel: Kernel) -> None:
    kernel.run("%%dtale\nmade_here = df.head(1)\nmade_here")
    assert kernel.value("len(made_here)") == 1
    kernel.run("made_here  # plain cells go on with it")


def test_its_value_is_dtales_instance_for_code(kernel: Kernel) -> None:
    kernel.run("inst = get_ipython().run_cell_magic('dtale', '', 'df.head(2)')")
    assert kernel.value("inst.data.a.tolist()") == [3, 1]


@pytest.mark.parametrize("body", ["made = 5", "import os", "def f():\n    return 1", "del made"])
def test_a_cell_without_a_value_says_so(kernel: Kernel, body: str) -> None:
    kernel.run("made = 1\n%dtale --drop all")
    shown = kernel.run(f"%%dtale\n{body}")
    assert "Nothing is shown: the cell ends with no expression" in shown.text
    assert kernel.status()["frames"] == []
    if body == "made = 5":
        assert kernel.value("made") == 5
        assert "for example: made" in shown.text


def test_an_error_in_the_cell_is_the_users_own(kernel: Kernel) -> None:
    shown = kernel.run("%%dtale\nready = 1\n1 / 0\ndf", ok=False)
    assert shown.error == "ZeroDivisionError"
    assert "1 / 0" in shown.traceback
    assert "dtale_magics" not in shown.traceback
    assert kernel.value("ready") == 1
    shown = kernel.run("%%dtale\nx = (\n", ok=False)
    assert shown.error == "SyntaxError"


@pytest.mark.parametrize(
    ("first_line", "says"),
    [
        ("df", "takes options and no expression"),
        ("--themee dark", "Did you mean --theme"),
        ("--sort nope", "no column 'nope'"),
        ("--list", "--list stands alone"),
    ],
)
def test_its_first_line_takes_options(kernel: Kernel, first_line: str, says: str) -> None:
    assert says in refusal(kernel, f"%%dtale {first_line}\ndf")


def test_help_of_a_cell(kernel: Kernel) -> None:
    shown = kernel.run("%%dtale -h\nnever_run = 1")
    assert "--hide-columns" in shown.text
    assert kernel.value("'never_run' in globals()") is False
