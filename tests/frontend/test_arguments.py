from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dtale_magics.errors import UsageError
from dtale_magics.frontend.typed.arguments import parse
from dtale_magics.frontend.typed.options import DTALE
from dtale_magics.viewer.show_options import ShowOption, ShowOptions

if TYPE_CHECKING:
    from dtale_magics.frontend.typed.arguments import Arguments

OPTIONS = ShowOptions(
    [
        ShowOption("theme", "str"),
        ShowOption("precision", "int"),
        ShowOption("hide_columns", "list"),
        ShowOption("sort", "list"),
        ShowOption("column_formats", "dict"),
        ShowOption("hide_shutdown", "bool"),
    ]
)


def read(line: str) -> Arguments:
    return parse(line, DTALE, lambda: OPTIONS)


@pytest.mark.parametrize(
    ("line", "expression", "flags"),
    [
        ("", "", []),
        ("df  --list", "df", ["--list"]),
        ("df[df.a > 1] --stop", "df[df.a > 1]", ["--stop"]),
        ("""df.query("a > '1' --x")""", """df.query("a > '1' --x")""", []),
        (r"f('it\'s ( open') --stop", r"f('it\'s ( open')", ["--stop"]),
        ("frames['<script>']", "frames['<script>']", []),
        ("{'a': [1, 2]}", "{'a': [1, 2]}", []),
        ("df  # Ada's --stop", "df", []),
        ("df['#'] --stop # (", "df['#']", ["--stop"]),
    ],
)
def test_white_space_in_quotes_and_brackets_belongs_to_the_expression(
    line: str, expression: str, flags: list[str]
) -> None:
    arguments = read(line)
    assert arguments.expression == expression
    assert list(arguments.flags) == flags


@pytest.mark.parametrize("line", ["df['a]", "f((1)", 'x"', "df[[1]"])
def test_what_is_left_open_is_named(line: str) -> None:
    with pytest.raises(UsageError, match="not closed"):
        read(line)


def test_options_stand_before_or_behind_the_expression() -> None:
    before = read("--theme dark --hide-shutdown df.head(3)")
    behind = read("df.head(3) --hide-shutdown --theme=dark")
    assert before.expression == behind.expression == "df.head(3)"
    assert before.show_options == behind.show_options == {"theme": "dark", "hide_shutdown": True}


def test_values_become_what_dtale_takes() -> None:
    line = (
        "df --precision 4 --hide-columns a,b --sort a:desc,b --column-formats {'a':{'fmt':'0.0'}}"
    )
    assert read(line).show_options == {
        "precision": 4,
        "hide_columns": ["a", "b"],
        "sort": [("a", "DESC"), ("b", "ASC")],
        "column_formats": {"a": {"fmt": "0.0"}},
    }


def test_a_switch_can_be_turned_off() -> None:
    arguments = read("--hide-shutdown false df")
    assert arguments.show_options == {"hide_shutdown": False}
    assert arguments.expression == "df"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("df --themee dark", "Did you mean --theme"),
        ("df --lst", "Did you mean --list"),
        ("df --precision many", "--precision takes a value of type int"),
        ("df --theme", "--theme needs a value"),
        ("df --theme --list", "--theme needs a value"),
        ("--list=yes", "--list takes no value"),
        ("df --hide-shutdown=perhaps", "--hide-shutdown takes a value of type bool"),
    ],
)
def test_a_wrong_option_is_explained(line: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(line)
    assert says in str(caught.value)


def test_own_options_do_not_ask_dtale() -> None:
    def never() -> ShowOptions:
        raise AssertionError

    assert parse("df --port 40005", DTALE, never).flags == {"--port": 40005}
