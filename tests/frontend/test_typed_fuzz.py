"""What the magic evaluates is what Python evaluates, whatever the expression looks like."""

from __future__ import annotations

import ast
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from dtale_magics.frontend.typed import expression
from dtale_magics.frontend.typed.arguments import parse
from dtale_magics.frontend.typed.options import DTALE
from dtale_magics.frontend.typed.words import named_by
from dtale_magics.viewer.show_options import ShowOption, ShowOptions
from tests.support.repeats import repeats

OPTIONS = ShowOptions(
    [
        ShowOption("theme", "str", ("light", "dark")),
        ShowOption("sort", "list"),
        ShowOption("hide_columns", "list"),
        ShowOption("hide_shutdown", "bool"),
        ShowOption("allow_cell_edits", "bool"),
    ]
)
VARIABLES: dict[str, Any] = {"a": 7, "b": 2, "name": "a", "theme": 5, "x1": [3, 1, 2], "sort": 1}

NASTY = st.text(alphabet="ab{}[]()#'\"\\$;-= %!?:,\té", max_size=8) | st.sampled_from(
    ["--theme dark", "# no", "{a}", "$name", "{a:{b}}", "--", ";", "\\d{5}", "' --sort a", '"]']
)
STRINGS = (
    NASTY.map(repr)
    | NASTY.map(ascii)
    | NASTY.filter(lambda s: "\\" not in s).map(
        lambda s: '"' + s.replace('"', "'").replace("\t", " ") + '"'
    )
)
NUMBERS = st.integers(0, 9).map(str)
NAMES = st.sampled_from(["a", "b", "theme", "sort"])
SPACE = st.sampled_from(["", " ", "  "])


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda parts: f"[{', '.join(parts)}]"),
        several.map(lambda parts: f"({', '.join(parts)},)"),
        several.map(lambda parts: "{" + ", ".join(f"repr({part})" for part in parts) + "}"),
        several.map(lambda parts: "{" + ", ".join(f"{i}: {p}" for i, p in enumerate(parts)) + "}"),
        inner.map(lambda part: f"(lambda q: (q, a, {part}))(b)"),
        inner.map(lambda part: f"[({part}, i, a) for i in x1 if i > 1]"),
        inner.map(lambda part: f"[*(({part}, j, b) for j in x1)]"),
        inner.map(lambda part: f"(w := {part})"),
        st.tuples(inner, inner).map(lambda two: f"{two[0]} if a else {two[1]}"),
        st.tuples(NAMES, SPACE, NAMES).map(lambda t: f"{t[0]} -{t[1]}-{t[2]}"),
        st.tuples(NAMES, NAMES).map(lambda two: f"{two[0]} --{two[1]}"),
        st.tuples(NAMES, NAMES).map(lambda two: f"{two[0]} -{two[1]}"),
        st.tuples(NAMES, NUMBERS).map(lambda two: f"{two[0]} --{two[1]}"),
        st.tuples(NAMES, SPACE).map(
            lambda two: 'f"{' + two[0] + ":>{b}}" + two[1] + '{{}} # {a!r}"'
        ),
        inner.map(lambda part: f"str({part})[-1:]"),
        inner.map(lambda part: f"dict(k={part})['k']"),
    )


EXPRESSIONS = st.recursive(STRINGS | NUMBERS | NAMES, _compound, max_leaves=6)
OPTION = st.sampled_from(
    [
        "--theme dark",
        "--theme=light",
        "--sort b:DESC,'c d'",
        "--hide-shutdown",
        "--hide-shutdown false",
        "--hide-columns 'a,b',c",
        "--allow-cell-edits true",
        "--name 'n # 1'",
    ]
)
ENDS = st.sampled_from(["", "", ";", " ;", "  # Ada's", "; # [(", " # --theme purple", "  "])


def is_python(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


@settings(max_examples=repeats(100, 1000), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=EXPRESSIONS.filter(is_python),
    before=st.lists(OPTION, max_size=1),
    behind=st.lists(OPTION, max_size=2),
    end=ENDS,
    in_function=st.booleans(),
)
def test_the_magic_evaluates_what_eval_does(
    text: str, before: list[str], behind: list[str], end: str, *, in_function: bool
) -> None:
    if any(f"--{name}" in text.split() for name in ("theme", "sort")):
        return  # a --theme, unquoted, is the option; a - -theme is Python
    shell = InteractiveShell.instance()
    names = dict(VARIABLES)
    scope = expression.Scope({"x1": [3, 1, 2]}, names, in_function=True)
    if not in_function:
        scope = expression.Scope(names, names)
    line = " ".join([*before, text, *behind]) + end
    arguments = parse(line, DTALE, lambda: OPTIONS, scope.__getitem__)
    assert arguments.expression == text.strip()
    assert arguments.silent == (";" in end.partition("#")[0])
    typed = named_by(arguments.expression, scope.__getitem__)
    found = expression.read(typed, shell)
    expected = eval(compile(text, "<expected>", "eval"), dict(VARIABLES))
    assert repr(_value(scope.run(found.code))) == repr(_value(expected))


def _value(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value
